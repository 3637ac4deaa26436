"""An account's cards, its default card and its backup card, for use inside other transactions."""

from typing import NamedTuple

from sqlalchemy import and_, select

from ..db import db, new_id
from ..models.accounts import Account
from ..models.cards import Card, DefaultCard
from ..ports import NewCard, ports


class OwnCard(NamedTuple):
    """A card of the account, and its role. The default is charged automatically, the backup if that is refused."""

    card: Card
    is_default: bool
    is_backup: bool


_is_default = and_(DefaultCard.account_id == Card.account_id, DefaultCard.card_id == Card.id)


def cards_of(account_id: str) -> list[OwnCard]:
    """The account's cards: the default, the backup, and the others as they were added."""
    rows = db.session.execute(
        select(Card, DefaultCard.card_id == Card.id, DefaultCard.backup_id == Card.id)
        .outerjoin(DefaultCard, DefaultCard.account_id == Card.account_id)
        .where(Card.account_id == account_id)
        .order_by(Card.added_at, Card.id)
    )
    cards = [OwnCard(card, bool(is_default), bool(is_backup)) for card, is_default, is_backup in rows]
    return sorted(cards, key=lambda own: (not own.is_default, not own.is_backup))


def default_card(account_id: str) -> Card | None:
    """The card that renewals are charged to. None if the account has no card."""
    query = select(Card).join(DefaultCard, _is_default).where(Card.account_id == account_id)
    return db.session.scalars(query).one_or_none()


def backup_card(account_id: str) -> Card | None:
    """The card that is charged if the default card is refused. None if the owner chose none."""
    is_backup = and_(DefaultCard.account_id == Card.account_id, DefaultCard.backup_id == Card.id)
    query = select(Card).join(DefaultCard, is_backup).where(Card.account_id == account_id)
    return db.session.scalars(query).one_or_none()


def find_same_card(account_id: str, entered: NewCard) -> Card | None:
    """The account's card with the same brand, digits, expiry and holder. None if `entered` is another card."""
    cards = (own.card for own in cards_of(account_id))
    return next((card for card in cards if _printed_on(card) == _printed_on(entered)), None)


def _printed_on(card: Card | NewCard) -> tuple[object, ...]:
    """What tells two cards apart. The holder may be typed in capitals, or with other spaces."""
    return card.brand, card.last4, card.exp_year, card.exp_month, " ".join(card.holder.split()).casefold()


def add_card(account: Account, entered: NewCard) -> Card:
    """Adds a card to the open transaction. The first card of an account becomes its default."""
    card = Card(id=new_id(), account_id=account.id, added_at=ports().clock.now(account), **entered._asdict())
    db.session.add(card)
    db.session.flush()
    if db.session.get(DefaultCard, account.id) is None:
        db.session.add(DefaultCard(account_id=account.id, card_id=card.id))
    return card


def activity_values(card: Card) -> dict[str, str]:
    """What the activity records of a card."""
    return {"brand": card.brand, "last4": card.last4}
