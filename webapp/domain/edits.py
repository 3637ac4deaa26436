"""Two people edit the same form: which of their changes are kept, and which clash."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

Values = Mapping[str, Any]


class Merged(NamedTuple):
    """`values`: the form's fields after the merge. `clashes`: the fields that both changed, each to another value."""

    values: dict[str, Any]
    clashes: frozenset[str]


def merge(opened: Values, mine: Values, saved: Values, groups: Collection[Collection[str]] = ()) -> Merged:
    """Merges a form that is sent with what was saved after it was opened.

    A field that only one of them changed keeps that change. The fields of a group belong together: if both changed
    something in it, all its changed fields clash. In `values`, a clash has my value where I changed the field.
    """
    changed_by_me = {name for name in mine if mine[name] != opened[name]}
    changed_since = {name for name in mine if saved[name] != opened[name]}
    differing = {name for name in changed_by_me | changed_since if mine[name] != saved[name]}
    clashes = changed_by_me & changed_since & differing
    for group in groups:
        inside = differing & set(group)
        if inside & changed_by_me and inside & changed_since:
            clashes |= inside
    return Merged({name: (mine if name in changed_by_me else saved)[name] for name in mine}, frozenset(clashes))
