"""Steps of a random life: reduce, cancel and undo, and changes of cards and billing information."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.soak.life_base import BACK, BEHAVIOURS, BUYERS, TREATMENT, LifeBase, indexes, nth
from tests.soak.model_parts import Card, Change
from tests.support import invariants
from webapp.accounts import billing_changes, billing_information
from webapp.db import db, new_id
from webapp.models.accounts import Account
from webapp.purchases import cards, payments
from webapp.sandbox.gateway import gateway_transaction
from webapp.sandbox.tables import SandboxCard, SandboxSetup
from webapp.subscriptions import service


class Requests(LifeBase):
    @rule(more=st.sampled_from((-12, -4, -3, -2, -1, -1, 0, 1)))
    def reduce(self, more: int) -> None:
        count = self.number(more)
        self.change(
            "reduce", lambda: self.model.reduce(count), lambda: service.reduce(self.account, self.subscription, count)
        )

    @rule(for_good=st.sampled_from((False, False, False, True)))
    def cancel(self, for_good: bool) -> None:
        """Mostly undoes it at once, and rarely ends a past-due subscription, so that the life goes on."""
        if for_good or self.model.status != "past_due":
            done = self.change("cancel", self.model.cancel, self.cancelled)
            if done and not for_good:
                self.withdraw(0)

    def cancelled(self) -> None:
        given_up = payments.cancel_challenge(self.account, self.subscription)
        service.cancel(self.account, self.subscription, given_up)

    def change(self, command: str, model: Callable[[], Change | None], portal: Callable[..., Any]) -> bool:
        change, _ = self.both(command, model, portal)
        if change:
            rows = invariants.read(self.account).changes
            change.id = next(row.id for row in rows if row.kind == change.kind and row.closed_as is None)
        return change is not None

    @rule(n=indexes)
    def withdraw(self, n: int) -> None:
        """Undoes an open request, an old one, or one that does not exist."""
        change = nth(self.model.changes, n) or Change("reduction", 1, 1, "never", "never")
        with self.writing() as written:
            self.both(
                "withdraw",
                lambda: self.model.withdraw(change),
                lambda: service.withdraw(self.account, self.subscription, change.id),
            )
        assert written <= {"change", "activity", "message"}, "undo changes no price and no period"

    @rule(behaviour=st.sampled_from(BEHAVIOURS), month=st.sampled_from((0, 1, 40, 40)), n=st.none() | indexes)
    def add_card(self, behaviour: str, month: int, n: int | None) -> None:
        """Enters a card on the gateway's page; returning twice saves it once."""
        quote = None if n is None else nth(self.model.quotes, n)
        year, month = divmod(self.model.today.year * 12 + self.model.today.month - 1 + month, 12)
        url = cards.begin_card_setup(self.account, quote.id if quote else None, BACK, "en")
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
        saved = [cards.complete_card_setup(self.account, reference)[0] for _ in range(2)]
        assert saved[0] is not None
        assert self.model.add_card(Card(behaviour, (year, month + 1), saved[0].id), quote).id == saved[0].id
        self.tally["add card", "accepted"] += 1

    @precondition(lambda self: self.model.cards)
    @rule(n=indexes)
    def delete_card(self, n: int) -> None:
        card = nth(self.model.cards, n)
        self.both("delete card", lambda: self.model.delete_card(card), lambda: cards.delete(self.account, card.id))

    @precondition(lambda self: self.model.cards)
    @rule(n=indexes)
    def make_default(self, n: int) -> None:
        card = nth(self.model.cards, n)
        self.both(
            "make default", lambda: self.model.make_default(card), lambda: cards.make_default(self.account, card.id)
        )

    @precondition(lambda self: self.model.cards)
    @rule(n=indexes, drop=st.sampled_from((False, False, False, True)), other=st.sampled_from((True, True, False)))
    def choose_backup(self, n: int, drop: bool, other: bool) -> None:
        """Mostly a card that is not the default."""
        others = [card for card in self.model.cards if card is not self.model.default]
        card = nth(others if other and others else self.model.cards, n)
        if drop:
            self.both(
                "remove backup",
                lambda: self.model.remove_backup(card),
                lambda: cards.remove_backup(self.account, card.id),
            )
        else:
            self.both(
                "make backup", lambda: self.model.make_backup(card), lambda: cards.make_backup(self.account, card.id)
            )

    @rule(buyer=st.sampled_from(BUYERS))
    def move_country(self, buyer: tuple[str, str]) -> None:
        account = db.session.get_one(Account, self.account)
        now = billing_information.Information(
            *(getattr(account, name) for name in billing_information.Information._fields)
        )
        billing_changes.update_information(self.account, now._replace(country=buyer[0], vat_number=buyer[1]))
        self.model.treatment = "standard" if buyer == ("DE", "") else TREATMENT[buyer[0]]
        self.tally["move country", self.model.treatment] += 1
