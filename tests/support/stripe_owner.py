"""An owner who pays at the small Stripe."""

import re
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.servers.stripe_server import Stripe
from tests.support.world import renew_url, signed_in
from webapp.adapters.clock import machine_now
from webapp.db import db
from webapp.models.cards import Card
from webapp.models.invoices import Invoice
from webapp.models.purchases import Payment
from webapp.models.subscriptions import PeriodRow
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


class Owner:
    """A signed-in owner outside the sandbox, whose cards are at Stripe."""

    def __init__(self, app: Flask, stripe: Stripe, scenario: str = "business") -> None:
        self.app, self.stripe = app, stripe
        self.made: Made = scenarios.make(scenario, now=machine_now())
        self.client: FlaskClient = signed_in(app, self.made)

    def follow(self, answer: Any) -> str:
        """Where a redirect leads, without the host."""
        assert answer.status_code == 303, answer.text
        where = urlsplit(answer.headers["Location"])
        return where.path + (f"?{where.query}" if where.query else "")

    def quoted(self) -> str:
        """The address of the payment page for 14 seats."""
        return self.follow(self.client.post(renew_url(self.made), data={"seats": 14}))

    def enters_card(self, at: str, behaves: str = "accepted", **card: str) -> str:
        """Enters a card at Checkout and returns; gives the page where that leads."""
        answer = self.client.post(f"{at}/new-card" if at.endswith("payment") else at)
        session = re.findall(r"^https://checkout\.stripe\.com/c/pay/(\w+)", answer.headers["Location"])[0]
        self.stripe.enter_card(session, behaves, **card)
        back = urlsplit(self.stripe.sessions[session]["success_url"])
        return self.follow(self.client.get(f"{back.path}?{back.query}"))

    def newest_card(self) -> str:
        db.session.rollback()
        newest = select(Card.id).where(Card.token.like("pm_%")).order_by(Card.added_at.desc())
        card_id = db.session.scalars(newest).first() or ""
        db.session.rollback()
        return card_id

    def pays(self, behaves: str = "accepted") -> str:
        """Renews with a newly entered card; gives the page where paying leads."""
        payment = self.quoted()
        assert self.enters_card(payment, behaves) == payment
        card = self.newest_card()
        assert re.search(rf'value="{card}"[^>]*checked|checked[^>]*value="{card}"', self.client.get(payment).text)
        overview = self.follow(self.client.post(payment, data={"card": card}))
        assert "Visa ••••\u00a04242" in self.client.get(overview).text
        return self.follow(self.client.post(overview.replace("overview", "pay"), data={"attempt": 1, "card": card}))

    def payments(self) -> list[str]:
        db.session.rollback()
        return list(db.session.scalars(select(Payment.state).order_by(Payment.created_at, Payment.key)))

    def renewals(self) -> int:
        """The number of invoices of periods that were paid in the portal."""
        periods = db.session.scalars(select(PeriodRow)).all()
        issued = db.session.scalars(select(Invoice).where(Invoice.payment_key.is_not(None))).all()
        assert len(periods) - 6 in (len(issued), len(issued) - 1)
        return len(issued)
