"""Films the procedures and the refusals: `make record`, then open e2e/recordings/index.html, which needs no server.

Each take leaves a video, a trace, a picture of every step with the element that is acted on outlined, the requests and
answers, and the outcome as JSON. PROCEDURE=renew, LOCALE=en, SCRIPTS=0 and WIDTH=360 film only those; ALL=1 films every
cell.
"""

import json
import os
import re
import shutil
import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser, Error, Locator, Page, Response, sync_playwright

from .browser import ensure_ffmpeg, launch_options
from .matrix import CELLS, HEIGHTS, REGIONS, Cell
from .portal import ROOT, Sandbox, running_portal
from .stories import REFUSALS, STORIES, Sentence, Step, Story, Walk
from .watcher import record_faults

OUT = ROOT / "e2e" / "recordings"
EVERY = (*STORIES, *REFUSALS)
NO_VIDEO = "There is no video: ffmpeg is not installed and could not be."
LONG_ID = re.compile(r"\b([0-9a-f]{4})[0-9a-f]{8,}\b")
LONGEST_FRAGMENT = 4000  # characters of a fragment that are shown

# The pages' policy refuses styles in markup: outlines are set through the object model, and a caption is a picture.
LINE = "3px solid #d9480f"
OUTLINE = """(element, outline) => {
    const shown = element.closest("label") ?? element;
    Object.assign(shown.style, outline ? {outline, outlineOffset: "2px"} : {outline: "", outlineOffset: ""});
}"""
CAPTION = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">
<foreignObject width="{width}" height="{height}">
<div xmlns="http://www.w3.org/1999/xhtml" style="display: flex; align-items: end; height: {height}px">
<p style="flex: 1; margin: 0; padding: 14px 5%; background: #14201a; color: #fff; text-align: center;
font: 600 {font}px/1.35 system-ui, sans-serif">{text}</p></div></foreignObject></svg>"""


@dataclass(frozen=True)
class Exchange:
    """A request and its answer; `bytes` on the wire, `form` as sent, `fragment` as htmx received it."""

    method: str
    path: str
    form: str
    status: int
    bytes: int
    ms: int
    fragment: str


@dataclass
class Shot:
    """A documented step or result: its number, its picture, the title of the page, and the requests that followed."""

    step: Step
    number: int
    picture: str
    page: str
    outlined: bool
    exchanges: list[Exchange] = field(default_factory=list)


@dataclass
class Take:
    """A story filmed in one cell of the matrix."""

    story: Story
    cell: Cell
    video: bool
    shots: list[Shot] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    state: Any = None

    @property
    def id(self) -> str:
        return f"{self.story.id}-{self.cell.id}"

    @property
    def folder(self) -> Path:
        return OUT / self.story.id / self.cell.id

    @property
    def steps(self) -> int:
        return sum(not shot.step.seen for shot in self.shots)

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def says(self, sentence: Sentence) -> str:
        return sentence.fr if self.cell.locale == "fr" else sentence.en

    def shoot(self, page: Page, step: Step, acted: Locator | None) -> None:
        self.note_exchanges()
        name = f"step-{len(self.shots) + 1:02}.png"
        shot = Shot(step, self.steps + (not step.seen), name, page.title(), acted is not None)
        if acted:
            acted.scroll_into_view_if_needed()
            acted.evaluate(OUTLINE, LINE)
        page.screenshot(path=self.folder / name)
        self.shots.append(shot)
        if self.video:
            self._caption(page, self.says(step.says) if step.seen else f"{shot.number}. {self.says(step.says)}")
        if acted:
            acted.evaluate(OUTLINE, "")

    def _caption(self, page: Page, text: str) -> None:
        svg = quote(CAPTION.format(text=escape(text), font=21 if self.cell.width > 600 else 15, **self.cell.size))
        image = f'<img src="data:image/svg+xml,{svg}" alt="">'
        page.screencast.show_overlay(image, duration=1200 + 25 * len(text))  # milliseconds to read it

    def note_exchanges(self) -> None:
        """Requests since the last picture belong to that picture's step."""
        answers, self.answers[:] = list(self.answers), []
        if self.shots:
            self.shots[-1].exchanges += [exchange for answer in answers if (exchange := exchange_of(answer))]

    def keep(self, state: object) -> None:
        self.state = state
        text = json.dumps(state, indent=2, ensure_ascii=False)
        (self.folder / "state.json").write_text(text + "\n", encoding="utf-8")

    def fail(self, page: Page, error: Exception) -> None:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "stories" in frame.filename]
        where = f"{frames[-1].line}\n" if frames else ""
        self.problems.insert(0, f"{where}{type(error).__name__}: {error}".strip())
        if page.url != "about:blank":
            with suppress(Error):
                page.screenshot(path=self.folder / "failure.png")


def exchange_of(answer: Response) -> Exchange | None:
    """None for styles and scripts."""
    request, address = answer.request, urlsplit(answer.url)
    if request.resource_type not in ("document", "fetch", "xhr"):
        return None
    length, fragment = 0, ""
    with suppress(Error):  # a redirect has no body
        length = request.sizes()["responseBodySize"]
        if request.resource_type != "document":
            fragment = re.sub(r"\n\s*\n", "\n", answer.text()).strip()[:LONGEST_FRAGMENT]
    sent = [(name, value) for name, value in parse_qsl(request.post_data or "") if name != "csrf_token"]
    path = LONG_ID.sub(r"\1…", address.path) + (f"?{address.query}" if address.query else "")
    timing = request.timing
    taken = round(max(timing["responseStart"], timing["responseEnd"]) - max(0, timing["requestStart"]))
    return Exchange(request.method, path, urlencode(sent, safe="/@"), answer.status, length, taken, fragment)


@contextmanager
def rolling(page: Page, take: Take) -> Iterator[None]:
    """Starts the video and the trace; the video first, or it has the trace's smaller size."""
    if take.video:
        page.screencast.start(path=take.folder / "video.webm", size=take.cell.size)
        if take.cell.scripts:  # the highlight of an action waits for a timer of the page
            highlight = f"outline: {LINE}; border-radius: 7px"
            page.screencast.show_actions(cursor="none", style={"title": "display: none", "highlight": highlight})
    page.context.tracing.start(title=take.says(take.story.title), snapshots=True)
    try:
        yield
    finally:
        page.context.tracing.stop(path=take.folder / "trace.zip")
        if take.video:
            page.screencast.stop()


def film(browser: Browser, sandbox: Sandbox, take: Take) -> None:
    take.folder.mkdir(parents=True)
    cell = take.cell
    context = browser.new_context(
        locale=REGIONS[cell.locale], viewport=cell.size, java_script_enabled=cell.scripts, color_scheme="light"
    )
    record_faults(context, take.problems)
    page = context.new_page()
    try:
        account = sandbox.account(take.story.scenario)
        walk = Walk(page, sandbox, cell.locale, account, cell.scripts, watch=partial(take.shoot, page))
        try:
            walk.sign_in()
            page.on("response", lambda answer: take.answers.append(answer))
            with rolling(page, take):
                take.story.walk(walk)
            take.note_exchanges()
            assert take.shots, "the story showed no step"
        finally:
            take.keep(walk.state())
    except Exception as error:
        take.fail(page, error)
    context.close()


def money(cents: int, currency: str, locale: str) -> str:
    return format_currency(Decimal(cents).scaleb(-2), currency, locale=REGIONS[locale].replace("-", "_"))


def day(iso: str, locale: str, back: int = 0) -> str:
    """Ends are exclusive in the state: `back=1` gives the last day included."""
    shown = date.fromisoformat(iso) - timedelta(days=back)
    return format_date(shown, "d MMMM y", locale=REGIONS[locale].replace("-", "_")).replace(" ", "\u00a0")


def write_index(takes: list[Take], without_video: str) -> Path:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters.update(money=money, day=day)
    index = OUT / "index.html"
    folder = OUT.relative_to(ROOT).as_posix()
    index.write_text(
        pages.get_template("recording.html").render(
            takes=takes, stories=EVERY, without_video=without_video, folder=folder
        ),
        encoding="utf-8",
    )
    return index.relative_to(ROOT)


def chosen(variable: str, known: Collection[str]) -> Collection[str]:
    """The values of this environment variable, or all that are known."""
    value = os.environ.get(variable)
    if value and value not in known:
        raise SystemExit(f"{variable}={value} is unknown; use one of {', '.join(known)}.")
    return [value] if value else known


def cells(story: Story) -> list[Cell]:
    """The cells that the environment asks for; else scripts on a wide screen, and each procedure on a phone without."""
    locales, scripts, widths = chosen("LOCALE", REGIONS), chosen("SCRIPTS", "10"), chosen("WIDTH", [*map(str, HEIGHTS)])
    known = [
        cell
        for cell in CELLS
        if cell.locale in locales and str(int(cell.scripts)) in scripts and str(cell.width) in widths
    ]
    if any(os.environ.get(name) for name in ("SCRIPTS", "WIDTH", "ALL")):
        return known
    phone = story in STORIES and not os.environ.get("LOCALE")
    return [
        cell
        for cell in known
        if (cell.scripts and cell.width > 600) or (phone and not cell.scripts and cell.width < 600)
    ]


def main() -> int:
    ids = chosen("PROCEDURE", [story.id for story in EVERY])
    options, video = launch_options(), ensure_ffmpeg()
    takes = [Take(story, cell, video) for story in EVERY if story.id in ids for cell in cells(story)]
    shutil.rmtree(OUT, ignore_errors=True)
    with running_portal() as sandbox, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)  # type: ignore[arg-type]
        for take in takes:
            film(browser, sandbox, take)
            outcome = ["failed", *take.problems] if take.problems else [f"{take.steps} steps"]
            print(f"{take.story.id} ({take.cell.id}):", "\n".join(outcome).replace("\n", "\n  "), flush=True)
    without_video = "" if video else NO_VIDEO
    print(*filter(None, [without_video, write_index(takes, without_video)]), sep="\n")
    return any(take.problems for take in takes)


if __name__ == "__main__":
    sys.exit(main())
