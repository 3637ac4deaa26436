"""An account's cards: add, list, delete, and choose the default and the backup.

Every change of the cards locks the account's row. So exactly one card is the default while the account has cards.
"""

from typing import NamedTuple

from sqlalchemy import and_, or_, select, update
from sqlalchemy import delete as delete_rows

from ..accounts import activity, billing_information
from ..db import LOCK, NotFound, db, transaction
from ..domain import subscription as rules
from ..domain.refusals import CardInUse, DefaultCardKept, DefaultIsNoBackup
from ..mail import security_mails
from ..models.accounts import Account
from ..models.cards import Card, CardSetup, DefaultCard
from ..models.purchases import Payment, Quote
from ..ports import NewCard, ports
from ..subscriptions import loading
from . import detachments, wallet
from .quotes import check_card


def begin_card_setup(account_id: str, quote_id: str | None, return_url: str, locale: str) -> str:
    """The URL of the gateway's card page. The owner returns to `return_url`, with a parameter `reference`."""
    db.session.rollback()
    setup = ports().gateway.begin_card_setup(account_id, return_url, locale)
    now = ports().clock.system_now()
    with transaction() as session:
        session.add(CardSetup(reference=setup.reference, account_id=account_id, quote_id=quote_id, begun_at=now))
    return setup.url


class EnteredCard(NamedTuple):
    """What a visit to the gateway's card page led to.

    `card` is None if the owner gave up. `quote` is the purchase that the visit began in. `was_saved`: the owner entered
    a card that was saved before.
    """

    card: Card | None
    quote: Quote | None
    was_saved: bool = False


def complete_card_setup(account_id: str, reference: str) -> EnteredCard:
    """Saves the card that the owner entered, and selects it for the quote that the visit began in.

    A card that is saved already is not saved twice: it gets the new token, and the gateway forgets the old one.
    Raises NotFound and OutcomeUnknown.
    """
    if _setup(account_id, reference) is None:
        raise NotFound(reference)
    db.session.rollback()
    entered = ports().gateway.complete_card_setup(account_id, reference)
    with transaction():
        loading.lock_all(account_id)
        account = _locked_account(account_id)  # a second return waits here
        setup = _setup(account_id, reference)
        replaced = _save(account, setup, entered) if entered and setup and setup.completed_at is None else None
    if replaced is not None:
        detachments.detach_now(replaced)
    return _entered_card(account_id, reference, entered)


def _save(account: Account, setup: CardSetup, entered: NewCard) -> detachments.DetachmentKey | None:
    """Saves the card in the open transaction. Returns the detachment of the token that it replaces, if any."""
    card, replaced = wallet.find_same_card(account.id, entered), None
    if card is None:
        card = wallet.add_card(account, entered)
        setup.completed_at, what = card.added_at, "card_added"
    else:
        setup.completed_at, what = ports().clock.now(account), "card_updated"
        replaced = detachments.store(account.id, card.token, setup.completed_at)
        card.token, card.holder = entered.token, entered.holder
    activity.record(account.id, what, setup.completed_at, after=wallet.activity_values(card))
    if what == "card_added":
        _tell(account, what, card)
    if setup.quote_id is not None and not _is_charged(account.id, setup.quote_id):
        db.session.get_one(Quote, (account.id, setup.quote_id)).card_id = card.id
    return replaced


def _is_charged(account_id: str, quote_id: str) -> bool:
    """Whether the quote has a pending or captured payment: its card is then the one that this payment charges."""
    of_quote = Payment.account_id == account_id, Payment.quote_id == quote_id
    query = select(Payment.key).where(*of_quote, Payment.state.in_(("pending", "captured")))
    return db.session.scalars(query).first() is not None


def _entered_card(account_id: str, reference: str, entered: NewCard | None) -> EnteredCard:
    """The same for each return from the card page. A card that was deleted since then stays deleted."""
    setup = _setup(account_id, reference)
    quote = db.session.get(Quote, (account_id, setup.quote_id)) if setup and setup.quote_id else None
    card = _card_with(account_id, entered.token) if entered else None
    if card is None or setup is None or setup.completed_at is None:
        return EnteredCard(None, quote)
    return EnteredCard(card, quote, was_saved=card.added_at < setup.completed_at)


def _card_with(account_id: str, token: str) -> Card | None:
    return db.session.scalars(select(Card).where(Card.account_id == account_id, Card.token == token)).one_or_none()


def _setup(account_id: str, reference: str) -> CardSetup | None:
    return db.session.get(CardSetup, (account_id, reference), populate_existing=True)


def find_card(account_id: str, card_id: str) -> Card:
    """A card of this account. Raises NotFound."""
    card = db.session.get(Card, (account_id, card_id))
    if card is None:
        raise NotFound(card_id)
    return card


def check_deletion(card: Card) -> None:
    """Raises DefaultCardKept or CardInUse if the card cannot be deleted now."""
    default = wallet.default_card(card.account_id)
    if default is not None and default.id == card.id:
        only = len(wallet.cards_of(card.account_id)) == 1
        if not only or _can_be_charged(card.account_id):
            raise DefaultCardKept(only)
    # The quote tells when the payment was begun with an older token of this card.
    charging = db.session.scalars(
        select(Payment.subscription_id)
        .join(Quote, and_(Quote.account_id == Payment.account_id, Quote.id == Payment.quote_id))
        .where(Payment.account_id == card.account_id, Payment.state == "pending")
        .where(or_(Payment.card_token == card.token, Quote.card_id == card.id))
    ).first()
    if charging is not None:
        raise CardInUse(charging)


def _can_be_charged(account_id: str) -> bool:
    """Whether a subscription of this account can still be charged."""
    today = ports().clock.now(billing_information.account_of(account_id)).date()
    return any(rules.can_be_charged(subscription.facts, today) for subscription in loading.load_all(account_id))


def delete(account_id: str, card_id: str) -> str:
    """Deletes a card, here first and then at the gateway, so a card in the list can always be charged.

    Returns its last four digits. Raises NotFound, DefaultCardKept and CardInUse.
    """
    with transaction() as session:
        loading.lock_all(account_id)  # no payment can begin meanwhile
        account = _locked_account(account_id)
        card = find_card(account_id, card_id)
        check_deletion(card)
        token, last4, now = card.token, card.last4, ports().clock.now(account)
        session.execute(
            delete_rows(DefaultCard).where(DefaultCard.account_id == account_id, DefaultCard.card_id == card.id)
        )
        _drop_backup(account_id, card.id)
        quoted = update(Quote).where(Quote.account_id == account_id, Quote.card_id == card.id)
        session.execute(quoted.values(card_id=None))
        session.execute(delete_rows(Card).where(Card.account_id == account_id, Card.id == card.id))
        detachment = detachments.store(account_id, token, now)
        activity.record(account_id, "card_deleted", now, before=wallet.activity_values(card))
        _tell(account, "card_deleted", card)
    detachments.detach_now(detachment)
    return last4


class NewDefault(NamedTuple):
    """`was_backup`: the card was the backup card, so there is none now."""

    last4: str
    was_backup: bool


def make_default(account_id: str, card_id: str) -> NewDefault:
    """Makes a card the default payment method. Doing it twice has one effect.

    If it was the backup card, there is none then: the former default may be the card that was just refused.
    """
    with transaction() as session:
        loading.lock_all(account_id)  # the sweep checks them again: the new card may expire before a renewal
        account = _locked_account(account_id)
        card, previous = find_card(account_id, card_id), wallet.default_card(account_id)
        was_backup = _drop_backup(account_id, card.id)
        if previous is None or previous.id != card.id:
            session.merge(DefaultCard(account_id=account_id, card_id=card.id))
            now = ports().clock.now(account)
            before = wallet.activity_values(previous) if previous else None
            activity.record(account_id, "card_made_default", now, before, wallet.activity_values(card))
            _tell(account, "card_made_default", card)
        return NewDefault(card.last4, was_backup)


def make_backup(account_id: str, card_id: str) -> str:
    """Makes a card the backup card, instead of another one if there is one. Doing it twice has one effect.

    Returns its last four digits. Raises NotFound, DefaultIsNoBackup and CardExpired.
    """
    with transaction() as session:
        loading.lock_all(account_id)
        account = _locked_account(account_id)
        now, card, previous = ports().clock.now(account), find_card(account_id, card_id), wallet.backup_card(account_id)
        roles = session.get_one(DefaultCard, account_id, populate_existing=True)
        if roles.card_id == card.id:
            raise DefaultIsNoBackup
        check_card(card, now)
        if roles.backup_id != card.id:
            roles.backup_id = card.id
            before = wallet.activity_values(previous) if previous else None
            activity.record(account_id, "card_made_backup", now, before, wallet.activity_values(card))
            _tell(account, "card_made_backup", card)
        return card.last4


def remove_backup(account_id: str, card_id: str) -> str:
    """The card is no longer the backup card, if it was. Returns its last four digits. Raises NotFound."""
    with transaction():
        loading.lock_all(account_id)
        account = _locked_account(account_id)
        card = find_card(account_id, card_id)
        if _drop_backup(account_id, card.id):
            now = ports().clock.now(account)
            activity.record(account_id, "card_no_backup", now, before=wallet.activity_values(card))
            _tell(account, "card_no_backup", card)
        return card.last4


def _drop_backup(account_id: str, card_id: str) -> bool:
    """In the open transaction, which holds the account's lock. False: this card was not the backup card."""
    is_backup = DefaultCard.account_id == account_id, DefaultCard.backup_id == card_id
    dropped = update(DefaultCard).where(*is_backup).values(backup_id=None).returning(DefaultCard.account_id)
    return db.session.scalars(dropped).first() is not None


def _tell(account: Account, what: str, card: Card) -> None:
    """The mails about the card, in the open transaction."""
    db.session.add_all(security_mails.card_changed(account, what, card.brand, card.last4))


def _locked_account(account_id: str) -> Account:
    return db.session.get_one(Account, account_id, with_for_update=LOCK)
