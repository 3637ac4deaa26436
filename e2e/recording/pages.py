"""The pages that a recording leaves. They open from disk, without a server."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader

from ..matrix import REGIONS
from ..portal import ROOT
from ..stories import REFUSALS, STORIES
from . import compare, requirements, results
from .runs import OUT, Run, kept
from .take import Take

EVERY = (*STORIES, *REFUSALS)


def money(cents: int, currency: str, locale: str) -> str:
    return format_currency(Decimal(cents).scaleb(-2), currency, locale=REGIONS[locale].replace("-", "_"))


def day(iso: str, locale: str, back: int = 0) -> str:
    """Ends are exclusive in the state: `back=1` gives the last day included."""
    shown = date.fromisoformat(iso) - timedelta(days=back)
    return format_date(shown, "d MMMM y", locale=REGIONS[locale].replace("-", "_")).replace(" ", "\u00a0")


def minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60):02} s" if seconds >= 60 else f"{seconds:.1f} s"


def moment(iso: str) -> str:
    return datetime.fromisoformat(iso).strftime("%d %B %Y, %H:%M")


PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
PAGES.filters.update(money=money, day=day, minutes=minutes, moment=moment)


def _write(path: Path, template: str, **values: Any) -> Path:
    path.write_text(PAGES.get_template(template).render(**values), encoding="utf-8")
    return path.relative_to(ROOT)


def write_run(run: Run, takes: list[Take], without_video: str) -> Path:
    folder = run.folder.relative_to(ROOT).as_posix()
    values = {"takes": takes, "stories": EVERY, "without_video": without_video, "folder": folder, "run": run}
    return _write(run.folder / "index.html", "run.html", **values)


def write_reports(run: Run) -> list[compare.Change]:
    """What changed since the baseline, the findings of axe, and the list of runs. Returns the changes."""
    changes, unknown = compare.changes_of(run)
    found = run.results()
    results.write_junit(run, changes)
    _write(
        run.folder / "changes.html",
        "changes.html",
        run=run,
        changes=changes,
        unknown=unknown,
        compared=len(found["takes"]) - len(unknown),
        baseline=compare.baseline()["takes"],
    )
    takes = found["takes"]
    rules = results.accessibility(found)
    _write(run.folder / "accessibility.html", "accessibility.html", run=run, takes=takes, rules=rules)
    write_index(run, changes)
    return changes


def write_index(latest: Run, changes: list[compare.Change]) -> Path:
    """The kept runs, what is flaky on the newest's code, and the sentences of the help page with what shows them."""
    runs = [(run, run.results()["takes"]) for run in kept() if run.seconds]
    facts = requirements.traced(latest.results()["takes"])
    values = {"sources": compare.sources(), "flakes": results.flakes(latest.code), "facts": facts}
    return _write(OUT / "index.html", "index.html", runs=runs, latest=latest, changes=changes, **values)
