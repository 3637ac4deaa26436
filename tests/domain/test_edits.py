"""What becomes of a form that was changed by somebody else while it was open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.edits import merge

OPENED = {"name": "A", "city": "Lyon", "country": "FR", "number": "FR1"}
TOGETHER = [("country", "number")]


@pytest.mark.parametrize(
    ("mine", "saved", "values", "clashes"),
    [
        ({}, {}, {}, set()),
        ({"city": "Paris"}, {}, {"city": "Paris"}, set()),
        ({}, {"city": "Paris"}, {"city": "Paris"}, set()),
        ({"city": "Paris"}, {"name": "B"}, {"city": "Paris", "name": "B"}, set()),
        ({"city": "Paris"}, {"city": "Paris"}, {"city": "Paris"}, set()),
        ({"city": "Paris"}, {"city": "Nice"}, {"city": "Paris"}, {"city"}),
        ({"city": "Paris"}, {"city": "Nice", "name": "B"}, {"city": "Paris", "name": "B"}, {"city"}),
        ({"number": "FR2"}, {"country": "DE"}, {"number": "FR2", "country": "DE"}, {"country", "number"}),
        ({"country": "DE"}, {"number": None}, {"country": "DE", "number": None}, {"country", "number"}),
        (
            {"country": "DE", "number": "DE1"},
            {"city": "Nice"},
            {"country": "DE", "number": "DE1", "city": "Nice"},
            set(),
        ),
        (
            {"city": "Nice"},
            {"country": "DE", "number": "DE1"},
            {"country": "DE", "number": "DE1", "city": "Nice"},
            set(),
        ),
        (
            {"country": "DE", "number": "DE1"},
            {"country": "DE", "number": "DE2"},
            {"country": "DE", "number": "DE1"},
            {"number"},
        ),
    ],
)
def test_each_change_is_kept_or_clashes(
    mine: dict[str, str], saved: dict[str, str], values: dict[str, str], clashes: set[str]
) -> None:
    merged = merge(OPENED, {**OPENED, **mine}, {**OPENED, **saved}, TOGETHER)
    assert merged.values == {**OPENED, **values}
    assert merged.clashes == clashes


values = st.fixed_dictionaries({name: st.integers(0, 2) for name in "abcd"})


@given(values, values, values)
def test_no_change_is_undone_unseen(opened: dict[str, int], mine: dict[str, int], saved: dict[str, int]) -> None:
    merged = merge(opened, mine, saved, [("a", "b")])
    for name in opened:
        if saved[name] != opened[name] and merged.values[name] != saved[name]:
            assert name in merged.clashes
        if mine[name] != opened[name]:
            assert merged.values[name] == mine[name]


@given(values, values)
def test_alone_everything_is_saved_as_sent(opened: dict[str, int], mine: dict[str, int]) -> None:
    assert merge(opened, mine, opened, [("a", "b")]) == (mine, frozenset())
