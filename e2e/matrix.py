"""The matrix: each story in each language, with scripts and without, on a wide and on a narrow screen."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import pytest
from playwright.sync_api import ViewportSize

from .stories import REFUSALS, STORIES, Story

WHOLE = bool(os.environ.get("MATRIX"))
REGIONS = {"fr": "fr-FR", "en": "en-GB"}
HEIGHTS = {1280: 800, 360: 740}
LANGUAGES = pytest.mark.parametrize("locale", REGIONS)
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Cell:
    locale: str
    scripts: bool
    width: int

    @property
    def id(self) -> str:
        return f"{self.locale}-{'scripts' if self.scripts else 'none'}-{self.width}"

    @property
    def scheme(self) -> str:
        """Each language, each width, and scripts or none meet both colour schemes."""
        return "dark" if (self.locale == "en") != (self.width == 360) else "light"

    @property
    def size(self) -> ViewportSize:
        return ViewportSize(width=self.width, height=HEIGHTS[self.width])


CELLS = [Cell(*values) for values in product(REGIONS, (True, False), HEIGHTS)]


def _parity(cell: Cell) -> int:
    return ((cell.locale == "en") + (not cell.scripts) + (cell.width == 360)) % 2


def half(story: Story) -> list[Cell]:
    """The cells of the story that run without MATRIX=1.

    A procedure has four: an orthogonal array, in which every two dimensions meet in every combination. A refusal has
    two cells, which differ in all three dimensions. The next story takes other cells.
    """
    turn = (*STORIES, *REFUSALS).index(story)
    if story in STORIES:
        return [cell for cell in CELLS if _parity(cell) == turn % 2]
    return [CELLS[turn % 4], CELLS[7 - turn % 4]]


def in_the_matrix(stories: Sequence[Story]) -> Callable[[Function], Function]:
    """Runs the test for each story in half of its cells; in all of them with MATRIX=1, as `make matrix` sets."""
    walks = [
        pytest.param(story, cell, id=f"{story.id}-{cell.id}")
        for story in stories
        for cell in (CELLS if WHOLE else half(story))
    ]

    def mark(test: Function) -> Function:
        return pytest.mark.matrix(pytest.mark.parametrize(("story", "cell"), walks)(test))

    return mark
