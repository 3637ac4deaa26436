"""Films one story in one cell of the matrix."""

import json
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Error, Locator, Page, Response

from ..matrix import REGIONS, Cell
from ..portal import Sandbox
from ..stories import Sentence, Step, Story, Walk
from ..watcher import AXE, NAMES, Finding, findings, record_faults
from .masks import masks_of
from .wire import Exchange, exchange_of

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
# What fades or blinks in its own time is hidden. Playwright's own way is a style, which the pages' policy refuses.
STILL = """element => {
    element.style.setProperty("-webkit-tap-highlight-color", "transparent");
    element.style.setProperty("caret-color", "transparent");
}"""
LONGEST_KEY = 60


@dataclass
class Shot:
    """A documented step or result: its key and number, its picture, and what happened until the next one.

    The key comes from the English sentence, so it stays the same when steps are added before it.
    """

    step: Step
    key: str
    number: int
    page: str
    outlined: bool
    started: float
    masks: list[list[int]] = field(default_factory=list)
    seconds: float = 0
    exchanges: list[Exchange] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    axe: list[Finding] = field(default_factory=list)
    failure: str = ""

    @property
    def picture(self) -> str:
        return f"{self.key}.png"


@dataclass
class Take:
    """A story filmed in one cell of the matrix. `engine`, the browser, is in the id unless it is Chromium."""

    story: Story
    cell: Cell
    root: Path
    video: bool
    engine: str = "chromium"
    shots: list[Shot] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    failure: str = ""
    answers: list[Response] = field(default_factory=list)
    seconds: float = 0
    state: Any = None
    axe_seen: set[str] = field(default_factory=set)

    @property
    def cell_id(self) -> str:
        return self.cell.id if self.engine == "chromium" else f"{self.cell.id}-{self.engine}"

    @property
    def id(self) -> str:
        return f"{self.story.id}-{self.cell_id}"

    @property
    def folder(self) -> Path:
        return self.root / self.story.id / self.cell_id

    @property
    def problems(self) -> list[str]:
        return [*filter(None, [self.failure]), *self.console]

    @property
    def steps(self) -> int:
        return sum(not shot.step.seen for shot in self.shots)

    @property
    def phone(self) -> bool:
        return self.cell.width < 600

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def says(self, sentence: Sentence) -> str:
        return sentence.fr if self.cell.locale == "fr" else sentence.en

    def shoot(self, page: Page, step: Step, acted: Locator | None) -> None:
        self.end_step()
        number = self.steps + (not step.seen)
        shot = Shot(step, self._key(step), number, page.title(), acted is not None, time.monotonic())
        page.locator("html").evaluate(STILL)
        if acted:
            acted.scroll_into_view_if_needed()
            acted.evaluate(OUTLINE, LINE)
        page.screenshot(path=self.folder / shot.picture, animations="allow", caret="initial", scale="css")
        shot.masks = masks_of(page)
        self.shots.append(shot)
        if self.video:
            self._caption(page, self.says(step.says) if step.seen else f"{shot.number}. {self.says(step.says)}")
        if acted:
            acted.evaluate(OUTLINE, "")
        if self.cell.scripts:  # axe needs scripts
            self._check_screen(page, shot)

    def _key(self, step: Step) -> str:
        words = re.sub(r"[^a-z0-9]+", "-", step.says.en.lower()).strip("-")[:LONGEST_KEY].strip("-")
        same = sum(shot.key == words or re.fullmatch(rf"{words}-\d+", shot.key) is not None for shot in self.shots)
        return f"{words}-{same + 1}" if same else words

    def _check_screen(self, page: Page, shot: Shot) -> None:
        """Screens that differ only by names are checked once."""
        screen = NAMES.sub("", page.content())
        if screen not in self.axe_seen:
            self.axe_seen.add(screen)
            shot.axe = findings(page)

    def _caption(self, page: Page, text: str) -> None:
        svg = quote(CAPTION.format(text=escape(text), font=15 if self.phone else 21, **self.cell.size))
        image = f'<img src="data:image/svg+xml,{svg}" alt="">'
        page.screencast.show_overlay(image, duration=1200 + 25 * len(text))  # milliseconds to read it

    def end_step(self) -> None:
        """Requests and messages of the console since the last picture belong to that picture's step."""
        answers, self.answers[:] = list(self.answers), []
        if self.shots:
            last = self.shots[-1]
            last.seconds = round(time.monotonic() - last.started, 2)
            last.exchanges += [exchange for answer in answers if (exchange := exchange_of(answer))]
            last.console += self.console[sum(len(shot.console) for shot in self.shots) :]

    def keep(self, state: object) -> None:
        self.state = state
        text = json.dumps(state, indent=2, ensure_ascii=False)
        (self.folder / "state.json").write_text(text + "\n", encoding="utf-8")

    def fail(self, page: Page, error: Exception) -> None:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "stories" in frame.filename]
        where = f"{frames[-1].line}\n" if frames else ""
        self.failure = f"{where}{type(error).__name__}: {error}".strip()
        if self.shots:
            self.shots[-1].failure = self.failure
        if page.url != "about:blank":
            with suppress(Error):
                page.screenshot(path=self.folder / "failure.png")


@contextmanager
def rolling(page: Page, take: Take) -> Iterator[None]:
    """Starts the video and the trace; the video first, or it has the trace's smaller size."""
    if take.video:
        page.screencast.start(path=take.folder / "video.webm", size=take.cell.size)
        if take.cell.scripts:  # the highlight of an action waits for a timer of the page
            highlight = f"outline: {LINE}; border-radius: 7px"
            page.screencast.show_actions(cursor="none", style={"title": "display: none", "highlight": highlight})
    title = take.says(take.story.title)
    page.context.tracing.start(title=title, snapshots=True, screenshots=True, sources=True)
    try:
        yield
    finally:
        page.context.tracing.stop(path=take.folder / "trace.zip")
        if take.video:
            page.screencast.stop()


def context_options(take: Take) -> dict[str, Any]:
    """A narrow screen is a phone's: it has touch, and lays pages out as phones do, where the browser can."""
    options: dict[str, Any] = {
        "locale": REGIONS[take.cell.locale],
        "viewport": take.cell.size,
        "java_script_enabled": take.cell.scripts,
        "color_scheme": "light",
        "reduced_motion": "reduce",
    }
    if take.phone and take.engine == "chromium":
        options |= {"has_touch": True, "is_mobile": True}
    return options


def film(browser: Browser, sandbox: Sandbox, take: Take) -> None:
    take.folder.mkdir(parents=True)
    started = time.monotonic()
    context = browser.new_context(**context_options(take))
    if take.cell.scripts:
        context.add_init_script(AXE)
    record_faults(context, take.console)
    page = context.new_page()
    try:
        account = sandbox.account(take.story.scenario)
        touch = take.phone and take.engine == "chromium"
        watch = partial(take.shoot, page)
        walk = Walk(page, sandbox, take.cell.locale, account, take.cell.scripts, watch=watch, touch=touch)
        try:
            walk.sign_in()
            page.on("response", lambda answer: take.answers.append(answer))
            with rolling(page, take):
                try:
                    take.story.walk(walk)
                finally:
                    take.end_step()
            assert take.shots, "the story showed no step"
        finally:
            take.keep(walk.state())
    except Exception as error:
        take.fail(page, error)
    context.close()
    take.seconds = round(time.monotonic() - started, 2)
