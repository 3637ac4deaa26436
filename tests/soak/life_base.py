"""A random life of a subscription: how it begins, and how each command is compared with the model."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, ClassVar
from unittest.mock import patch
from zoneinfo import ZoneInfo

from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import event

from tests.soak.model import Model
from tests.soak.model_parts import Card, Refused, boundary
from tests.support import invariants
from webapp.db import NotFound, db, transaction
from webapp.domain import refusals
from webapp.domain.refusals import Refusal
from webapp.domain.subscription import Plan
from webapp.ports import OutcomeUnknown
from webapp.purchases import cards, refunds
from webapp.sandbox import scenarios
from webapp.sandbox.gateway import FAULTS
from webapp.sandbox.scenarios import Scenario, SubscriptionSetup
from webapp.sandbox.tables import SandboxAccount

BACK = "http://localhost/back"
MACHINE_TIME = datetime(2026, 11, 1, tzinfo=UTC)  # fixed, so that a run depends only on its steps
PRICES = (
    ((10, 3000), (25, 2700), (50, 2400), (None, 2100)),
    ((5, 4100), (None, 3333)),
    ((None, 1999),),
)
BEHAVIOURS = ("accepted", "accepted", "accepted", "card_declined", "insufficient_funds", "challenge")
ZONES = ("Europe/Paris", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Cairo", "Asia/Kolkata")
DAYS = (
    date(2027, 1, 15),
    date(2027, 1, 28),
    date(2027, 1, 29),
    date(2027, 1, 30),
    date(2027, 1, 31),
    date(2028, 2, 29),
    date(2027, 2, 28),
    date(2027, 12, 31),
)
BUYERS = (("FR", "FR41900300401"), ("DE", ""), ("DE", "DE136695976"), ("US", ""), ("RE", ""), ("YT", ""))
TREATMENT = {"FR": "standard", "DE": "reverse_charge", "US": "outside_eu", "RE": "la_reunion", "YT": "mayotte"}
COUNTED = {
    "subscription",
    "active_users_by_day",
}  # where the answer of a tenant is kept, even if it refuses the command
seats = st.sampled_from((-40, -11, -4, -2, -1, 0, 1, 1, 2, 3, 9, 40))  # how many more seats than confirmed last
faults = st.sampled_from((None, None, None, None, *FAULTS))
indexes = st.sampled_from((0, 0, 0, 1, 2, 3, 4, 5))  # an index from the end: 0 is the latest


def nth(things: list[Any], n: int) -> Any:
    return things[-1 - n % len(things)] if things else None


class LifeBase(RuleBasedStateMachine):
    """`app` has a migrated database; `tally` counts the answers to each command over all runs."""

    app: Flask
    tally: ClassVar[Counter[tuple[str, str]]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.context = self.app.app_context()
        self.context.push()
        self.issued: dict[str, str] = {}

    @initialize(
        plan=st.sampled_from(("business",) * 12 + ("enterprise", "third-party")),
        months=st.sampled_from((1, 1, 12)),
        day=st.sampled_from(DAYS),
        hour=st.sampled_from((0, 9, 23)),
        zone=st.sampled_from(ZONES),
        paid=st.sampled_from((12, 12, 26, 11, 2, 1)),
        active=st.sampled_from((0, 0, 5, 12)),
        past=st.integers(0, 3),
        days_in=st.sampled_from((0, 0, 1, 20)),
        owned=st.lists(st.sampled_from(BEHAVIOURS), max_size=2),
        expiring=st.sampled_from((False, False, False, True)),
        backed=st.booleans(),
    )
    def begin(
        self,
        plan: str,
        months: int,
        day: date,
        hour: int,
        zone: str,
        paid: int,
        active: int,
        past: int,
        days_in: int,
        owned: list[str],
        expiring: bool,
        backed: bool,
    ) -> None:
        plot = SubscriptionSetup(
            Plan.ENTERPRISE if plan == "enterprise" else Plan.BUSINESS,
            "Qlik",
            paid,
            active,
            months,
            past,
            days_in,
            reseller="Nordlys Data" if plan == "third-party" else None,
        )
        story = Scenario((plot,), tuple((behaviour, "Visa", "4242") for behaviour in owned), expiring)
        now = datetime(day.year, day.month, day.day, hour, 5, tzinfo=ZoneInfo(zone))
        with patch.dict(scenarios.SCENARIOS, life=story):
            made = scenarios.make("life", now, zone)
        self.account = made.account
        self.subscription = next(subscription_id for subscription_id in made.subscriptions.values() if subscription_id)
        row = invariants.read(self.account).subscription
        n = 0
        while boundary(row.anchor, months, n + 1) <= day:
            n += 1
        expires = (day.year, day.month) if expiring else (day.year + 3, 12)
        own = [Card(behaviour, expires, made.cards[i]) for i, behaviour in enumerate(owned)]
        self.model = Model(
            anchor=row.anchor,
            months=months,
            zone=ZoneInfo(zone),
            now=now.astimezone(UTC),
            forbids={"enterprise": "PlanForbids", "third-party": "ResellerManages"}.get(plan),
            seats=dict.fromkeys(range(n + 1), paid),
            prices=PRICES[0],
            paid_at=dict.fromkeys(range(n + 1), PRICES[0]),
            known=active,
            crowd=[(datetime(2000, 1, 1, tzinfo=UTC), active)],
            cards=own,
            default=own[0] if own else None,
        )
        if backed and len(own) == 2:
            cards.make_backup(self.account, own[1].id)
            self.model.make_backup(own[1])
        self.lists = {row.price_list_id: PRICES[0]}
        self.tally["begin", f"{plan} {months}"] += 1

    def both(self, command: str, model: Callable[[], Any], portal: Callable[[], Any]) -> tuple[Any, Any]:
        """Gives a command to the model and to the portal: both accept or refuse alike, and a refusal writes nothing."""
        by_model = got = None
        challenge = self.model.challenge
        expected = answer = "accepted"
        try:
            by_model = model()
        except Refused as no:
            expected = str(no)
        with self.writing() as written:
            try:
                got = portal()
            except (Refusal, NotFound, OutcomeUnknown, refunds.NotCredited) as no:
                answer, got = type(no).__name__, no
        self.tally[command, answer] += 1
        assert answer == expected, f"{command}: {answer}, where the model says {expected}"
        bank_answered = challenge is not None and challenge.state != "pending"  # a refused command writes it, too
        if answer != "accepted" and not bank_answered:
            assert written <= COUNTED | ({"quote"} if answer == "QuoteMoved" else set()), written
        if isinstance(got, refusals.QuoteMoved):
            self.model.quotes[-1].id = got.fresh
        return by_model, got

    @contextmanager
    def writing(self) -> Iterator[set[str]]:
        """Collects the tables that are written; ends the database session, as each command is a request."""
        written: set[str] = set()

        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            match = re.match(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)', statement)
            written.update(match.groups() if match else ())
            written.discard("quiet")  # the sweep's own notes are no state of the subscription

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield written
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
            db.session.remove()

    @rule(fault=st.sampled_from((None, *FAULTS)))
    def arm(self, fault: str | None) -> None:
        with transaction() as session:
            session.get_one(SandboxAccount, self.account).next_charge = fault
        self.model.fault = fault
        self.tally["arm the gateway", fault or "nothing"] += 1

    def post(self, path: str, **form: str) -> None:
        with self.app.app_context():
            answer = self.app.test_client().post(path, data=form, headers={"Accept": "application/json"})
        assert answer.status_code in (200, 303), answer.text
        db.session.remove()

    def number(self, more: int) -> int:
        return max(1, self.model.confirmed + more)
