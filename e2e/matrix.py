"""In how many ways a story is walked: language, scripts or none, and the width of the screen."""

import os
from dataclasses import dataclass
from itertools import product

import pytest
from playwright.sync_api import ViewportSize

from .stories import REFUSALS, STORIES, Story

WHOLE = bool(os.environ.get("MATRIX"))
REGIONS = {"fr": "fr-FR", "en": "en-GB"}
HEIGHTS = {1280: 800, 360: 740}
LANGUAGES = pytest.mark.parametrize("locale", REGIONS)
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


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
        """Each language, width and kind of walk meets both schemes."""
        return "dark" if (self.locale == "en") != (self.width == 360) else "light"

    @property
    def size(self) -> ViewportSize:
        return ViewportSize(width=self.width, height=HEIGHTS[self.width])


CELLS = [Cell(*values) for values in product(REGIONS, (True, False), HEIGHTS)]


def _odd(cell: Cell) -> int:
    return ((cell.locale == "en") + (not cell.scripts) + (cell.width == 360)) % 2


def half(story: Story) -> list[Cell]:
    """The cells that `make test` walks: of a procedure four, in which each two of the three dimensions meet in every
    way (an orthogonal array); of a refusal two, opposite in all three. Neighbours take the other ones.
    """
    every = (*STORIES, *REFUSALS)
    turn = every.index(story)
    if story in STORIES:
        return [cell for cell in CELLS if _odd(cell) == turn % 2]
    return [CELLS[turn % 4], CELLS[7 - turn % 4]]
