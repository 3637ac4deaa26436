"""The portal that the browser tests share, and walks whose pages fail the test on any error the browser reports."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from .browser import launch_options
from .matrix import REGIONS, WHOLE, Cell
from .portal import Sandbox, running_portal
from .stories import REFUSALS, STORIES, Story, Walk
from .watcher import Inspector, record_faults


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    return launch_options()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with running_portal() as portal:
        yield portal


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """The faults that `e2e.watcher` records; the test fails if any is left at its end."""
    recorded: list[str] = []
    yield recorded
    assert recorded == []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make matrix PROCEDURE=renew` walks this story only."""
    wanted = os.environ.get("PROCEDURE")
    if not (WHOLE and wanted):
        return
    known = [story.id for story in (*STORIES, *REFUSALS)]
    if wanted not in known:
        raise pytest.UsageError(f"PROCEDURE={wanted} is unknown; use one of {', '.join(known)}.")
    kept = [item for item in items if _story_of(item) == wanted]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _story_of(item: pytest.Item) -> str | None:
    call = getattr(item, "callspec", None)
    walked = call.params.get("story") if call else None
    return walked.id if isinstance(walked, Story) else None


Begin = Callable[..., Walk]
WalkStory = Callable[[Story, Cell], None]


@pytest.fixture
def begin(sandbox: Sandbox, new_context: Callable[..., BrowserContext], faults: list[str]) -> Begin:
    """`begin("business", locale="en", scripts=False, width=360)` makes an account and signs its owner in.

    With `inspected`, each step is checked for its widths, its language and with axe. axe needs scripts: a walk without
    them is checked with axe in the whole matrix only.
    """

    def start(
        scenario: str,
        *,
        locale: str = "fr",
        scripts: bool = True,
        portal: Sandbox = sandbox,
        width: int = 1280,
        inspected: bool = False,
        **options: Any,
    ) -> Walk:
        options = {"viewport": {"width": width, "height": 800}, **options}
        context = new_context(locale=REGIONS[locale], java_script_enabled=scripts, **options)
        record_faults(context, faults)
        walk = Walk(context.new_page(), portal, locale, portal.account(scenario), scripts=scripts)
        if inspected:
            mirrored = WHOLE and not scripts
            mirror = new_context(locale=REGIONS[locale], **options).new_page() if mirrored else None
            walk.watch = Inspector(walk.page, locale, faults, scripts=scripts, mirror=mirror)
        walk.sign_in()
        return walk

    return start


@pytest.fixture
def walk_story(begin: Begin) -> WalkStory:
    """Walks a story in a cell of the matrix, and inspects every screen."""

    def walk(story: Story, cell: Cell) -> None:
        story.walk(
            begin(
                story.scenario,
                locale=cell.locale,
                scripts=cell.scripts,
                viewport=cell.size,
                color_scheme=cell.scheme,
                inspected=True,
            )
        )

    return walk
