"""What no screen may do: an error, a policy violation, an axe violation, text that leaves the screen."""

import re
from pathlib import Path
from typing import ClassVar

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, ViewportSize

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What an open menu covers is no target until it closes.
RUN_AXE = """async rules => {
    const covered = document.querySelector("details.menu[open]") ? [["details.menu:not([open])"]] : [];
    return (await axe.run({exclude: covered}, {runOnly: rules})).violations;
}"""
ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|50[03])")
NARROWEST = 320
# What screens that are alike differ by: ids, addresses, tokens.
NAMES = re.compile(r"[0-9a-f]{8,}|[\w.-]{30,}")


def hear(context: BrowserContext, faults: list[str]) -> None:
    """Page errors, console errors and policy violations; the browser's note of a refusal's status is none."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not ANSWERED.match(message.text):
            faults.append(f"{message.location.get('url')}: {message.text}")

    context.on("console", on_console)
    context.on("weberror", lambda found: faults.append(f"Script: {found.error}"))


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA on the page as it stands."""
    page.wait_for_load_state()
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    found = page.evaluate(RUN_AXE, RULES)
    return [f"{page.url}: {one['id']} {[node['target'] for node in one['nodes']]}" for one in found]


def cut(page: Page) -> list[str]:
    """What is wider than the screen, or than its column."""
    page.wait_for_load_state()
    found = page.evaluate(
        """() => [document.documentElement.scrollWidth > innerWidth && "scrolls sideways",
            [...document.querySelectorAll(".amounts")].some(t => t.scrollWidth > t.parentNode.clientWidth)
                && "amounts are cut"].filter(Boolean)"""
    )
    return [f"{page.url} at {page.viewport_size and page.viewport_size['width']} px: {one}" for one in found]


class Inspector:
    """Looks at each screen of a walk once: axe and widths, at 320 px too where the walk is narrow, and the language.

    axe needs scripts. Where the walk has none, `mirror` (a page with them) shows the same markup without its scripts;
    without a mirror, axe is left out.
    """

    def __init__(self, page: Page, locale: str, faults: list[str], *, scripts: bool, mirror: Page | None) -> None:
        self.page, self.locale, self.faults, self.scripts, self.mirror = page, locale, faults, scripts, mirror
        self.seen = ""

    sound: ClassVar[set[str]] = set()  # screens that axe looked at in this run

    def __call__(self, _step: object = None, _acted: object = None) -> None:
        html = self.page.content()
        if html == self.seen:
            return
        self.seen = html
        size = self.page.viewport_size
        dark = self.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        alike = f"{size} {dark} {NAMES.sub('', html)}"
        if alike not in self.sound and (self.scripts or self.mirror):
            self.faults += violations(self._mirrored(self.mirror, html) if self.mirror else self.page)
            self.sound.add(alike)
        self.faults += cut(self.page)
        if size and size["width"] < 600:
            self.page.set_viewport_size(ViewportSize(width=NARROWEST, height=size["height"]))
            self.faults += cut(self.page)
            self.page.set_viewport_size(size)
        if self.page.evaluate("document.documentElement.lang") != self.locale:
            self.faults.append(f"{self.page.url}: not in {self.locale}")

    def _mirrored(self, mirror: Page, html: str) -> Page:
        url, body = self.page.url, re.sub(r"<script.*?</script>", "", html, flags=re.S)
        mirror.unroute_all()
        mirror.route(
            lambda asked: asked == url.partition("#")[0],
            lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"),
        )
        mirror.goto(url)
        return mirror
