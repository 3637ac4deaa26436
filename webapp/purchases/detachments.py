"""Detachments: cards that were dropped here and that the gateway must forget.

A detachment is stored in the transaction that drops the card, so it cannot be lost. It is tried at once, and then by
the sweep, until the gateway has confirmed it. Asking the gateway twice does no harm.
"""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, select

from ..db import Across, across, db, transaction
from ..models.accounts import Account
from ..models.cards import CardDetachment
from ..models.purchases import Payment
from ..ports import OutcomeUnknown, ports
from . import payments

log = logging.getLogger(__name__)
FIRST_WAIT = timedelta(minutes=1)  # before the second attempt; it doubles with each attempt
LONGEST_WAIT = timedelta(days=1)
CHARGING = select(Payment.key).where(
    Payment.account_id == CardDetachment.account_id,
    Payment.state == "pending",
    Payment.card_token == CardDetachment.token,
)


class DetachmentKey(NamedTuple):
    account_id: str
    token: str


def store(account_id: str, token: str, now: datetime) -> DetachmentKey:
    """Adds a detachment to the open transaction. After the commit, pass its key to `detach_now`."""
    db.session.add(CardDetachment(account_id=account_id, token=token, created_at=now, attempts=0, next_try_at=now))
    return DetachmentKey(account_id, token)


def detach_now(key: DetachmentKey) -> None:
    """Tries a detachment right after it was stored. If it fails, the sweep tries again."""
    try:
        detach(key)
    except Exception:  # for the owner the card is gone already
        log.exception("the gateway keeps a card of account %s for now", key.account_id)


def detach(key: DetachmentKey) -> str | None:
    """Asks the gateway to forget the card, while no transaction is open.

    Returns "detached", or "silent" if the gateway did not answer. None if there is nothing to do now: it is done, it is
    too early, another process is trying, or a payment with this card is pending.
    """
    if not _claim(key):
        return None
    try:
        ports().gateway.detach(key.token)
    except OutcomeUnknown:
        _report_if_long(key)
        return "silent"
    with transaction() as session:
        session.execute(delete(CardDetachment).where(*_is(key)))
    return "detached"


def _claim(key: DetachmentKey) -> bool:
    """Commits when the next attempt may begin. Until then every other process leaves this detachment alone."""
    with transaction() as session:
        now = ports().clock.now(session.get_one(Account, key.account_id))
        query = select(CardDetachment).where(*_is(key), CardDetachment.next_try_at <= now, ~CHARGING.exists())
        query = query.with_for_update(of=CardDetachment, key_share=True).execution_options(populate_existing=True)
        detachment = session.scalars(query).one_or_none()
        if detachment is None:
            return False
        detachment.next_try_at = now + min(FIRST_WAIT * 2 ** min(detachment.attempts, 20), LONGEST_WAIT)
        detachment.attempts += 1
    return True


def _is(key: DetachmentKey) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return CardDetachment.account_id == key.account_id, CardDetachment.token == key.token


def _report_if_long(key: DetachmentKey) -> None:
    detachment = db.session.get(CardDetachment, key)
    if detachment is not None:
        waited = ports().clock.now(db.session.get_one(Account, key.account_id)) - detachment.created_at
        if waited >= payments.LONG_PENDING:
            log.error(
                "the gateway has kept card %s for %s since it was deleted here: detach it there", key.token, waited
            )
    db.session.rollback()


def open_keys(account_id: str | None, limit: int) -> list[DetachmentKey]:
    """The detachments that are not done, those whose turn it is first."""
    query = select(CardDetachment.account_id, CardDetachment.token).order_by(CardDetachment.next_try_at).limit(limit)
    query = across(query, Across.SWEEP) if account_id is None else query.where(CardDetachment.account_id == account_id)
    keys = [DetachmentKey(*row) for row in db.session.execute(query)]
    db.session.rollback()
    return keys
