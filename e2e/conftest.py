"""One portal for the browser tests, and pages that fail on any error the browser reports."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from .browser import launch_options
from .matrix import REGIONS, WHOLE
from .portal import Sandbox, running_portal
from .stories import Walk
from .watcher import Inspector, hear


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    return launch_options()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with running_portal() as portal:
        yield portal


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What `e2e.watcher` finds; there is to be nothing."""
    found: list[str] = []
    yield found
    assert found == []


Begin = Callable[..., Walk]


@pytest.fixture
def begin(sandbox: Sandbox, new_context: Callable[..., BrowserContext], faults: list[str]) -> Begin:
    """`begin("business", locale="en", scripts=False, width=360)`: a fresh account, its owner signed in.

    `inspected`: widths and language are looked at after each step, and axe: without scripts, in the whole matrix.
    """

    def start(
        scenario: str, *, locale: str = "fr", scripts: bool = True, portal: Sandbox = sandbox, width: int = 1280,
        inspected: bool = False, **given: Any,
    ) -> Walk:  # fmt: skip
        given = {"viewport": {"width": width, "height": 800}, **given}
        context = new_context(locale=REGIONS[locale], java_script_enabled=scripts, **given)
        hear(context, faults)
        walk = Walk(context.new_page(), portal, locale, portal.account(scenario), scripts=scripts)
        if inspected:
            mirrored = WHOLE and not scripts
            mirror = new_context(locale=REGIONS[locale], **given).new_page() if mirrored else None
            walk.watch = Inspector(walk.page, locale, faults, scripts=scripts, mirror=mirror)
        walk.sign_in()
        return walk

    return start
