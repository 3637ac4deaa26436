"""Stories during which a process is killed at any moment, and the state that the next process leaves.

Each process is a fork of this one, which is already warm, so a kill takes a tenth of a second.
"""

import json
import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count, cycle
from traceback import format_exc
from typing import Any, NamedTuple

from flask import Flask
from sqlalchemy import select

from tests.support.moments import Reached, watched
from tests.support.truth import check, later, truth
from tests.support.world import RETURN_URL, dump, post, quoted, subscription
from webapp.db import db
from webapp.purchases import cards, payments, quotes
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import BUSINESS, MASTERCARD, Made, Scenario
from webapp.sandbox.tables import SandboxCharge
from webapp.subscriptions import loading, service

Step = Callable[[Flask, Made, Any], object]
MINUTE, CHALLENGE_OVER = timedelta(minutes=1), timedelta(minutes=31)
DECLINED, CHALLENGED = ("card_declined", "Visa", "0341"), ("challenge", "Visa", "3184")
SCENARIOS = {"three": Scenario((BUSINESS,) * 3)} | {
    name: Scenario((BUSINESS,), (DECLINED, backup), then=lambda account, _: scenarios.choose_backup(account))
    for name, backup in (("backup", MASTERCARD), ("refused-backup", DECLINED), ("challenged-backup", CHALLENGED))
}


class Story(NamedTuple):
    """What a process does, step by step, on an account of `scenario`; `fault` is armed for the next charge."""

    scenario: str
    steps: Sequence[Step]
    prepare: Callable[[Flask, Made], Any] = lambda _app, _made: None
    fault: str = ""


def renewal(app: Flask, made: Made) -> str:
    return quoted(app, made)


def addition(_app: Flask, made: Made) -> str:
    quote = quotes.quote_addition(made.account, subscription(made), 14)
    quotes.choose_card(made.account, subscription(made), quote, made.cards[0])
    return quote


def change(_app: Flask, made: Made) -> str:
    return loading.load(made.account, subscription(made)).open_changes[0].id


def entered_card(app: Flask, made: Made) -> str:
    url = cards.begin_card_setup(made.account, quoted(app, made), RETURN_URL, "fr")
    form = {"number": "5555555555554444", "expiry": "12/39", "code": "123", "holder": "Camille Martin"}
    app.test_client().post(url, data=form)
    return url.rpartition("/")[2]


def pay(_app: Flask, made: Made, quote: str) -> object:
    return payments.pay(made.account, subscription(made), quote, 1, RETURN_URL).state


def confirm(app: Flask, made: Made, _quote: str) -> object:
    query = select(SandboxCharge.challenge).where(SandboxCharge.customer == made.account)
    challenge = db.session.scalars(query.where(SandboxCharge.challenge.is_not(None))).one()
    db.session.remove()
    return app.test_client().post(f"/sandbox/gateway/challenges/{challenge}", data={"answer": "confirm"}).status_code


def abandon(_app: Flask, made: Made, quote: str) -> None:
    payments.abandon(made.account, subscription(made), quote)


def reconcile(_app: Flask, made: Made, quote: str) -> None:
    payments.reconcile(made.account, subscription(made), quote)


def reduce(_app: Flask, made: Made, _given: object) -> object:
    service.reduce(made.account, subscription(made), 7)
    return True


def cancel(_app: Flask, made: Made, _given: object) -> object:
    service.cancel(made.account, subscription(made))
    return True


def undo(_app: Flask, made: Made, change_id: str) -> object:
    service.withdraw(made.account, subscription(made), change_id)
    return True


def delete_second(_app: Flask, made: Made, _given: object) -> object:
    return cards.delete(made.account, made.cards[1])


def prefer_second(_app: Flask, made: Made, _given: object) -> object:
    return cards.make_default(made.account, made.cards[1])


def choose_backup(_app: Flask, made: Made, _given: object) -> object:
    return cards.make_backup(made.account, made.cards[1])


def come_back(_app: Flask, made: Made, reference: str) -> object:
    return bool(cards.complete_card_setup(made.account, reference)[0])


def the_day_comes(_app: Flask, made: Made, _given: object) -> object:
    set_clock(made.account, made.now.replace(month=2, day=15, hour=0))
    return sweep.sweep(made.account)


def a_minute_passes(_app: Flask, made: Made, _given: object) -> None:
    later(made, MINUTE)


DAY = (the_day_comes,)
STORIES = {
    "pay a renewal": Story("business", (pay,), renewal),
    "pay an addition": Story("business", (pay,), addition),
    "pay a period ahead and its addition": Story("business-renewed", (pay,), addition),
    "pay, supersede a reduction": Story("business-reduction-pending", (pay,), renewal),
    "pay, refused": Story("business", (pay,), renewal, "decline"),
    "pay, silent before": Story("business", (pay, a_minute_passes), renewal, "timeout"),
    "pay, silent after": Story("business", (pay, a_minute_passes), renewal, "timeout_after_charge"),
    "pay, 3-D Secure": Story("business", (pay, confirm, reconcile), renewal, "challenge"),
    "pay, 3-D Secure abandoned": Story("business", (pay, abandon), renewal, "challenge"),
    "roll over": Story("business", DAY),
    "roll over three": Story("three", DAY),
    "roll over, refused": Story("business", DAY, fault="decline"),
    "roll over, silent before": Story("business", (*DAY, a_minute_passes), fault="timeout"),
    "roll over, silent after": Story("business", (*DAY, a_minute_passes), fault="timeout_after_charge"),
    "roll over, 3-D Secure": Story("business", (*DAY, confirm, a_minute_passes), fault="challenge"),
    "roll over, the backup pays": Story("backup", DAY),
    "roll over, the backup is refused": Story("refused-backup", DAY),
    "roll over, the backup and 3-D Secure": Story("challenged-backup", (*DAY, confirm, a_minute_passes)),
    "roll over, silent after, the backup": Story("backup", (*DAY, a_minute_passes), fault="timeout_after_charge"),
    "choose a backup, roll over": Story("business-two-cards", (choose_backup, *DAY)),
    "reduce, roll over": Story("business", (reduce, *DAY)),
    "cancel, roll over": Story("business", (cancel, *DAY)),
    "undo, roll over": Story("business-reduction-pending", (undo, *DAY), change),
    "delete a card": Story("business-two-cards", (delete_second,)),
    "another default, roll over": Story("business-two-cards", (prefer_second, *DAY)),
    "come back with a card": Story("business", (come_back,), entered_card),
    "somebody else bills": Story("third-party", DAY),
}


class Death(NamedTuple):
    """How a run ended: the moments it reached, the number of steps it finished, and whether it was killed."""

    moments: list[str]
    steps: int
    killed: bool


def apart(app: Flask, work: Callable[[int], None]) -> tuple[str, int]:
    """Runs `work` in a forked process; returns what it wrote to its descriptor, and its wait status."""
    db.session.remove()
    db.engine.dispose()  # a fork must not share connections
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            with app.app_context():
                work(write)
            os._exit(0)
        except BaseException:
            os.write(write, format_exc().encode())
            os._exit(1)
    os.close(write)
    with open(read) as pipe:
        said = pipe.read()
    return said, os.waitpid(child, 0)[1]


def perform(app: Flask, story: Story, made: Made, given: object, kill_at: int) -> Death:
    """Runs a story in its own process, which is killed at that moment."""

    def work(out: int) -> None:
        met = count(1)

        def reached(moment: str) -> None:
            os.write(out, f"{moment}\n".encode())
            if next(met) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        with watched(app, reached):
            for step in story.steps:
                step(app, made, given)
                os.write(out, b"done\n")

    said, status = apart(app, work)
    lines = said.splitlines()
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, said
    return Death([line for line in lines if line != "done"], lines.count("done"), killed)


def begin(app: Flask, story: Story) -> tuple[Made, Any]:
    made = scenarios.make(story.scenario)
    given = story.prepare(app, made)
    if story.fault:
        post(app, f"/{made.account}/gateway", next=story.fault)
    return made, given


def outcome_of(app: Flask, made: Made) -> str:
    """The account's state after a minute and after the bank's time limit, once a further sweep changes nothing."""
    for passed, over in ((MINUTE, False), (CHALLENGE_OVER, True)):
        later(made, passed)
        check(made, nothing_pending=over)
    before = dump()
    assert sweep.sweep(made.account) == 0
    assert dump() == before
    account_state = truth(app, made)
    kept = {name: account_state[name] for name in ("subscriptions", "cards", "invoices")}
    kept["captured"] = [amount for state, amount in account_state["charges"] if state == "captured"]
    return json.dumps(kept)


class Killing:
    """Kills stories at random moments, and compares how they end with the same stories left alone."""

    def __init__(self, app: Flask, seed: int, stories: Sequence[str] = tuple(STORIES)) -> None:
        self.app, self.chance = app, random.Random(seed)
        self.endings: dict[tuple[str, int], str] = {}
        self.moments: dict[str, list[str]] = {}
        scenarios.SCENARIOS.update(SCENARIOS)
        for name in self.chance.sample(stories, len(stories)):  # this also warms the process up before it forks
            self.moments[name] = []
            self.ending(name, len(STORIES[name].steps), self.moments[name].append)

    def ending(self, name: str, steps: int, reached: Reached = lambda _: None) -> str:
        """How the story ends after its first `steps` steps, when nothing is killed."""
        if (name, steps) not in self.endings:
            made, given = begin(self.app, STORIES[name])
            with watched(self.app, reached):
                for step in STORIES[name].steps[:steps]:
                    step(self.app, made, given)
            self.endings[name, steps] = outcome_of(self.app, made)
        return self.endings[name, steps]

    def draws(self, among: Sequence[str] = tuple(STORIES)) -> Iterator[tuple[str, int]]:
        """Takes the kinds of moments in turn, and draws a story and a moment of that kind."""
        kinds = sorted({moment for name in among for moment in self.moments[name]})
        for kind in cycle(self.chance.sample(kinds, len(kinds))):
            name = self.chance.choice([name for name in among if kind in self.moments[name]])
            yield name, self.chance.choice([n for n, moment in enumerate(self.moments[name], 1) if moment == kind])

    def kill(self, name: str, at: int) -> Death:
        """Checks that the killed step is either done or not done, and that the steps before it are done."""
        made, given = begin(self.app, STORIES[name])
        death = perform(self.app, STORIES[name], made, given, at)
        ended, status = apart(self.app, lambda out: _say(out, outcome_of(self.app, made)))
        assert status == 0, f"{name}, {at}: {death}\n{ended}"
        done, not_done = min(death.steps + 1, len(STORIES[name].steps)), death.steps
        if ended != self.ending(name, done):
            assert ended == self.ending(name, not_done), f"{name}, {at}: {death}\n{ended}"
        return death


def _say(out: int, text: str) -> None:
    os.write(out, text.encode())
