"""A subscription's whole life in any order: every command and event, against the naive model of tests/model.py.

`python -m tests.soak` runs it at length.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, select, update

from tests.soak.model import Card, Change, Model, Quote, Refused, boundary
from tests.support import databases, invariants
from webapp import billing, billing_information, cards, create_app, credit_notes, purchase, rollover, service
from webapp.db import NotFound, db, new_id, transaction
from webapp.domain.subscription import Plan, Refusal
from webapp.models import Account, PriceList, Subscription
from webapp.ports import OutcomeUnknown
from webapp.sandbox import clock, panel, scenarios
from webapp.sandbox.gateway import FAULTS, gateway_transaction
from webapp.sandbox.scenarios import Plot, Scenario
from webapp.sandbox.tables import SandboxAccount, SandboxCard, SandboxCharge, SandboxHeadcount, SandboxSetup

pytestmark = pytest.mark.service
BACK = "http://localhost/back"
MACHINE_TIME = datetime(2026, 11, 1, tzinfo=UTC)  # stands still, so that a run depends on nothing but its steps
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
BUYERS = (("FR", "FR41900300401"), ("DE", ""), ("DE", "DE136695976"), ("US", ""))
TREATMENT = {"FR": "standard", "DE": "reverse_charge", "US": "outside_eu"}
MIXED = settings(
    deadline=None,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

seats = st.sampled_from((-40, -11, -4, -2, -1, 0, 1, 1, 2, 3, 9, 40))  # more than were confirmed last
faults = st.sampled_from((None, None, None, None, *FAULTS))
some = st.sampled_from((0, 0, 0, 1, 2, 3, 4, 5))  # which of several, the latest first


def nth(things: list[Any], n: int) -> Any:
    return things[-1 - n % len(things)] if things else None


class Life(RuleBasedStateMachine):
    """`app` has a migrated database; `tally` counts, over all runs, what was answered to each command."""

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
    ) -> None:
        plot = Plot(
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
        self.subscription = next(one for one in made.subscriptions.values() if one)
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
        self.lists = {row.price_list_id: PRICES[0]}
        Life.tally["begin", f"{plan} {months}"] += 1

    def both(self, command: str, model: Callable[[], Any], portal: Callable[[], Any]) -> tuple[Any, Any]:
        """Asks the model and the portal; they answer or refuse alike, and a refusal writes nothing."""
        told = got = None
        expected = answer = "accepted"
        try:
            told = model()
        except Refused as no:
            expected = str(no)
        with self.writing() as written:
            try:
                got = portal()
            except (Refusal, NotFound, OutcomeUnknown, credit_notes.NotCredited) as no:
                answer, got = type(no).__name__, no
        Life.tally[command, answer] += 1
        assert answer == expected, f"{command}: {answer}, where the model says {expected}"
        if answer != "accepted":
            assert written <= {"subscription"} | ({"quote"} if answer == "QuoteMoved" else set()), written
        if isinstance(got, purchase.QuoteMoved):
            self.model.quotes[-1].id = got.fresh
        return told, got

    @contextmanager
    def writing(self) -> Iterator[set[str]]:
        """The tables that are written meanwhile; each command is a request of its own."""
        written: set[str] = set()

        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            found = re.match(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)', statement)
            written.update(found.groups() if found else ())
            written.discard("quiet")  # what sweeps leave for each other tells nothing of a subscription

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield written
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
            db.session.remove()

    # purchases

    def number(self, more: int) -> int:
        return max(1, self.model.confirmed + more)

    def quoted(self, kind: str, seats: int) -> Quote | None:
        ask = {"renewal": purchase.quote_renewal, "addition": purchase.quote_addition}[kind]
        quote, got = self.both(
            f"quote {kind}", lambda: self.model.quote(kind, seats), lambda: ask(self.account, self.subscription, seats)
        )
        if quote is None:
            return None
        quote.id = got
        row = purchase.load_quote(self.account, self.subscription, got)
        assert [line["amount"] for line in row.lines] == [line[-1] for line in quote.lines]
        assert (row.ordinal, row.net, row.tax, row.seats) == (quote.ordinal, quote.net, quote.tax, quote.seats)
        assert row.expires_at == quote.expires
        assert isinstance(quote, Quote)
        return quote

    def paid(self, quote: Quote, attempt: int, shown: Card | None) -> None:
        card = shown.id if shown else None
        told, got = self.both(
            "pay",
            lambda: self.model.pay(quote, attempt, shown),
            lambda: purchase.pay(self.account, self.subscription, quote.id, attempt, BACK, card).state,
        )
        assert isinstance(got, Exception) or told == got

    def chosen(self, quote: Quote, card: Card | None) -> None:
        self.both(
            "choose card",
            lambda: self.model.choose(quote, card),
            lambda: purchase.choose_card(self.account, self.subscription, quote.id, card.id if card else None),
        )

    @rule(more=seats, fault=faults)
    def renew(self, more: int, fault: str | None) -> None:
        self.buy("renewal", more, fault)

    @rule(more=st.sampled_from((-1, 0, 1, 1, 2, 3, 9, 40)), fault=faults)
    def add(self, more: int, fault: str | None) -> None:
        self.buy("addition", more, fault)

    def buy(self, kind: str, more: int, fault: str | None) -> None:
        quote = self.quoted(kind, self.number(more))
        if quote:
            self.chosen(quote, self.model.default)
            if fault:
                self.arm(fault)
            self.paid(quote, 1, quote.card)

    @rule(kind=st.sampled_from(("renewal", "addition")), more=seats)
    def ask_price(self, kind: str, more: int) -> None:
        self.quoted(kind, self.number(more))

    @precondition(lambda self: self.model.quotes)
    @rule(n=some, which=some, none=st.sampled_from((False, False, False, True)))
    def choose_card(self, n: int, which: int, none: bool) -> None:
        self.chosen(nth(self.model.quotes, n), None if none else nth(self.model.cards, which))

    @precondition(lambda self: self.model.quotes)
    @rule(n=some, again=some, seen=st.sampled_from((None, 0, 1)))
    def pay(self, n: int, again: int, seen: int | None) -> None:
        """The newest quote or an old one; the attempt that is next, or one that was sent before."""
        quote = nth(self.model.quotes, n)
        attempt = max(1, len(quote.attempts) + 1 - again % 3)
        self.paid(quote, attempt, quote.card if seen is None else nth(self.model.cards, seen))

    @precondition(lambda self: self.model.quotes)
    @rule(n=some)
    def come_back(self, n: int) -> None:
        """From the bank's page, with an answer or without one; or « Vérifier maintenant »."""
        quote = nth(self.model.quotes, n)
        self.both(
            "come back",
            lambda: self.model.ask_again(quote),
            lambda: purchase.reconcile(self.account, self.subscription, quote.id),
        )

    @precondition(lambda self: self.model.quotes)
    @rule(n=some)
    def abandon(self, n: int) -> None:
        quote = nth(self.model.quotes, n)
        self.both(
            "abandon",
            lambda: self.model.abandon(quote),
            lambda: purchase.abandon(self.account, self.subscription, quote.id),
        )

    @precondition(lambda self: self.model.pending and self.model.pending[1].bank == "challenged")
    @rule(confirm=st.booleans(), back=st.booleans())
    def answer_the_bank(self, confirm: bool, back: bool) -> None:
        quote, attempt = self.model.pending or (None, None)
        assert quote is not None
        assert attempt is not None
        challenged = select(SandboxCharge.challenge).where(
            SandboxCharge.customer == self.account, SandboxCharge.state == "challenged"
        )
        page = db.session.scalars(challenged).one()
        self.post(f"/sandbox/gateway/challenges/{page}", answer="confirm" if confirm else "refuse")
        attempt.bank = "captured" if confirm else "declined"
        Life.tally["answer the bank", attempt.bank] += 1
        if back:
            self.come_back(self.model.quotes[::-1].index(quote))

    # credit notes

    @precondition(lambda self: self.model.invoices)
    @rule(n=some, part=st.sampled_from((None, None, 1, 7, 333, 20_000, 10**6)), fault=faults)
    def credit(self, n: int, part: int | None, fault: str | None) -> None:
        """One pending refund at a time, as the sweep asks for them in no order."""
        waiting = [credit.invoice for credit in self.model.credits if credit.state == "pending"]
        invoice = waiting[0] if waiting else len(self.model.invoices) - 1 - n % len(self.model.invoices)
        number = [row.number for row in invariants.read(self.account).invoices if row.payment_key][invoice]
        if fault:
            self.arm(fault)
        told, got = self.both(
            "credit",
            lambda: self.model.credit(invoice, part),
            lambda: credit_notes.credit(self.account, number, part).state,
        )
        assert isinstance(got, Exception) or told == got

    # requests for later

    @rule(more=st.sampled_from((-12, -4, -3, -2, -1, -1, 0, 1)))
    def reduce(self, more: int) -> None:
        count = self.number(more)
        self.change(
            "reduce", lambda: self.model.reduce(count), lambda: service.reduce(self.account, self.subscription, count)
        )

    @rule(for_good=st.sampled_from((False, False, False, True)))
    def cancel(self, for_good: bool) -> None:
        """Mostly undone at once, and not where it would be the end, so that there is a life to go on with."""
        if for_good or self.model.status != "past_due":
            done = self.change("cancel", self.model.cancel, lambda: service.cancel(self.account, self.subscription))
            if done and not for_good:
                self.withdraw(0)

    def change(self, command: str, model: Callable[[], Change | None], portal: Callable[..., Any]) -> bool:
        change, _ = self.both(command, model, portal)
        if change:
            rows = invariants.read(self.account).changes
            change.id = next(row.id for row in rows if row.kind == change.kind and row.closed_as is None)
        return change is not None

    @rule(n=some)
    def withdraw(self, n: int) -> None:
        """An open request, an old one, or one that never was."""
        change = nth(self.model.changes, n) or Change("reduction", 1, 1, "never", "never")
        with self.writing() as written:
            self.both(
                "withdraw",
                lambda: self.model.withdraw(change),
                lambda: service.withdraw(self.account, self.subscription, change.id),
            )
        assert written <= {"change", "activity", "message"}, "undo changes no price and no period"

    # cards and billing information

    @rule(behaviour=st.sampled_from(BEHAVIOURS), month=st.sampled_from((0, 1, 40, 40)), n=st.none() | some)
    def add_card(self, behaviour: str, month: int, n: int | None) -> None:
        """On the gateway's page, perhaps from a quote's payment page; coming back twice saves it once."""
        quote = None if n is None else nth(self.model.quotes, n)
        year, month = divmod(self.model.today.year * 12 + self.model.today.month - 1 + month, 12)
        url = billing.begin_card_setup(self.account, quote.id if quote else None, BACK, "en")
        reference, token = url.rsplit("/", 1)[1], new_id()
        db.session.remove()
        with gateway_transaction(reference) as session:
            session.add(
                SandboxCard(
                    token=token,
                    customer=self.account,
                    behaviour=behaviour,
                    brand="Visa",
                    last4="4242",
                    exp_year=year,
                    exp_month=month + 1,
                    holder="Camille Martin",
                )
            )
            session.flush()
            session.get_one(SandboxSetup, reference).card_token = token
        saved = [billing.complete_card_setup(self.account, reference)[0] for _ in range(2)]
        assert saved[0] is not None
        self.model.add_card(Card(behaviour, (year, month + 1), saved[0].id), quote)
        Life.tally["add card", "accepted"] += 1

    @precondition(lambda self: self.model.cards)
    @rule(n=some)
    def delete_card(self, n: int) -> None:
        card = nth(self.model.cards, n)
        self.both("delete card", lambda: self.model.delete_card(card), lambda: cards.delete(self.account, card.id))

    @precondition(lambda self: self.model.cards)
    @rule(n=some)
    def make_default(self, n: int) -> None:
        card = nth(self.model.cards, n)
        self.both(
            "make default", lambda: self.model.make_default(card), lambda: cards.make_default(self.account, card.id)
        )

    @rule(buyer=st.sampled_from(BUYERS))
    def move_country(self, buyer: tuple[str, str]) -> None:
        account = db.session.get_one(Account, self.account)
        now = billing_information.Information(
            *(getattr(account, name) for name in billing_information.Information._fields)
        )
        billing_information.update_information(self.account, now._replace(country=buyer[0], vat_number=buyer[1]))
        self.model.treatment = TREATMENT[buyer[0]] if buyer[1] or buyer[0] == "US" else "standard"
        Life.tally["move country", self.model.treatment] += 1

    # the world

    @rule(prices=st.sampled_from(PRICES))
    def change_prices(self, prices: Any) -> None:
        new = new_id()
        with transaction() as session:
            session.add(PriceList(id=new, currency="EUR", rows=[list(tier) for tier in prices]))
            session.flush()
            session.execute(update(Subscription).where(Subscription.id == self.subscription).values(price_list_id=new))
        self.lists[new] = self.model.prices = prices
        Life.tally["change prices", "done"] += 1

    @rule(active=st.sampled_from((0, 0, 0, 1, 3, 5, 9, 14, 30)))
    def set_active_users(self, active: int) -> None:
        tenant = service.load(self.account, self.subscription).tenant
        with transaction() as session:
            session.add(SandboxHeadcount(tenant=tenant, account_id=self.account, active=active, since=self.model.now))
        self.model.crowd.append((self.model.now, active))
        Life.tally["set active users", "done"] += 1

    @rule(fault=st.sampled_from((None, *FAULTS)))
    def arm(self, fault: str | None) -> None:
        with transaction() as session:
            session.get_one(SandboxAccount, self.account).next_charge = fault
        self.model.fault = fault
        Life.tally["arm the gateway", fault or "nothing"] += 1

    def post(self, path: str, **form: str) -> None:
        with self.app.app_context():
            answer = self.app.test_client().post(path, data=form, headers={"Accept": "application/json"})
        assert answer.status_code in (200, 303), answer.text
        db.session.remove()

    # time

    @rule(
        days=st.sampled_from((0, 0, 0, 1, 3, 7, 9, 31)),
        seconds=st.sampled_from((1, 14, 15, 120, 1799, 1800, 7200, 40_000)),
        sweep=st.booleans(),
    )
    def pass_time(self, days: int, seconds: int, sweep: bool) -> None:
        self.move_to(self.model.now + timedelta(days=days, seconds=seconds), sweep)

    @rule(
        periods=st.sampled_from((0, 0, 0, 1, 3)),
        seconds=st.sampled_from((-1, 0, 0, 60)),
        days=st.sampled_from((0, 0, 8)),
    )
    def pass_boundaries(self, periods: int, seconds: int, days: int) -> None:
        """A late sweep finds all at once what became due meanwhile."""
        day = self.model.start(self.model.covering + 1 + periods) + timedelta(days=days)
        self.move_to(self.model.midnight(day).astimezone(UTC) + timedelta(seconds=seconds), seconds == 60)

    def move_to(self, now: datetime, sweep: bool) -> None:
        panel._set_clock(self.account, now)
        self.model.now = max(now, self.model.now)
        Life.tally["move the clock", "swept" if sweep else "not swept"] += 1
        if sweep:
            self.sweep()

    @rule(twice=st.booleans())
    def sweep(self, twice: bool = False) -> None:
        assert rollover.sweep(self.account) == 0
        self.model.sweep()
        if twice:
            if self.model.pending or self.refunding:
                self.sweep()  # what became of a charge or a refund may be known by now
            with self.writing() as written:
                assert rollover.sweep(self.account) == 0
            assert written == set(), "rolling over again changes nothing"
        self.name_quotes()
        Life.tally["sweep", self.model.status] += 1

    @rule(to=st.sampled_from((60, 1801, 86_400, 8 * 86_400, 40 * 86_400, 100 * 86_400)))
    def walk(self, to: int) -> None:
        """As the panel moves a clock, which stops at each event."""
        self.sweep()
        while self.refunding and self.model.fault != "down":
            self.sweep()
        self.model.walk(self.model.now + timedelta(seconds=to))
        self.post(f"/sandbox/accounts/{self.account}/clock", to=self.model.now.isoformat())
        self.name_quotes()
        Life.tally["move the clock", "stopping at each event"] += 1

    @property
    def refunding(self) -> bool:
        return any(credit.state == "pending" for credit in self.model.credits)

    def name_quotes(self) -> None:
        """The sweep's quotes get their ids; those that were refused for the same period are alike."""
        named = {quote.id for quote in self.model.quotes}
        rows = [row for row in invariants.read(self.account).paid if row.automatic and row.quote_id not in named]
        fresh = [quote for quote in self.model.quotes if not quote.id]
        order = ("declined", "cancelled", "captured", "pending")
        rows.sort(key=lambda row: (row.ordinal, order.index(row.state)))
        fresh.sort(key=lambda quote: (quote.ordinal, order.index(quote.attempts[0].state)))
        assert len(rows) == len(fresh), "the sweep made other payments than the model"
        for row, quote in zip(rows, fresh, strict=True):
            quote.id = row.quote_id

    # what is checked after each step

    @invariant()
    def the_portal_is_as_the_model_says(self) -> None:
        model, rows = self.model, invariants.read(self.account)
        invariants.check(rows)
        invariants.check_quiet(self.account)
        Life.tally["step", "checked"] += 1
        assert {row.ordinal: row.seats for row in rows.periods} == model.seats
        assert {row.ordinal: self.lists[row.price_list_id] for row in rows.periods} == model.paid_at
        assert {row.source for row in rows.periods} == {"external" if model.forbids else "paid"}
        asked = Counter((c.kind, c.seats, c.ordinal, c.state) for c in model.changes)
        assert Counter((r.kind, r.seats, r.effective_ordinal, r.closed_as or "open") for r in rows.changes) == asked
        tried = [(q, a) for q in model.quotes for a in q.attempts]
        payments = Counter((q.kind, q.ordinal, q.automatic, q.net + q.tax, a.state, a.asked) for q, a in tried)
        assert payments == Counter(
            (r.kind, r.ordinal, r.automatic, r.amount, r.state, r.action_url is not None) for r in rows.paid
        )
        ledger = Counter((q.net + q.tax, a.bank) for q, a in tried if a.heard)
        assert Counter((charge.amount, charge.state) for charge in rows.charges) == ledger
        billed = [(row.issued_on, row.net, row.tax) for row in rows.invoices if row.payment_key]
        assert billed == model.invoices
        noted = Counter((row.issued_on, row.net, row.tax) for row in rows.notes)
        assert noted == Counter((one.day, one.net, one.tax) for one in model.credits if one.state == "made")
        assert Counter(row.state for row in rows.refunds) == Counter(one.state for one in model.credits)
        given_back = Counter(one.net + one.tax for one in model.credits if one.bank == "made")
        assert Counter(row.amount for row in rows.given_back) == given_back
        for row in (*rows.invoices, *rows.notes):
            told = {name: value for name, value in row._mapping.items() if name not in ("credited", "status")}
            assert self.issued.setdefault(row.number, repr(told)) == repr(told), "an issued invoice never changes"
        mails = Counter(about.split("/")[0] for about in rows.mails)
        assert mails == +model.mails, (mails - model.mails, model.mails - mails)
        assert set(rows.cards) == {card.id for card in model.cards if not card.gone}
        assert rows.defaults == ([model.default.id] if model.default else [])
        self.tile_is_as_the_model_says()

    def tile_is_as_the_model_says(self) -> None:
        model, told = self.model, service.summary(service.load(self.account, self.subscription))
        facts = told.subscription.facts()
        assert (told.status, told.seats, told.next_seats) == (
            model.status,
            model.seats[model.current],
            model.next_seats,
        )
        assert (facts.anchor, facts.ended_on) == (model.anchor, model.ended_on)
        for n in (*model.seats, model.last + 1):
            assert (facts.period(n).start, facts.period(n).end) == (model.start(n), model.start(n + 1)), "periods tile"
        assert told.period.ordinal == model.current
        assert facts.active_users == model.known
        assert (told.pending is None) == (model.pending is None)
        db.session.remove()

    def teardown(self) -> None:
        try:
            if hasattr(self, "model"):
                self.sweep(twice=True)
                self.the_portal_is_as_the_model_says()
        finally:
            self.context.pop()


def fast(app: Flask) -> Flask:
    """What is lost when the machine stops does not matter here, so nothing waits for the disk."""
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return app


@contextmanager
def still() -> Iterator[None]:
    """The machine's time does not pass; the accounts' clocks are moved by the steps alone."""
    with (
        patch.object(clock, "machine_now", lambda: MACHINE_TIME),
        patch.object(panel, "machine_now", lambda: MACHINE_TIME),
        patch.object(scenarios, "machine_now", lambda: MACHINE_TIME),
    ):
        yield


def machine(app: Flask) -> type[Life]:
    return type("Life", (Life,), {"app": fast(app)})


@pytest.fixture(scope="module")
def shared(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One database for all runs: each has an account of its own."""
    with databases.copied(migrated, tmp_path_factory.mktemp("life")) as url:
        app = create_app({"SQLALCHEMY_DATABASE_URI": url, "SANDBOX": True})
        yield app
        with app.app_context():
            db.engine.dispose()


def test_any_life_is_as_the_rules_say(shared: Flask) -> None:
    with still():
        run_state_machine_as_test(
            machine(shared),
            settings=settings(
                MIXED, max_examples=10 if databases.POSTGRESQL else 20, stateful_step_count=25, derandomize=True
            ),
        )
