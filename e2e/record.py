"""Films the procedures and the refusals: `make record`, then open e2e/recordings/index.html, which needs no server.

Each run is kept, and compared with the baseline. Each recording has a video, a trace, a picture of every step with the
element that is acted on outlined, the requests and answers, and the outcome as JSON. See docs/qa.md for the variables.
"""

import os
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager

from playwright.sync_api import sync_playwright

from .browser import ensure_ffmpeg, launch_options
from .matrix import CELLS, HEIGHTS, REGIONS, Cell
from .portal import Sandbox, deployed_portal, running_portal
from .recording import compare, pages, results, runs
from .recording.take import Take, film
from .stories import REFUSALS, STORIES, Story

EVERY = (*STORIES, *REFUSALS)
NO_VIDEO = "There is no video: ffmpeg is not installed and could not be."
NO_VIDEO_IN = "There is no video: Playwright films in Chromium only."
NOT_WANTED = "There is no video, as VIDEO=0 asks."
DEVICES = {"desktop": "1280", "phone": "360"}
ENGINES = ("chromium", "firefox")


def chosen(variable: str, known: Collection[str]) -> Collection[str]:
    """The values of this environment variable, or all that are known."""
    value = os.environ.get(variable)
    if value and value not in known:
        raise SystemExit(f"{variable}={value} is unknown; use one of {', '.join(known)}.")
    return [value] if value else known


def cells(story: Story) -> list[Cell]:
    """The cells that the environment asks for.

    Unless it chooses among them, they are a desktop with scripts, and for each procedure a phone without.
    """
    locales, scripts, widths = chosen("LOCALE", REGIONS), chosen("SCRIPTS", "10"), chosen("WIDTH", [*map(str, HEIGHTS)])
    device = os.environ.get("DEVICE") and DEVICES[next(iter(chosen("DEVICE", DEVICES)))]
    known = [
        cell
        for cell in CELLS
        if cell.locale in locales and str(int(cell.scripts)) in scripts and str(cell.width) in widths
    ]
    if device:
        known = [cell for cell in known if str(cell.width) == device]
        return known if os.environ.get("SCRIPTS") else [cell for cell in known if cell.scripts]
    if any(os.environ.get(name) for name in ("SCRIPTS", "WIDTH", "ALL")):
        return known
    return [
        cell
        for cell in known
        if (cell.scripts and cell.width > 600) or (story in STORIES and not cell.scripts and cell.width < 600)
    ]


def portal() -> AbstractContextManager[Sandbox]:
    address = os.environ.get("URL")
    return deployed_portal(address) if address else running_portal()


def why_no_video(engine: str) -> str:
    """Empty if there is a video."""
    if os.environ.get("VIDEO") == "0":
        return NOT_WANTED
    if engine != "chromium":
        return NO_VIDEO_IN
    return "" if ensure_ffmpeg() else NO_VIDEO


def film_all(planned: Iterable[tuple[Story, Cell]], engine: str) -> tuple[runs.Run, list[Take], str]:
    """Films each story in its cell. Returns the run, the takes, and why there is no video."""
    planned, options = list(planned), launch_options(engine)
    without_video = why_no_video(engine)
    devices = [name for name, width in DEVICES.items() if any(str(cell.width) == width for _, cell in planned)]
    with portal() as sandbox, sync_playwright() as playwright:
        browser = getattr(playwright, engine).launch(**options)
        run = runs.start(f"{engine} {browser.version}", devices, os.environ.get("URL", ""))
        began = time.monotonic()
        takes = [Take(story, cell, run.folder, not without_video, engine) for story, cell in planned]
        for take in takes:
            film(browser, sandbox, take)
            outcome = ["failed", *take.problems] if take.problems else [f"{take.steps} steps"]
            print(f"{take.story.id} ({take.cell_id}):", "\n".join(outcome).replace("\n", "\n  "), flush=True)
        browser.close()
    run.seconds = round(time.monotonic() - began, 2)
    run.save()
    return run, takes, without_video


def main() -> int:
    """1 if a story failed, or if a step differs from the baseline and is not accepted."""
    ids = chosen("PROCEDURE", [story.id for story in EVERY])
    engine = os.environ.get("BROWSER") or ENGINES[0]
    if engine not in ENGINES:
        raise SystemExit(f"BROWSER={engine} is unknown; use one of {', '.join(ENGINES)}.")
    planned = [(story, cell) for story in EVERY if story.id in ids for cell in cells(story)]
    run, takes, without_video = film_all(planned, engine)
    results.write_results(run, takes)
    pages.write_run(run, takes, without_video)
    if os.environ.get("BASELINE"):
        print(f"Steps that are now the baseline: {compare.accept(run, ['all'])}")
    runs.prune(compare.sources())
    changes = pages.write_reports(run)
    print(*filter(None, [without_video]), f"e2e/recordings/index.html: run {run.id}", sep="\n")
    if changes:
        print(f"Steps that differ from the baseline: {len(changes)}. See e2e/recordings/{run.id}/changes.html.")
        print(*(f"  {change.kind}: {change.id}" for change in changes), sep="\n")
        print(f"To accept them: make accept RUN={run.id} STEPS=all")
    return any(take.problems for take in takes) or bool(changes)


if __name__ == "__main__":
    sys.exit(main())
