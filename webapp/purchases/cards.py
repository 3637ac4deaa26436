"""What an owner does with the account's cards: to see, delete and choose them. The same shared rules as `service`.

Whoever changes which cards there are, or which is the default, holds the account's row: one default while cards exist.
"""

import logging
from datetime import date
from typing import NamedTuple

from sqlalchemy import delete as delete_rows
from sqlalchemy import select

from ..accounts import activity, billing_information
from ..db import LOCK, NotFound, db, transaction
from ..domain import subscription as rules
from ..domain.refusals import CardInUse, DefaultCardKept
from ..models.accounts import Account
from ..models.purchases import Card, CardSetup, DefaultCard, Payment, Quote
from ..models.subscriptions import Subscription
from ..ports import ports
from ..subscriptions import loading
from ..subscriptions.loading import lock_all
from . import wallet
from .wallet import add_card, told


def begin_card_setup(account_id: str, quote_id: str | None, return_url: str, locale: str) -> str:
    """The address of the gateway's card page; the owner comes back to `return_url`, which gets `reference` added."""
    db.session.rollback()
    setup = ports().gateway.begin_card_setup(account_id, return_url, locale)
    now = ports().clock.system_now()
    with transaction() as session:
        session.add(CardSetup(reference=setup.reference, account_id=account_id, quote_id=quote_id, begun_at=now))
    return setup.url


def complete_card_setup(account_id: str, reference: str) -> tuple[Card | None, Quote | None]:
    """The card that the owner entered (None: gave up) and the quote it was entered for, which now has it selected."""
    if _setup(account_id, reference) is None:
        raise NotFound(reference)
    db.session.rollback()
    entered = ports().gateway.complete_card_setup(reference)
    with transaction() as session:
        lock_all(account_id)
        account = session.get_one(Account, account_id, with_for_update=LOCK)  # see `cards`; who comes twice waits here
        setup = _setup(account_id, reference)
        quote = session.get(Quote, setup.quote_id) if setup and setup.quote_id else None
        card = entered and session.scalars(select(Card).where(Card.token == entered.token)).one_or_none()
        if entered is None or setup is None or setup.completed_at is not None:
            return card, quote  # gave up, or came back twice: a card that was deleted since stays deleted
        card, setup.completed_at = add_card(account, entered), ports().clock.now(account)
        activity.record(account_id, "card_added", setup.completed_at, after=told(card))
        if quote is not None:
            quote.card_id = card.id
        return card, quote


def _setup(account_id: str, reference: str) -> CardSetup | None:
    return db.session.scalars(
        select(CardSetup).where(CardSetup.reference == reference, CardSetup.account_id == account_id)
    ).one_or_none()


log = logging.getLogger(__name__)


class Listed(NamedTuple):
    """A card as the page shows it. `expires_before` is the next renewal's day, where the card ends sooner."""

    card: Card
    is_default: bool
    expired: bool
    expires_before: date | None


def listed(account_id: str) -> list[Listed]:
    """The account's cards, the default first, with what is wrong with each today."""
    today = ports().clock.now(billing_information.account_of(account_id)).date()
    days = (rules.next_charge(subscription.facts()) for subscription in loading.load_all(account_id))
    renewal = min((day for day in days if day is not None), default=None)
    return [
        Listed(card, is_default, card.expired(today), renewal if renewal and card.expired(renewal) else None)
        for card, is_default in wallet.cards_of(account_id)
    ]


def find(account_id: str, card_id: str) -> Card:
    card = db.session.scalars(select(Card).where(Card.id == card_id, Card.account_id == account_id)).one_or_none()
    if card is None:
        raise NotFound(card_id)
    return card


def check_deletion(card: Card) -> None:
    """Raises DefaultCardKept, CardInUse."""
    default = wallet.default_card(card.account_id)
    if default is not None and default.id == card.id:
        raise DefaultCardKept(only=len(wallet.cards_of(card.account_id)) == 1)
    charging = db.session.scalars(
        select(Payment.subscription_id)
        .join(Subscription, Subscription.id == Payment.subscription_id)
        .where(Subscription.account_id == card.account_id)
        .where(Payment.state == "pending", Payment.card_token == card.token)
    ).first()
    if charging is not None:
        raise CardInUse(charging)


def delete(account_id: str, card_id: str) -> str:
    """« Supprimer »: here first, then at the gateway: no card is offered that cannot be charged. Its last digits."""
    with transaction() as session:
        loading.lock_all(account_id)  # no payment begins meanwhile
        account = _locked(account_id)
        card = find(account_id, card_id)
        check_deletion(card)
        token, last4 = card.token, card.last4
        session.execute(delete_rows(Card).where(Card.id == card.id))
        activity.record(account_id, "card_deleted", ports().clock.now(account), before=wallet.told(card))
    try:
        ports().gateway.detach(token)
    except Exception:  # it is deleted for the owner, who can do nothing about the rest
        log.exception("the gateway keeps a card that was deleted here: %s", card_id)
    return last4


def make_default(account_id: str, card_id: str) -> str:
    """« Définir comme mode de paiement par défaut »; done twice it is done once. Its last four digits."""
    with transaction() as session:
        loading.lock_all(account_id)  # a card that expires too soon is told of
        account = _locked(account_id)
        card, before = find(account_id, card_id), wallet.default_card(account_id)
        if before is None or before.id != card.id:
            session.merge(DefaultCard(account_id=account_id, card_id=card.id))
            now = ports().clock.now(account)
            activity.record(
                account_id, "card_made_default", now, wallet.told(before) if before else None, wallet.told(card)
            )
        return card.last4


def _locked(account_id: str) -> Account:
    return db.session.get_one(Account, account_id, with_for_update=LOCK)
