"""Add seats: the documented steps, and the refusals."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import Cell, in_the_matrix
from .stories import Story, add


@in_the_matrix(add.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@in_the_matrix(add.REFUSALS)
def test_a_refusal_and_the_way_on(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@pytest.mark.parametrize("seats", ["12", "10001"])
def test_no_seat_more_or_too_many_are_refused(begin: Begin, seats: str) -> None:
    walk = begin("business")
    walk.page.goto(walk.address("/add"))
    walk.labelled("seats").fill(seats)
    walk.button("Continue").click()
    expect(walk.alert()).to_be_focused()
    expect(walk.labelled("seats")).to_have_attribute("aria-invalid", "true")
    expect(walk.labelled("seats")).to_have_value(seats)
