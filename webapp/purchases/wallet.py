"""An account's cards and its default card, for use inside other transactions."""

from sqlalchemy import and_, select

from ..db import db, new_id
from ..models.accounts import Account
from ..models.cards import Card, DefaultCard
from ..ports import NewCard, ports

_is_default = and_(DefaultCard.account_id == Card.account_id, DefaultCard.card_id == Card.id)


def cards_of(account_id: str) -> list[tuple[Card, bool]]:
    """The account's cards, the default first; True marks the default card."""
    rows = db.session.execute(
        select(Card, DefaultCard.card_id.is_not(None))
        .outerjoin(DefaultCard, _is_default)
        .where(Card.account_id == account_id)
        .order_by(DefaultCard.card_id.is_(None), Card.added_at, Card.id)
    )
    return [(card, is_default) for card, is_default in rows]


def default_card(account_id: str) -> Card | None:
    """The card that renewals are charged to. None if the account has no card."""
    query = select(Card).join(DefaultCard, _is_default).where(Card.account_id == account_id)
    return db.session.scalars(query).one_or_none()


def find_same_card(account_id: str, entered: NewCard) -> Card | None:
    """The account's card with the same brand, digits, expiry and holder. None if `entered` is another card."""
    return next((card for card, _ in cards_of(account_id) if _printed_on(card) == _printed_on(entered)), None)


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
