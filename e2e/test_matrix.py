"""The matrix is complete: each story is walked in the file of its procedure, and half of the cells meet all values."""

import importlib
from pathlib import Path
from types import ModuleType

from . import stories
from .matrix import CELLS, half
from .stories import REFUSALS, STORIES

PROCEDURES = [
    "renew",
    "add",
    "reduce",
    "undo_reduction",
    "cancel",
    "undo_cancellation",
    "add_card",
    "delete_card",
    "default_card",
    "billing_info",
    "invoices",
    "contact",
    "team",
    "second_factor",
    "own_email",
]


def walked_stories(module: ModuleType) -> set[str]:
    """The ids of the stories that the tests of this module walk in the matrix."""
    marks = [mark for test in vars(module).values() for mark in getattr(test, "pytestmark", [])]
    parameters = [mark.args for mark in marks if mark.name == "parametrize"]
    return {walk.values[0].id for names, walks in parameters if names == ("story", "cell") for walk in walks}


def test_each_story_is_walked_in_the_file_of_its_procedure() -> None:
    walked: set[str] = set()
    for procedure in PROCEDURES:
        module = getattr(stories, procedure)
        expected = {story.id for story in (*module.DOCUMENTED, *getattr(module, "REFUSALS", ()))}
        assert walked_stories(importlib.import_module(f"e2e.test_{procedure}")) == expected, procedure
        walked |= expected
    assert walked == {story.id for story in (*STORIES, *REFUSALS)}


def test_every_module_of_stories_is_a_procedure() -> None:
    shared = {"__init__", "labels", "steps", "story", "walk"}
    modules = {path.stem for path in Path(stories.__file__).parent.glob("*.py")}
    assert modules - shared == set(PROCEDURES)


def test_the_half_meets_every_language_script_and_width_of_every_story() -> None:
    for story in (*STORIES, *REFUSALS):
        cells = half(story)
        for values in zip(*((cell.locale, cell.scripts, cell.width) for cell in cells), strict=True):
            assert len(set(values)) == 2, story.id
    assert len(CELLS) == 8
