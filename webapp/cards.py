"""What an owner does with the account's cards: to see, delete and choose them. The same shared rules as `service`.

Whoever changes which cards there are, or which is the default, holds the account's row: one default while cards exist.
"""

import logging
from datetime import date
from typing import NamedTuple

from sqlalchemy import delete as delete_rows
from sqlalchemy import select

from . import activity, billing, service
from .db import LOCK, NotFound, db, transaction
from .domain.subscription import Refusal
from .models import Account, Card, DefaultCard, Payment, Subscription
from .ports import ports

log = logging.getLogger(__name__)


class DefaultCardKept(Refusal):
    """The default card is what renewals are charged to; another must be made default first. `only`: there is none."""

    def __init__(self, only: bool) -> None:
        self.only = only


class CardInUse(Refusal):
    """The gateway may still be charging it, for the subscription with this id."""

    def __init__(self, subscription_id: str) -> None:
        self.subscription_id = subscription_id


class Listed(NamedTuple):
    """A card as the page shows it. `expires_before` is the next renewal's day, where the card ends sooner."""

    card: Card
    is_default: bool
    expired: bool
    expires_before: date | None


def listed(account_id: str) -> list[Listed]:
    """The account's cards, the default first, with what is wrong with each today."""
    today = ports().clock.now(billing.account_of(account_id)).date()
    days = (service.next_charge(subscription.facts()) for subscription in service.load_all(account_id))
    renewal = min((day for day in days if day is not None), default=None)
    return [
        Listed(card, is_default, card.expired(today), renewal if renewal and card.expired(renewal) else None)
        for card, is_default in billing.cards_of(account_id)
    ]


def find(account_id: str, card_id: str) -> Card:
    card = db.session.scalars(select(Card).where(Card.id == card_id, Card.account_id == account_id)).one_or_none()
    if card is None:
        raise NotFound(card_id)
    return card


def check_deletion(card: Card) -> None:
    """Raises DefaultCardKept, CardInUse."""
    default = billing.default_card(card.account_id)
    if default is not None and default.id == card.id:
        raise DefaultCardKept(only=len(billing.cards_of(card.account_id)) == 1)
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
        billing.lock_all(account_id)  # no payment begins meanwhile
        account = _locked(account_id)
        card = find(account_id, card_id)
        check_deletion(card)
        token, last4 = card.token, card.last4
        session.execute(delete_rows(Card).where(Card.id == card.id))
        activity.record(account_id, "card_deleted", ports().clock.now(account), before=billing.told(card))
    try:
        ports().gateway.detach(token)
    except Exception:  # it is deleted for the owner, who can do nothing about the rest
        log.exception("the gateway keeps a card that was deleted here: %s", card_id)
    return last4


def make_default(account_id: str, card_id: str) -> str:
    """« Définir comme mode de paiement par défaut »; done twice it is done once. Its last four digits."""
    with transaction() as session:
        billing.lock_all(account_id)  # a card that expires too soon is told of
        account = _locked(account_id)
        card, before = find(account_id, card_id), billing.default_card(account_id)
        if before is None or before.id != card.id:
            session.merge(DefaultCard(account_id=account_id, card_id=card.id))
            now = ports().clock.now(account)
            activity.record(
                account_id, "card_made_default", now, billing.told(before) if before else None, billing.told(card)
            )
        return card.last4


def _locked(account_id: str) -> Account:
    return db.session.get_one(Account, account_id, with_for_update=LOCK)
