"""The checks of a screen: errors, policy violations, axe, widths, the size of targets, the message area."""

import re
from pathlib import Path
from typing import ClassVar, TypedDict

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, ViewportSize, expect

from .stories import Walk

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# An open menu covers what is under it, which is no target until the menu closes.
RUN_AXE = """async rules => {
    const covered = document.querySelector("details.menu[open]") ? [["details.menu:not([open])"]] : [];
    return (await axe.run({exclude: covered}, {runOnly: rules})).violations;
}"""
REFUSED_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|50[03])")
PLAYWRIGHTS_STYLE = "sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT+SmwNZWA="  # `body {}`, at a picture in Firefox
NARROWEST = 320
# Ids, addresses and tokens, by which two screens that look the same differ.
NAMES = re.compile(r"[0-9a-f]{8,}|[\w.-]{30,}")
SCROLLS_SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"
SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, input, select, summary, textarea")]
.filter(element => {
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    const inSentence = element.localName === "a" && style.display === "inline"; // 2.5.8 excepts these
    const shown = element.checkVisibility({visibilityProperty: true}) && box.width && !element.closest(".skip");
    const ticked = element.matches("label input, :is([type=checkbox], [type=radio])"); // its label is the target
    return shown && !inSentence && !ticked && (box.width < 24 || box.height < 24);
}).map(element => element.outerHTML.slice(0, 100))"""


class Finding(TypedDict):
    """A rule of axe that a screen breaks, and where."""

    rule: str
    impact: str
    help: str
    address: str
    targets: list[str]


def record_faults(context: BrowserContext, faults: list[str]) -> None:
    """Records page errors, console errors and policy violations. The browser also logs the status of each refusal,
    which is no fault.
    """

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not REFUSED_STATUS.match(message.text):
            faults.append(f"{message.location.get('url')}: {message.text}")

    def on_error(text: str) -> None:
        if PLAYWRIGHTS_STYLE not in text:
            faults.append(f"Script: {text}")

    context.on("console", on_console)
    context.on("weberror", lambda web_error: on_error(str(web_error.error)))


def findings(page: Page) -> list[Finding]:
    """The violations of WCAG 2.2 AA that axe finds on the page as it stands."""
    page.wait_for_load_state()
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    return [
        Finding(
            rule=violation["id"],
            impact=violation["impact"] or "",
            help=violation["help"],
            address=violation["helpUrl"],
            targets=[" ".join(map(str, node["target"])) for node in violation["nodes"]],
        )
        for violation in page.evaluate(RUN_AXE, RULES)
    ]


def violations(page: Page) -> list[str]:
    """The same as sentences."""
    return [f"{page.url}: {finding['rule']} {finding['targets']}" for finding in findings(page)]


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate(SCROLLS_SIDEWAYS))


def too_wide(page: Page) -> list[str]:
    """What is wider than the screen, or than its column."""
    page.wait_for_load_state()
    faults = page.evaluate(
        """() => [document.documentElement.scrollWidth > innerWidth && "scrolls sideways",
            [...document.querySelectorAll(".amounts")].some(t => t.scrollWidth > t.parentNode.clientWidth)
                && "amounts are cut"].filter(Boolean)"""
    )
    return [f"{page.url} at {page.viewport_size and page.viewport_size['width']} px: {fault}" for fault in faults]


def page_faults(page: Page) -> list[str]:
    """The faults of the page as it stands: axe, the message area, sideways scrolling, small targets."""
    faults = violations(page)
    if page.evaluate("document.querySelectorAll('#flash[role=status]').length") != 1:
        faults.append(f"{page.url}: not exactly one message area")
    if scrolls_sideways(page):
        faults.append(f"{page.url}: scrolls sideways")
    return faults + [f"{page.url}: small {target}" for target in page.evaluate(SMALL_TARGETS)]


def inspect_screen(walk: Walk, heading: str) -> None:
    """Checks the screen with this heading: axe, where scripts run, and widths, also at 320 px."""
    expect(walk.page.get_by_role("heading", level=1)).to_have_text(heading)
    if walk.scripts:
        assert violations(walk.page) == []
    assert too_wide(walk.page) == []
    walk.page.set_viewport_size({"width": NARROWEST, "height": 800})
    assert too_wide(walk.page) == []
    walk.page.set_viewport_size({"width": 1280, "height": 800})


def expect_forbidden(walk: Walk, address: str) -> None:
    """The portal answers 403, changes nothing, and says why."""
    answer = walk.page.goto(address)
    assert answer
    assert answer.status == 403
    walk.heading("Refused")
    assert walk.payments() == []
    assert [subscription["changes"] for subscription in walk.state()["subscriptions"] if subscription["changes"]] == []


class Inspector:
    """Checks each screen of a walk once: axe, widths (at 320 px too where the walk is narrow), and the language.

    axe needs scripts. Where the walk has none, `mirror`, a page with scripts, shows the same markup without the page's
    own scripts. Without a mirror, axe is left out.
    """

    checked_with_axe: ClassVar[set[str]] = set()  # in this run: screens that differ only by names are checked once

    def __init__(self, page: Page, locale: str, faults: list[str], *, scripts: bool, mirror: Page | None) -> None:
        self.page, self.locale, self.faults, self.scripts, self.mirror = page, locale, faults, scripts, mirror
        self.last_html = ""

    def __call__(self, _step: object = None, _acted: object = None) -> None:
        html = self.page.content()
        if html == self.last_html:
            return
        self.last_html = html
        size = self.page.viewport_size
        dark = self.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        screen = f"{size} {dark} {NAMES.sub('', html)}"
        if screen not in self.checked_with_axe and (self.scripts or self.mirror):
            self.faults += violations(self._mirrored(self.mirror, html) if self.mirror else self.page)
            self.checked_with_axe.add(screen)
        self.faults += too_wide(self.page)
        if size and size["width"] < 600:
            self.page.set_viewport_size(ViewportSize(width=NARROWEST, height=size["height"]))
            self.faults += too_wide(self.page)
            self.page.set_viewport_size(size)
        if self.page.evaluate("document.documentElement.lang") != self.locale:
            self.faults.append(f"{self.page.url}: not in {self.locale}")

    def _mirrored(self, mirror: Page, html: str) -> Page:
        url, body = self.page.url, re.sub(r"<script.*?</script>", "", html, flags=re.S)
        mirror.unroute_all()
        mirror.route(
            lambda requested: requested == url.partition("#")[0],
            lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"),
        )
        mirror.goto(url)
        return mirror
