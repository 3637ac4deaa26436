"""An account's cards: add, list, delete, and choose the default.

Every change of the cards locks the account's row. So exactly one card is the default while the account has cards.
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
from . import wallet

log = logging.getLogger(__name__)


def begin_card_setup(account_id: str, quote_id: str | None, return_url: str, locale: str) -> str:
    """The URL of the gateway's card page. The owner returns to `return_url`, with a parameter `reference`."""
    db.session.rollback()
    setup = ports().gateway.begin_card_setup(account_id, return_url, locale)
    with transaction() as session:
        session.add(CardSetup(reference=setup.reference, account_id=account_id, quote_id=quote_id))
    return setup.url


def complete_card_setup(account_id: str, reference: str) -> tuple[Card | None, Quote | None]:
    """Saves the card that the owner entered, and selects it for the quote that the visit began in.

    Returns both; the card is None if the owner gave up. Raises NotFound and OutcomeUnknown.
    """
    if _setup(account_id, reference) is None:
        raise NotFound(reference)
    db.session.rollback()
    entered = ports().gateway.complete_card_setup(reference)
    with transaction() as session:
        loading.lock_all(account_id)
        account = _locked_account(account_id)  # a second return waits here
        setup = _setup(account_id, reference)
        quote = session.get(Quote, setup.quote_id) if setup and setup.quote_id else None
        card = entered and session.scalars(select(Card).where(Card.token == entered.token)).one_or_none()
        if entered is None or setup is None or setup.completed_at is not None:
            return card, quote  # the owner gave up or returned twice: a card deleted since then stays deleted
        card, setup.completed_at = wallet.add_card(account, entered), ports().clock.now(account)
        activity.record(account_id, "card_added", setup.completed_at, after=wallet.activity_values(card))
        if quote is not None:
            quote.card_id = card.id
        return card, quote


def _setup(account_id: str, reference: str) -> CardSetup | None:
    return db.session.scalars(
        select(CardSetup).where(CardSetup.reference == reference, CardSetup.account_id == account_id)
    ).one_or_none()


class CardRow(NamedTuple):
    """A card as the page lists it. `expires_before` is the day of the next renewal, if the card expires before it."""

    card: Card
    is_default: bool
    expired: bool
    expires_before: date | None


def list_cards(account_id: str) -> list[CardRow]:
    """The account's cards, the default first, and whether each is or will be expired."""
    today = ports().clock.now(billing_information.account_of(account_id)).date()
    days = (rules.next_charge(subscription.facts()) for subscription in loading.load_all(account_id))
    renewal = min((day for day in days if day is not None), default=None)

    def expires_before(card: Card) -> date | None:
        return renewal if renewal is not None and card.expired(renewal) else None

    return [
        CardRow(card, is_default, card.expired(today), expires_before(card))
        for card, is_default in wallet.cards_of(account_id)
    ]


def find_card(account_id: str, card_id: str) -> Card:
    """A card of this account. Raises NotFound."""
    card = db.session.scalars(select(Card).where(Card.id == card_id, Card.account_id == account_id)).one_or_none()
    if card is None:
        raise NotFound(card_id)
    return card


def check_deletion(card: Card) -> None:
    """Raises DefaultCardKept or CardInUse if the card cannot be deleted now."""
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
    """Deletes a card, here first and then at the gateway, so a card in the list can always be charged.

    Returns its last four digits. Raises NotFound, DefaultCardKept and CardInUse.
    """
    with transaction() as session:
        loading.lock_all(account_id)  # no payment can begin meanwhile
        account = _locked_account(account_id)
        card = find_card(account_id, card_id)
        check_deletion(card)
        token, last4 = card.token, card.last4
        session.execute(delete_rows(Card).where(Card.id == card.id))
        activity.record(account_id, "card_deleted", ports().clock.now(account), before=wallet.activity_values(card))
    try:
        ports().gateway.detach(token)
    except Exception:  # for the owner the card is deleted; only the operator can do the rest
        log.exception("the gateway keeps a card that was deleted here: %s", card_id)
    return last4


def make_default(account_id: str, card_id: str) -> str:
    """Makes a card the default payment method. Doing it twice has one effect. Returns its last four digits."""
    with transaction() as session:
        loading.lock_all(account_id)  # the sweep checks them again: the new card may expire before a renewal
        account = _locked_account(account_id)
        card, previous = find_card(account_id, card_id), wallet.default_card(account_id)
        if previous is None or previous.id != card.id:
            session.merge(DefaultCard(account_id=account_id, card_id=card.id))
            now = ports().clock.now(account)
            before = wallet.activity_values(previous) if previous else None
            activity.record(account_id, "card_made_default", now, before, wallet.activity_values(card))
        return card.last4


def _locked_account(account_id: str) -> Account:
    return db.session.get_one(Account, account_id, with_for_update=LOCK)
