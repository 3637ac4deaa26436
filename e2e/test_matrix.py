"""Each procedure and each refusal from the same stories: languages × scripts or none × widths, every screen inspected.

`make test` walks half of the cells (`e2e.matrix.half`), MATRIX=1 all.
"""

import pytest

from .conftest import Begin
from .matrix import CELLS, WHOLE, Cell, half
from .stories import REFUSALS, STORIES, Story

WALKS = [
    pytest.param(story, cell, id=f"{story.id}-{cell.id}")
    for story in (*STORIES, *REFUSALS)
    for cell in (CELLS if WHOLE else half(story))
]


@pytest.mark.parametrize(("story", "cell"), WALKS)
def test_the_story_goes_as_told_and_every_screen_is_sound(begin: Begin, story: Story, cell: Cell) -> None:
    walk = begin(
        story.scenario, locale=cell.locale, scripts=cell.scripts, viewport=cell.size, color_scheme=cell.scheme,
        inspected=True,
    )  # fmt: skip
    story.walk(walk)


def test_the_half_meets_every_language_script_and_width_of_every_story() -> None:
    for story in (*STORIES, *REFUSALS):
        cells = half(story)
        for values in zip(*((cell.locale, cell.scripts, cell.width) for cell in cells), strict=True):
            assert len(set(values)) == 2, story.id
    assert len(CELLS) == 8
