"""The results of a run for programs: results.json, JUnit XML, and the flakes over the runs of the same code."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .compare import Change
from .runs import Run, kept, write_json
from .take import Shot, Take

START = "sign-in"  # the step of a take that failed before its first picture
CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in range(32) if code not in (9, 10, 13)}  # XML has none of them


def _step(take: Take, shot: Shot, folder: Path) -> dict[str, Any]:
    return {
        "key": shot.key,
        "number": shot.number,
        "says": shot.step.says._asdict(),
        "seen": shot.step.seen,
        "page": shot.page,
        "picture": (take.folder / shot.picture).relative_to(folder).as_posix(),
        "masks": shot.masks,
        "seconds": shot.seconds,
        "failure": shot.failure,
        "requests": [asdict(exchange) for exchange in shot.exchanges],
        "console": shot.console,
        "axe": shot.axe,
    }


def write_results(run: Run, takes: Iterable[Take]) -> None:
    listed = [
        {
            "id": take.id,
            "story": take.story.id,
            "title": take.story.title._asdict(),
            "cell": {"locale": take.cell.locale, "scripts": take.cell.scripts, "width": take.cell.width},
            "device": "phone" if take.phone else "desktop",
            "browser": take.engine,
            "seconds": take.seconds,
            "failure": take.failure,
            "failed_step": (take.shots[-1].key if take.shots else START) if take.failure else "",
            "console": take.console,
            "steps": [_step(take, shot, run.folder) for shot in take.shots],
        }
        for take in takes
    ]
    write_json(run.folder / "results.json", {"run": asdict(run), "takes": listed})


def write_junit(run: Run, changes: Iterable[Change]) -> None:
    """A suite for each recording and a case for each of its steps. One that differs is a failure of type `changed`."""
    changed = defaultdict(list)
    for change in changes:
        changed[change.take].append(change)
    root = ElementTree.Element("testsuites", name="recordings", time=f"{run.seconds:.2f}")
    for take in run.results()["takes"]:
        suite = ElementTree.SubElement(root, "testsuite", name=take["id"], time=f"{take['seconds']:.2f}")
        suite.set("timestamp", run.started)
        by_key = {change.id.rpartition("/")[2]: change for change in changed[take["id"]]}
        for step in take["steps"]:
            case = _case(suite, take["id"], step["key"], step["seconds"])
            _failures(case, step, by_key.pop(step["key"], None))
        for key in by_key:
            _fail(_case(suite, take["id"], key, 0), "removed", "The baseline has this step, the run has not.")
        if take["failed_step"] == START:
            _fail(_case(suite, take["id"], START, take["seconds"]), "failed", take["failure"])
        for failure, count in (("tests", len(suite)), ("failures", len(suite.findall("testcase/failure")))):
            suite.set(failure, str(count))
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(run.folder / "junit.xml", encoding="utf-8", xml_declaration=True)


def _case(suite: ElementTree.Element, take: str, key: str, seconds: float) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=take, name=key, time=f"{seconds:.2f}")


def _failures(case: ElementTree.Element, step: dict[str, Any], change: Change | None) -> None:
    if step["failure"]:
        _fail(case, "failed", step["failure"])
    elif step["console"]:
        _fail(case, "console", "\n".join(step["console"]))
    elif change:
        text = (
            f"{change.pixels} pixels differ from the baseline." if change.pixels else "The baseline has no such step."
        )
        _fail(case, change.kind, text)
    lines = [f"{sent['method']} {sent['path']} {sent['status']} {sent['ms']} ms" for sent in step["requests"]]
    lines += [f"axe: {found['rule']} ({found['impact']}): {'; '.join(found['targets'])}" for found in step["axe"]]
    if lines:
        ElementTree.SubElement(case, "system-out").text = "\n".join(lines).translate(CONTROL)


def _fail(case: ElementTree.Element, kind: str, text: str) -> None:
    text = text.translate(CONTROL)
    ElementTree.SubElement(case, "failure", type=kind, message=text.partition("\n")[0][:200]).text = text


def flakes(code: str) -> list[dict[str, Any]]:
    """The steps that failed in one run and passed in another of the same code: the take, the step, and the runs."""
    passed: dict[tuple[str, str], list[str]] = defaultdict(list)
    failed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run in kept():
        if run.code != code or not run.seconds:
            continue
        for take in run.results()["takes"]:
            passed[take["id"], START] += [run.id] if take["steps"] else []
            for step in take["steps"]:
                broken = step["failure"] or step["console"]
                (failed if broken else passed)[take["id"], step["key"]].append(run.id)
            if take["failed_step"] == START:
                failed[take["id"], START].append(run.id)
    return [
        {"take": take, "step": step, "failed": runs, "passed": passed[take, step]}
        for (take, step), runs in failed.items()
        if passed[take, step]
    ]


def accessibility(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What axe found, by rule, the gravest first: each with the steps and the elements."""
    grave = ["critical", "serious", "moderate", "minor", ""]
    rules: dict[str, dict[str, Any]] = {}
    for take in results["takes"]:
        for step in take["steps"]:
            for found in step["axe"]:
                rule = rules.setdefault(found["rule"], {**found, "places": []})
                rule["places"].append({"take": take["id"], "step": step, "targets": found["targets"]})
    return sorted(rules.values(), key=lambda rule: (grave.index(rule["impact"]), rule["rule"]))
