"""Films the documented procedures in both languages: `make record`, then open e2e/recordings/index.html.

Each story leaves a video, a trace, a picture of every step with what is acted on outlined, and the outcome as JSON.
PROCEDURE=renew and LOCALE=en keep to that one.
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
from urllib.parse import quote

from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, ViewportSize, sync_playwright

from .browser import ensure_ffmpeg, launch_options
from .portal import ROOT, Sandbox, running_portal
from .stories import STORIES, Story, Walk

OUT = ROOT / "e2e" / "recordings"
REGIONS = {"fr": "fr_FR", "en": "en_GB"}
SIZE = ViewportSize(width=1280, height=800)
NO_VIDEO = "There is no video: no ffmpeg could be had to record one with."

# The pages' policy refuses styles in markup: outlines are set through the object model, and a caption is a picture.
LINE = "3px solid #d9480f"
OUTLINE = """(element, outline) => {
    const shown = element.closest("label") ?? element;
    Object.assign(shown.style, outline ? {outline, outlineOffset: "2px"} : {outline: "", outlineOffset: ""});
}"""
CAPTION = """<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="800"><foreignObject width="1280" height="800">
<div xmlns="http://www.w3.org/1999/xhtml" style="display: flex; align-items: end; height: 800px">
<p style="flex: 1; margin: 0; padding: 14px 32px; background: #14201a; color: #fff; text-align: center;
font: 600 21px/1.35 system-ui, sans-serif">{}</p></div></foreignObject></svg>"""


@dataclass
class Shot:
    """A documented step: its sentence, its picture, and the title of the page that the picture shows."""

    sentence: str
    picture: str
    page: str
    outlined: bool


@dataclass
class Take:
    """A story filmed in one language."""

    story: Story
    locale: str
    video: bool
    shots: list[Shot] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    state: Any = None

    @property
    def folder(self) -> Path:
        return OUT / self.story.id / self.locale

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def shoot(self, page: Page, sentence: str, acted: Locator | None) -> None:
        shot = Shot(sentence, f"step-{len(self.shots) + 1:02}.png", page.title(), acted is not None)
        if acted:
            acted.scroll_into_view_if_needed()
            acted.evaluate(OUTLINE, LINE)
        page.screenshot(path=self.folder / shot.picture)
        self.shots.append(shot)
        if self.video:
            caption = quote(CAPTION.format(escape(f"{len(self.shots)}. {sentence}")))
            time_to_read = 1200 + 25 * len(sentence)
            page.screencast.show_overlay(f'<img src="data:image/svg+xml,{caption}" alt="">', duration=time_to_read)
        if acted:
            acted.evaluate(OUTLINE, "")

    def keep(self, state: object) -> None:
        self.state = state
        text = json.dumps(state, indent=2, ensure_ascii=False)
        (self.folder / "state.json").write_text(text + "\n", encoding="utf-8")

    def hear(self, message: ConsoleMessage) -> None:
        refusal = re.search(r"status of (409|422)\b", message.text)  # the browser's own note; a story may be about one
        if message.type == "error" and not refusal:
            self.problems.append(f"Console: {message.text}")

    def fail(self, page: Page, error: Exception) -> None:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith("stories.py")]
        where = f"{frames[-1].line}\n" if frames else ""
        self.problems.insert(0, f"{where}{type(error).__name__}: {error}".strip())
        if page.url != "about:blank":
            with suppress(Error):
                page.screenshot(path=self.folder / "failure.png")


@contextmanager
def rolling(page: Page, take: Take) -> Iterator[None]:
    """The camera and the trace; the camera first, or the trace's smaller picture is what it takes."""
    if take.video:
        page.screencast.start(path=take.folder / "video.webm", size=SIZE)
        page.screencast.show_actions(
            cursor="none", style={"title": "display: none", "highlight": f"outline: {LINE}; border-radius: 7px"}
        )
    page.context.tracing.start(title=take.story.title[take.locale], screenshots=True, snapshots=True)
    try:
        yield
    finally:
        page.context.tracing.stop(path=take.folder / "trace.zip")
        if take.video:
            page.screencast.stop()


def film(browser: Browser, sandbox: Sandbox, take: Take) -> None:
    take.folder.mkdir(parents=True)
    context = browser.new_context(locale=REGIONS[take.locale].replace("_", "-"), viewport=SIZE)
    context.on("console", take.hear)
    context.on("weberror", lambda found: take.problems.append(f"Script: {found.error}"))
    page = context.new_page()
    try:
        account = sandbox.account(take.story.scenario)
        walk = Walk(page, sandbox, take.locale, account, watch=partial(take.shoot, page))
        try:
            walk.sign_in()
            with rolling(page, take):
                take.story.walk(walk)
            assert take.shots, "the story showed no step"
        finally:
            take.keep(walk.state())
    except Exception as error:
        take.fail(page, error)
    context.close()


def money(cents: int, currency: str, locale: str) -> str:
    return format_currency(Decimal(cents).scaleb(-2), currency, locale=REGIONS[locale])


def day(iso: str, locale: str, back: int = 0) -> str:
    """Ends are exclusive in the state: `back=1` gives the last day included."""
    found = date.fromisoformat(iso) - timedelta(days=back)
    return format_date(found, "d MMMM y", locale=REGIONS[locale]).replace(" ", "\u00a0")


def write_index(takes: list[Take], without_video: str) -> Path:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters.update(money=money, day=day)
    index = OUT / "index.html"
    folder = OUT.relative_to(ROOT).as_posix()
    index.write_text(
        pages.get_template("recording.html").render(takes=takes, without_video=without_video, folder=folder),
        encoding="utf-8",
    )
    return index.relative_to(ROOT)


def chosen(variable: str, known: Collection[str]) -> Collection[str]:
    given = os.environ.get(variable)
    if given and given not in known:
        raise SystemExit(f"{variable}={given} is unknown: there is {', '.join(known)}.")
    return [given] if given else known


def main() -> int:
    ids, locales = chosen("PROCEDURE", [story.id for story in STORIES]), chosen("LOCALE", REGIONS)
    options, video = launch_options(), ensure_ffmpeg()
    takes = [Take(story, locale, video) for story in STORIES if story.id in ids for locale in locales]
    shutil.rmtree(OUT, ignore_errors=True)
    with running_portal() as sandbox, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)  # type: ignore[arg-type]
        for take in takes:
            film(browser, sandbox, take)
            told = ["failed", *take.problems] if take.problems else [f"{len(take.shots)} steps"]
            print(f"{take.story.id} ({take.locale}):", "\n".join(told).replace("\n", "\n  "), flush=True)
    without_video = "" if video else NO_VIDEO
    print(*filter(None, [without_video, write_index(takes, without_video)]), sep="\n")
    return any(take.problems for take in takes)


if __name__ == "__main__":
    sys.exit(main())
