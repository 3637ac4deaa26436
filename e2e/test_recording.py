"""The recordings: kept runs, the comparison with the baseline, results for programs, and the trace of the help page."""

import ast
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from . import record
from .matrix import CELLS
from .portal import ROOT, Sandbox
from .recording import __main__ as commands
from .recording import compare, pages, requirements, results, runs
from .recording.help_page import FACTS
from .recording.masks import masks_of
from .recording.take import Take, film
from .stories import REFUSALS, STORIES, Story, Walk
from .stories.story import story

SETTINGS = (
    "RUN",
    "KEEP",
    "STEPS",
    "TAKE",
    "PROCEDURE",
    "LOCALE",
    "SCRIPTS",
    "WIDTH",
    "DEVICE",
    "ALL",
    "BROWSER",
    "URL",
)
WIDE, NARROW = CELLS[0], CELLS[1]
REDUCE = next(story for story in STORIES if story.id == "reduce")


@pytest.fixture(autouse=True)
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (runs, compare, pages):
        monkeypatch.setattr(module, "OUT", tmp_path)
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def draw(path: Path, box: tuple[int, int, int, int] | None = None, colour: str = "black") -> None:
    picture = Image.new("RGB", (200, 100), "white")
    if box:
        ImageDraw.Draw(picture).rectangle(box, fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def step(key: str, **values: Any) -> dict[str, Any]:
    says = {"fr": key, "en": key}
    plain = {"key": key, "number": 1, "says": says, "seen": False, "page": key, "picture": f"{key}.png", "masks": []}
    return plain | {"seconds": 1.5, "failure": "", "requests": [], "console": [], "axe": []} | values


def take_of(*steps: dict[str, Any], **values: Any) -> dict[str, Any]:
    cell = {"locale": "fr", "scripts": True, "width": 1280}
    plain = {"id": "pay-fr", "story": "pay", "title": {"fr": "", "en": ""}, "cell": cell, "device": "desktop"}
    return (
        plain | {"browser": "chromium", "seconds": 3, "failure": "", "failed_step": "", "steps": list(steps)} | values
    )


def run_with(
    *steps: dict[str, Any], boxes: dict[str, tuple[int, int, int, int]] | None = None, **take: Any
) -> runs.Run:
    """A run of one recording; `boxes` is what its pictures show."""
    run = runs.start("chromium 1", ["desktop"], "")
    run.seconds = 1
    run.save()
    for shown in steps:
        draw(run.folder / shown["picture"], (boxes or {}).get(shown["key"]))
    runs.write_json(run.folder / "results.json", {"takes": [take_of(*steps, **take)]})
    return run


def test_a_run_erases_no_other_and_old_ones_are_pruned(monkeypatch: pytest.MonkeyPatch, out: Path) -> None:
    monkeypatch.setenv("RUN", "release")
    named = run_with(step("a"))
    with pytest.raises(SystemExit, match="release already"):
        runs.start("chromium 1", [], "")
    monkeypatch.setenv("RUN", "../x")
    with pytest.raises(SystemExit, match="no name"):
        runs.start("chromium 1", [], "")
    monkeypatch.delenv("RUN")
    many = [run_with(step("a")) for _ in range(4)]
    for hour, run in enumerate(many):
        run.started = f"2020-01-01T0{hour}:00:00+00:00"
        run.save()
    compare.accept(many[0], ["all"])
    monkeypatch.setenv("KEEP", "2")
    assert runs.prune(compare.sources()) == [many[1].id]
    assert {run.id for run in runs.kept()} == {named.id, many[0].id, many[2].id, many[3].id}
    assert runs.find(None).id == named.id
    assert runs.find(many[2].id).commit
    with pytest.raises(SystemExit, match="There is no run never"):
        runs.find("never")


def test_exactly_the_steps_that_differ_are_listed_and_can_be_accepted_one_by_one(out: Path) -> None:
    first = run_with(step("a"), step("b"), step("gone"), step("same"))
    compare.accept(first, ["all"])
    second = run_with(step("a"), step("b"), step("new"), step("same"), boxes={"a": (9, 9, 30, 30), "b": (5, 5, 8, 8)})
    changes, unknown = compare.changes_of(second)
    assert ([(change.kind, change.id) for change in changes], unknown) == (
        [("changed", "pay-fr/a"), ("changed", "pay-fr/b"), ("added", "pay-fr/new"), ("removed", "pay-fr/gone")],
        [],
    )
    assert (second.folder / "changes/pay-fr/a.png").exists()
    assert compare.accept(second, ["pay-fr/a", "pay-fr/gone"]) == 2
    left = [change.id for change in compare.changes_of(second)[0]]
    assert left == ["pay-fr/b", "pay-fr/new"]
    with pytest.raises(SystemExit, match="no step, recording or story pay-en"):
        compare.accept(second, ["pay-en"])
    compare.accept(second, ["pay"])
    assert compare.changes_of(second)[0] == []


def test_what_varies_and_what_is_invisible_is_no_difference(out: Path) -> None:
    before, after = out / "before.png", out / "after.png"
    draw(before)
    draw(after, (50, 20, 90, 40))
    assert compare.difference(before, after, [])[0] == 41 * 21
    assert compare.difference(before, after, [[50, 20, 91, 41]])[0] == 0
    draw(after, (50, 20, 90, 40), "#fbfbfb")
    assert compare.difference(before, after, [])[0] == 0
    Image.new("RGB", (200, 110), "grey").save(after)
    assert compare.difference(before, after, [])[0] == 200 * 110


def test_a_take_that_the_baseline_does_not_have_is_no_difference(out: Path) -> None:
    compare.accept(run_with(step("a")), ["all"])
    other = run_with(step("a"), id="pay-en")
    assert compare.changes_of(other) == ([], ["pay-en"])
    failed = run_with(step("a", failure="no"), failure="no", failed_step="a")
    assert compare.changes_of(failed) == ([], [])


def test_the_results_as_junit_xml_and_the_flakes(out: Path) -> None:
    sent = {"method": "GET", "path": "/a", "form": "", "status": 200, "bytes": 3, "ms": 4, "fragment": ""}
    found = {"rule": "label", "impact": "critical", "help": "Label it", "address": "https://x", "targets": ["input"]}
    good = run_with(step("a", requests=[sent], axe=[found]), step("b"))
    bad = run_with(step("a"), step("b", failure="late\x00"), failure="late", failed_step="b")
    results.write_junit(bad, [compare.Change("pay-fr/a", "changed", "pay-fr", step("a"), step("a"), 7)])
    suite = ElementTree.parse(bad.folder / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    assert [failure.get("type") for failure in suite.iter("failure")] == ["changed", "failed"]
    results.write_junit(good, [])
    text = (good.folder / "junit.xml").read_text()
    assert "GET /a 200 4 ms" in text
    assert "axe: label (critical): input" in text
    assert results.flakes(good.code) == [{"take": "pay-fr", "step": "b", "failed": [bad.id], "passed": [good.id]}]
    assert results.flakes("another") == []
    (rule,) = results.accessibility(good.results())
    assert (rule["rule"], rule["places"][0]["take"]) == ("label", "pay-fr")


def test_the_commands_and_the_pages_of_a_kept_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: Path
) -> None:
    first = run_with(step("a"))
    assert commands.baseline() == 0
    second = run_with(step("a"), boxes={"a": (9, 9, 30, 30)})
    monkeypatch.setenv("RUN", second.id)
    with pytest.raises(SystemExit, match="STEPS=all"):
        commands.accept()
    pages.write_reports(second)
    page = (second.folder / "changes.html").read_text()
    assert f"make accept RUN={second.id} STEPS=all" in page
    assert "pay-fr/a" in page
    monkeypatch.setenv("STEPS", "pay-fr/a")
    assert commands.accept() == 0
    assert "Steps that still differ: 0" in capsys.readouterr().out
    index = (out / "index.html").read_text()
    assert first.id in index
    assert second.id in index
    monkeypatch.setenv("TAKE", "never")
    with pytest.raises(SystemExit, match="TAKE is one of: pay-fr"):
        commands.show_trace()


def test_each_fact_of_the_help_page_names_stories_and_tests_that_exist() -> None:
    stories = {story.id for story in (*STORIES, *REFUSALS)}
    for fact in FACTS:
        assert fact.shows or fact.tests, fact
        assert {key.partition("/")[0] for key in fact.shows} <= stories, fact
        for test in fact.tests:
            path, _, name = test.partition("::")
            functions = {node.name for node in ast.parse((ROOT / path).read_text()).body if hasattr(node, "name")}
            assert name in functions, test
    taken = [take_of(step("click-renew"), story="renew")]
    traced = {(fact["procedure"], fact["step"]): fact for fact in requirements.traced(taken)}
    assert [shown["step"] for shown in traced["renew", "2"]["pictures"]] == ["click-renew"]
    assert traced["reduce", "2"]["unknown"] == ["reduce/click-manage"]


@pytest.mark.parametrize(
    ("asked", "widths"),
    [
        ({}, [(True, 1280), (False, 360)]),
        ({"LOCALE": "en"}, [(True, 1280), (False, 360)]),
        ({"DEVICE": "phone"}, [(True, 360)]),
        ({"DEVICE": "desktop", "SCRIPTS": "0"}, [(False, 1280)]),
        ({"WIDTH": "360"}, [(True, 360), (False, 360)]),
    ],
)
def test_the_cells_that_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], widths: list[tuple[bool, int]]
) -> None:
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    english = [cell for cell in record.cells(REDUCE) if cell.locale == "en"]
    assert [(cell.scripts, cell.width) for cell in english] == widths


def film_in(browser: Browser, sandbox: Sandbox, filmed: Story, root: Path, cell: Any = WIDE) -> Take:
    take = Take(filmed, cell, root, video=False)
    film(browser, sandbox, take)
    return take


def test_a_failed_step_keeps_its_requests_and_its_trace(sandbox: Sandbox, browser: Browser, out: Path) -> None:
    def walk(walk: Walk) -> None:
        walk.click("Ouvrez.", "Open it.", walk.page.get_by_role("navigation").get_by_role("link", name=walk["Billing"]))
        walk.heading("Billing")
        raise AssertionError("the end")

    take = film_in(browser, sandbox, story("broken", "Raté", "Broken", "business", walk), out / "2027")
    (shot,) = take.shots
    assert (take.failure.endswith("the end"), shot.failure) == (True, take.failure)
    assert [(sent.path, sent.status) for sent in shot.exchanges] == [("/billing", 200)]
    assert shot.exchanges[0].bytes > 500
    with ZipFile(take.folder / "trace.zip") as trace:
        assert {name.partition("/")[0] for name in trace.namelist()} >= {"screencast", "src", "trace.trace"}
    assert (take.folder / "failure.png").exists()
    run = runs.Run("2027", False, "2027-01-15T09:00:00+00:00", "abc", "", "chromium 1", ["desktop"], "")
    results.write_results(run, [take])
    assert json.loads((run.folder / "results.json").read_text())["takes"][0]["failed_step"] == "open-it"


def test_two_recordings_of_a_procedure_are_alike_on_a_phone_too(sandbox: Sandbox, browser: Browser, out: Path) -> None:
    for cell in (WIDE, NARROW):
        twice = []
        for attempt in ("first", "second"):
            run = runs.start("chromium 1", [cell.id], "")
            take = film_in(browser, sandbox, REDUCE, run.folder, cell)
            assert take.problems == [], attempt
            run.seconds = 1
            run.save()
            results.write_results(run, [take])
            twice.append(run)
        compare.accept(twice[0], ["all"])
        assert compare.changes_of(twice[1]) == ([], [])


def test_ids_e_mails_and_clocks_are_masked(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        "<p>Nothing varies here, 12:1</p><p>sao-0a1b2c3d@example.test</p><p>at 09:15</p><details><p>10:20</p></details>"
        "<p data-varies>free</p><p>C-SCK9EW5F</p>"
        "<select><option>a-0a1b2c3d.example.test</select>"
        '<input value="0123456789ab"><input type="hidden" value="0123456789ab">'
    )
    assert len(masks_of(page)) == 6
    page.close()
