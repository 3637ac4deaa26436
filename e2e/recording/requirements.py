"""Traces the help page: each fact with the pictures of a run and the tests that show it."""

from typing import Any

from .help_page import FACTS


def traced(takes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`pictures` are those of the run; empty if none of its steps shows the fact."""
    shown: dict[str, list[dict[str, str]]] = {}
    for take in takes:
        for step in take["steps"]:
            if not step["failure"]:
                place = {"take": take["id"], "picture": f"{step['picture']}", "step": step["key"]}
                shown.setdefault(f"{take['story']}/{step['key']}", []).append(place)
    return [
        {
            **fact._asdict(),
            "pictures": [picture for key in fact.shows for picture in shown.get(key, [])],
            "unknown": [key for key in fact.shows if key not in shown],
        }
        for fact in FACTS
    ]
