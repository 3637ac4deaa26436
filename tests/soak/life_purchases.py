"""Purchases and refunds in a random life."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlalchemy import select

from tests.soak.life_base import BACK, LifeBase, faults, indexes, nth, seats
from tests.soak.model_parts import Card, Quote
from tests.support import invariants
from webapp.db import db
from webapp.purchases import payments, quotes, refunds
from webapp.sandbox.tables import SandboxCharge


class Purchases(LifeBase):
    def quoted(self, kind: str, seats: int) -> Quote | None:
        ask = {"renewal": quotes.quote_renewal, "addition": quotes.quote_addition}[kind]
        quote, got = self.both(
            f"quote {kind}", lambda: self.model.quote(kind, seats), lambda: ask(self.account, self.subscription, seats)
        )
        if quote is None:
            return None
        quote.id = got
        row = quotes.load_quote(self.account, self.subscription, got)
        assert [line["amount"] for line in row.lines] == [line[-1] for line in quote.lines]
        assert (row.ordinal, row.net, row.tax, row.seats) == (quote.ordinal, quote.net, quote.tax, quote.seats)
        assert row.expires_at == quote.expires
        assert isinstance(quote, Quote)
        return quote

    def paid(self, quote: Quote, attempt: int, shown: Card | None) -> None:
        card = shown.id if shown else None
        by_model, got = self.both(
            "pay",
            lambda: self.model.pay(quote, attempt, shown),
            lambda: payments.pay(self.account, self.subscription, quote.id, attempt, BACK, card).state,
        )
        assert isinstance(got, Exception) or by_model == got

    def chosen(self, quote: Quote, card: Card | None) -> None:
        self.both(
            "choose card",
            lambda: self.model.choose(quote, card),
            lambda: quotes.choose_card(self.account, self.subscription, quote.id, card.id if card else None),
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
    @rule(n=indexes, which=indexes, none=st.sampled_from((False, False, False, True)))
    def choose_card(self, n: int, which: int, none: bool) -> None:
        self.chosen(nth(self.model.quotes, n), None if none else nth(self.model.cards, which))

    @precondition(lambda self: self.model.quotes)
    @rule(n=indexes, again=indexes, seen=st.sampled_from((None, 0, 1)))
    def pay(self, n: int, again: int, seen: int | None) -> None:
        """Pays the newest quote or an old one; with the next attempt, or an earlier one again."""
        quote = nth(self.model.quotes, n)
        attempt = max(1, len(quote.attempts) + 1 - again % 3)
        self.paid(quote, attempt, quote.card if seen is None else nth(self.model.cards, seen))

    @precondition(lambda self: self.model.quotes)
    @rule(n=indexes)
    def come_back(self, n: int) -> None:
        """Returns from the bank's page, with or without an answer; or presses "Check now"."""
        quote = nth(self.model.quotes, n)
        self.both(
            "come back",
            lambda: self.model.ask_again(quote),
            lambda: payments.reconcile(self.account, self.subscription, quote.id),
        )

    @precondition(lambda self: self.model.quotes)
    @rule(n=indexes)
    def abandon(self, n: int) -> None:
        quote = nth(self.model.quotes, n)
        self.both(
            "abandon",
            lambda: self.model.abandon(quote),
            lambda: payments.abandon(self.account, self.subscription, quote.id),
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
        self.tally["answer the bank", attempt.bank] += 1
        if back:
            self.come_back(self.model.quotes[::-1].index(quote))

    @precondition(lambda self: self.model.invoices)
    @rule(n=indexes, part=st.sampled_from((None, None, 1, 7, 333, 20_000, 10**6)), fault=faults)
    def credit(self, n: int, part: int | None, fault: str | None) -> None:
        """Keeps to one pending refund, as the sweep asks for them in no fixed order."""
        waiting = [credit.invoice for credit in self.model.credits if credit.state == "pending"]
        invoice = waiting[0] if waiting else len(self.model.invoices) - 1 - n % len(self.model.invoices)
        number = [row.number for row in invariants.read(self.account).invoices if row.payment_key][invoice]
        if fault:
            self.arm(fault)
        by_model, got = self.both(
            "credit",
            lambda: self.model.credit(invoice, part),
            lambda: refunds.credit(self.account, number, part).state,
        )
        assert isinstance(got, Exception) or by_model == got
