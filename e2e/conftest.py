"""One portal for the browser tests, and pages that fail on any error the browser reports."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from .browser import launch_options
from .portal import Sandbox, running_portal
from .stories import Walk

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|500)")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    return launch_options()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with running_portal() as portal:
        yield portal


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """Page errors, console errors and policy violations; a refusal's status is none."""
    found: list[str] = []
    yield found
    assert found == []


Begin = Callable[..., Walk]


@pytest.fixture
def begin(sandbox: Sandbox, new_context: Callable[..., BrowserContext], faults: list[str]) -> Begin:
    """`begin("business", locale="en", scripts=False, width=360)`: a fresh account, its owner signed in."""

    def start(
        scenario: str, *, locale: str = "fr", scripts: bool = True, portal: Sandbox = sandbox, **given: Any
    ) -> Walk:
        context = new_context(
            locale={"fr": "fr-FR", "en": "en-GB"}[locale],
            java_script_enabled=scripts,
            viewport={"width": given.pop("width", 1280), "height": 800},
            **given,
        )
        page = watched(context.new_page(), faults)
        walk = Walk(page, portal, locale, portal.account(scenario), scripts=scripts)
        walk.sign_in()
        return walk

    return start


def watched(page: Page, faults: list[str]) -> Page:
    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not ANSWERED.match(message.text):
            faults.append(f"{page.url}: {message.text}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    return page


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA on the page as it stands."""
    page.evaluate(AXE.read_text())
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("async rules => (await axe.run({runOnly: rules})).violations", rules)
    return [f"{page.url}: {one['id']} {[node['target'] for node in one['nodes']]}" for one in found]
