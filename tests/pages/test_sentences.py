"""Every refusal has a sentence in each language: one without would be an error page of ours."""

import pkgutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import import_module
from inspect import signature
from itertools import product
from typing import Any

import pytest
from flask import Flask

import webapp
from tests.support.world import subscription
from webapp.domain.permissions import Procedure
from webapp.domain.refusals import QuoteMoved, Refusal
from webapp.sandbox.scenarios import Made
from webapp.sentences import refusals as refusals_module
from webapp.subscriptions import loading

ON_PAGES_OF_THEIR_OWN = {QuoteMoved}  # it is shown as a new overview with the differences
EXAMPLES: dict[object, tuple[object, ...]] = {
    bool: (True, False),
    int: (1, 12),
    str: ("Nordlys Data",),
    Procedure: tuple(Procedure),
    date: (date(2027, 2, 15),),
    datetime: (datetime(2027, 1, 15, 9, tzinfo=UTC),),
    datetime | None: (datetime(2027, 1, 15, 9, tzinfo=UTC), None),
}
EXAMPLES_BY_NAME: dict[str, tuple[object, ...]] = {"closed_as": tuple(refusals_module.CLOSED)}


def refusals() -> set[type[Refusal]]:
    """All of them, wherever in the portal they are defined."""
    for module in pkgutil.walk_packages(webapp.__path__, "webapp."):
        if not module.name.startswith("webapp.migrations"):
            import_module(module.name)
    return {refusal for refusal in subclasses_of(Refusal) if refusal.__module__.startswith("webapp.")}


def subclasses_of(parent: type[Refusal]) -> Iterator[type[Refusal]]:
    for child in parent.__subclasses__():
        yield child
        yield from subclasses_of(child)


def examples_of(refusal: type[Refusal]) -> Iterator[Refusal]:
    """The refusal with each combination of example arguments."""
    if "__init__" not in vars(refusal):
        yield refusal()
        return
    parameters: list[Any] = list(signature(refusal).parameters.values())
    choices = [EXAMPLES_BY_NAME.get(parameter.name) or EXAMPLES[parameter.annotation] for parameter in parameters]
    yield from (refusal(*arguments) for arguments in product(*choices))


def explained(app: Flask, refusal: Refusal, made: Made, locale: str) -> refusals_module.Explained:
    reader = app.test_request_context("/subscriptions", headers={"Cookie": f"locale={locale}"})
    with app.app_context(), reader:  # a context of its own, as the language is kept in it
        app.preprocess_request()
        return refusals_module.explain(refusal, loading.load(made.account, subscription(made)))


def test_every_refusal_has_a_sentence_in_each_language(app: Flask, business: Made) -> None:
    assert len(refusals()) > len(ON_PAGES_OF_THEIR_OWN)
    for refusal in refusals() - ON_PAGES_OF_THEIR_OWN:
        for example in examples_of(refusal):
            english, french = (explained(app, example, business, locale).sentence for locale in ("en", "fr"))
            assert english.endswith("."), refusal
            assert french.endswith("."), refusal
            assert english != french, f"{refusal} is not translated"


def test_a_refusal_without_a_sentence_is_noticed(app: Flask, business: Made) -> None:
    class Unexplained(Refusal):
        pass

    assert Unexplained in subclasses_of(Refusal)
    with pytest.raises(Unexplained):
        explained(app, Unexplained(), business, "en")
