"""Whatever owners, sweeps and banks do at the same time ends as in some sequential order.

Each scene runs RACES times freely, and at STOPS moments with one act stopped and overtaken by the others.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, time, timedelta
from functools import partial
from itertools import permutations
from os import environ
from typing import Any, NamedTuple

import pytest
from flask import Flask
from sqlalchemy import select

from tests.soak.killed import SCENARIOS
from tests.support.application import running
from tests.support.together import Act, Stop, again, alone, together
from tests.support.truth import check, later, truth
from tests.support.world import RETURN_URL, post, quoted, subscription
from webapp.db import db
from webapp.purchases import cards, payments
from webapp.purchases import quotes as quoting
from webapp.renewals import rollover, sweep
from webapp.sandbox import scenarios
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCharge
from webapp.subscriptions import loading, service

pytestmark = pytest.mark.service
MINUTE, HALF_A_MINUTE, NEW_YEAR = timedelta(minutes=1), timedelta(seconds=30), scenarios.START.replace(month=12)
FREE, STOPPED = int(environ.get("RACES", "1")), int(environ.get("STOPS", "1"))

FOUR = max(4, STOPPED)  # where two acts meet at the gateway


class Scene(NamedTuple):
    """Acts that run at once. `prepare` gives them what they need; acts of one name are interchangeable."""

    scenario: str
    prepare: Callable[[Flask, Made], Any]
    acts: tuple[Callable[[Flask, Made, Any], object], ...]
    now: datetime = scenarios.START
    stops: int = STOPPED


def nothing(_app: Flask, _made: Made) -> None:
    pass


def on_the_day(_app: Flask, made: Made) -> list[str]:
    """Moves to the first unpaid day; returns the subscriptions that are due."""
    loaded = loading.load_all(made.account)
    facts = loaded[0].facts
    set_clock(made.account, datetime.combine(facts.boundary(facts.last_paid + 1), time(), made.now.tzinfo))
    return [subscription_row.id for subscription_row in loaded]


def open_request(made: Made) -> str:
    return loading.load(made.account, subscription(made)).open_changes[0].id


def request(_app: Flask, made: Made) -> str:
    return open_request(made)


def request_on_the_day(app: Flask, made: Made) -> str:
    on_the_day(app, made)
    return open_request(made)


def one_quote(app: Flask, made: Made) -> list[str]:
    return [quoted(app, made)]


def quote_on_the_day(app: Flask, made: Made) -> list[str]:
    on_the_day(app, made)
    return [quoted(app, made)]


def two_quotes(app: Flask, made: Made) -> list[str]:
    return [quoted(app, made, 14), quoted(app, made, 16)]


def quote_with_the_second_card(app: Flask, made: Made) -> list[str]:
    quote = quoted(app, made)
    quoting.choose_card(made.account, subscription(made), quote, made.cards[1])
    return [quote]


def addition(_app: Flask, made: Made) -> list[str]:
    quote = quoting.quote_addition(made.account, subscription(made), 14)
    quoting.choose_card(made.account, subscription(made), quote, made.cards[0])
    return [quote]


def addition_on_the_day(app: Flask, made: Made) -> list[str]:
    quote = addition(app, made)
    on_the_day(app, made)
    return quote


def two_additions(app: Flask, made: Made) -> list[str]:
    return [*addition(app, made), *addition(app, made)]


def unanswered(fault: str, wait: timedelta = timedelta()) -> Callable[[Flask, Made], list[str]]:
    """Begins a payment whose outcome is unknown, `wait` ago."""

    def prepare(app: Flask, made: Made) -> list[str]:
        quote = quoted(app, made)
        post(app, f"/{made.account}/gateway", next=fault)
        assert pay(app, made, [quote]) == "pending"
        db.session.remove()
        set_clock(made.account, made.now + timedelta(seconds=1) + wait)
        return [quote]

    return prepare


def challenged_renewal(app: Flask, made: Made) -> list[str]:
    """The bank waits for a confirmation of the sweep's payment, and a quote with another card is ready to pay."""
    post(app, f"/{made.account}/gateway", next="challenge")
    on_the_day(app, made)
    assert sweep.sweep(made.account) == 0
    return quote_with_the_second_card(app, made)


def entered_card(app: Flask, made: Made) -> str:
    quote = quoted(app, made)
    url = cards.begin_card_setup(made.account, quote, RETURN_URL, "fr")
    form = {"number": "5555555555554444", "expiry": "12/39", "code": "123", "holder": "Camille Martin"}
    assert app.test_client().post(url, data=form).status_code == 303
    return url.rpartition("/")[2]


def pay(_app: Flask, made: Made, quotes: list[str], which: int = 0) -> object:
    return payments.pay(made.account, subscription(made), quotes[which], 1, RETURN_URL).state


pay_the_other = partial(pay, which=1)


def reduce(_app: Flask, made: Made, _given: object, seats: int = 7) -> object:
    service.reduce(made.account, subscription(made), seats)
    return True


reduce_otherwise = partial(reduce, seats=9)


def cancel(_app: Flask, made: Made, _given: object) -> object:
    given_up = payments.cancel_challenge(made.account, subscription(made))
    service.cancel(made.account, subscription(made), given_up)
    return True


def undo(_app: Flask, made: Made, change: str) -> object:
    service.withdraw(made.account, subscription(made), change)
    return True


def roll_over(_app: Flask, made: Made, _given: object) -> object:
    return sweep.sweep(made.account)  # the number of failures, always 0


def roll_first(_app: Flask, made: Made, subscriptions: list[str], which: int = 0) -> object:
    return rollover.roll_over(rollover.SubscriptionKey(made.account, subscriptions[which]))["renewed"]


roll_second = partial(roll_first, which=1)


def reconcile(_app: Flask, made: Made, quotes: list[str]) -> None:
    payments.reconcile(made.account, subscription(made), quotes[0])


def abandon(_app: Flask, made: Made, quotes: list[str]) -> None:
    payments.abandon(made.account, subscription(made), quotes[0])


def confirm_at_the_bank(app: Flask, made: Made, _quotes: list[str]) -> object:
    query = select(SandboxCharge.challenge).where(
        SandboxCharge.customer == made.account, SandboxCharge.challenge.is_not(None)
    )
    challenge = db.session.scalars(query).one()
    db.session.remove()
    return app.test_client().post(f"/sandbox/gateway/challenges/{challenge}", data={"answer": "confirm"}).status_code


def delete_second(_app: Flask, made: Made, _given: object) -> object:
    return cards.delete(made.account, made.cards[1])


def delete_first(_app: Flask, made: Made, _given: object) -> object:
    return cards.delete(made.account, made.cards[0])


def prefer_second(_app: Flask, made: Made, _given: object) -> object:
    return cards.make_default(made.account, made.cards[1])


def choose_backup(_app: Flask, made: Made, _given: object) -> object:
    return cards.make_backup(made.account, made.cards[1])


def come_back(_app: Flask, made: Made, reference: str) -> object:
    card, quote, _ = cards.complete_card_setup(made.account, reference)
    return card is not None and quote is not None and quote.card_id == card.id


SCENES = {
    "reduce, undo, roll over": Scene("business-reduction-pending", request, (reduce, undo, roll_over)),
    "reduce, undo, roll over on the day": Scene(
        "business-reduction-pending", request_on_the_day, (reduce, undo, roll_over)
    ),
    "reduce twice": Scene("business", nothing, (reduce, reduce_otherwise)),
    "cancel, pay": Scene("business", one_quote, (cancel, pay)),
    "cancel, roll over": Scene("business", on_the_day, (cancel, roll_over)),
    "cancel twice": Scene("business", nothing, (cancel, cancel)),
    "undo, undo": Scene("business-cancellation-pending", request, (undo, undo)),
    "delete a card, make it the default": Scene("business-two-cards", nothing, (delete_second, prefer_second)),
    "delete the default, make another": Scene("business-two-cards", nothing, (delete_first, prefer_second)),
    "delete a card, pay with it": Scene("business-two-cards", quote_with_the_second_card, (delete_second, pay)),
    "pay a quote twice": Scene("business", one_quote, (pay, pay)),
    "pay two quotes": Scene("business", two_quotes, (pay, pay_the_other)),
    "pay, roll over on the day": Scene("business", quote_on_the_day, (pay, roll_over)),
    "pay two additions": Scene("business", two_additions, (pay, pay_the_other)),
    "add, reduce": Scene("business", addition, (pay, reduce)),
    "add, roll over": Scene("business", addition_on_the_day, (pay, roll_over)),
    "roll over twice": Scene("three", on_the_day, (roll_over,) * 2),
    "roll over with a backup, twice": Scene("backup", on_the_day, (roll_over,) * 2, stops=FOUR),
    "roll over with a refused backup, twice": Scene("refused-backup", on_the_day, (roll_over,) * 2, stops=FOUR),
    "delete the backup, roll over": Scene("backup", on_the_day, (delete_second, roll_over), stops=FOUR),
    "choose a backup, make it the default": Scene("business-two-cards", nothing, (choose_backup, prefer_second)),
    "roll over four times": Scene("three", on_the_day, (roll_over,) * 4),
    "the first invoices of a year": Scene("three", on_the_day, (roll_first, roll_second), NEW_YEAR),
    "pay, reconcile what was charged": Scene("business", unanswered("timeout_after_charge"), (pay, reconcile)),
    "pay, reconcile what was not": Scene("business", unanswered("timeout", HALF_A_MINUTE), (pay, reconcile)),
    "pay, sweep what was not": Scene("business", unanswered("timeout", HALF_A_MINUTE), (pay, roll_over), stops=FOUR),
    "come back twice with a card": Scene("business", entered_card, (come_back, come_back), stops=FOUR),
    "come back with a card, delete": Scene("business-two-cards", entered_card, (come_back, delete_second)),
    "abandon, the bank, the sweep": Scene(
        "business", unanswered("challenge"), (abandon, confirm_at_the_bank, roll_over)
    ),
    "cancel, the bank": Scene("business-two-cards", challenged_renewal, (cancel, confirm_at_the_bank), stops=FOUR),
    "pay otherwise, the bank": Scene("business-two-cards", challenged_renewal, (pay, confirm_at_the_bank), stops=FOUR),
    "cancel, pay otherwise": Scene("business-two-cards", challenged_renewal, (cancel, pay), stops=FOUR),
    "the bank, the sweep after the quote": Scene(
        "business", unanswered("challenge", timedelta(minutes=31)), (confirm_at_the_bank, roll_over), stops=FOUR
    ),
}


@pytest.fixture(scope="module")
def app(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One application for all scenes, each with its own account."""
    with pytest.MonkeyPatch.context() as patch, running(migrated, tmp_path_factory.mktemp("races")) as app:
        for name, scenario in SCENARIOS.items():
            patch.setitem(scenarios.SCENARIOS, name, scenario)
        yield app


class Stage(NamedTuple):
    """A fresh account, its acts, and how its final state is compared."""

    app: Flask
    made: Made
    acts: list[Act]

    def ended(self, scene: Scene, answers: Sequence[object]) -> str:
        later(self.made, MINUTE)
        check(self.made)
        names = [
            scene.acts.index(act) for act in scene.acts
        ]  # the same act twice: which one gave which answer does not matter
        return repr((truth(self.app, self.made), sorted(zip(names, map(repr, answers), strict=True))))


def stage(app: Flask, scene: Scene) -> Stage:
    made = scenarios.make(scene.scenario, scene.now)
    given = scene.prepare(app, made)
    db.session.remove()
    return Stage(app, made, [partial(act, app, made, given) for act in scene.acts])


def one_after_another(app: Flask, scene: Scene) -> tuple[set[str], dict[Stop, str]]:
    """How every sequential order ends, and the moments that were reached."""
    endings, met = set(), {}
    orders = {tuple(scene.acts[number] for number in order): order for order in permutations(range(len(scene.acts)))}
    for order in orders.values():
        staged, answers = stage(app, scene), {}
        for number in order:
            answers[number], moments = alone(app, staged.acts[number])
            met.update({Stop(number, at): moment for at, moment in enumerate(moments, 1)})
        endings.add(staged.ended(scene, [again(app, act, answers[number]) for number, act in enumerate(staged.acts)]))
    return endings, met


def stops(scene: Scene, met: dict[Stop, str], seed: str) -> list[Stop | None]:
    """Some races without a stop, then some in which one act is overtaken, first of all between decision and commit."""
    drawn = random.Random(seed).sample(list(met), len(met))
    drawn.sort(key=lambda stop: met[stop] != "before commit")
    return [None] * FREE + (drawn[: scene.stops - 1] + drawn[-1:] if scene.stops > 1 else drawn[: scene.stops])


@pytest.mark.parametrize("name", SCENES)
def test_at_once_ends_as_one_after_another(app: Flask, name: str) -> None:
    scene = SCENES[name]
    endings, met = one_after_another(app, scene)
    for stop in stops(scene, met, name):
        staged = stage(app, scene)
        ended = staged.ended(scene, together(app, staged.acts, stop))
        assert ended in endings, f"{stop}, {stop and met[stop]}"
