"""Add seats: the documented steps, and the refusals."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import Cell, in_the_matrix
from .stories import Story, add
from .watcher import expect_forbidden


@in_the_matrix(add.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@in_the_matrix(add.REFUSALS)
def test_a_refusal_and_the_way_on(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@pytest.mark.parametrize(
    ("scenario", "plan", "reason"),
    [("enterprise", "enterprise", "Seul le responsable de votre compte"), ("third-party", "business", "Nordlys Data")],
)
def test_a_subscription_that_others_manage_is_refused(begin: Begin, scenario: str, plan: str, reason: str) -> None:
    walk = begin(scenario)
    expect_forbidden(walk, walk.address("/add", plan))
    expect(walk.page.get_by_role("main")).to_contain_text(reason)


@pytest.mark.parametrize("seats", ["12", "10001"])
def test_no_seat_more_or_too_many_are_refused(begin: Begin, seats: str) -> None:
    walk = begin("business")
    walk.page.goto(walk.address("/add"))
    walk.labelled("seats").fill(seats)
    walk.button("Continue").click()
    expect(walk.alert()).to_be_focused()
    expect(walk.labelled("seats")).to_have_attribute("aria-invalid", "true")
    expect(walk.labelled("seats")).to_have_value(seats)
