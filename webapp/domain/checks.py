"""« Will my renewal succeed? »: one check for each thing that the next automatic charge depends on."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from .subscription import ChangeKind, Due, Facts, Status, due, projected_seats, status
from .tax import EU, FRENCH_VAT_AREA


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"  # the renewal will succeed, but something needs attention
    PROBLEM = "problem"  # the renewal will fail
    ASKED = "asked"  # there will be no renewal, as was asked


class Point(StrEnum):
    """What a check is about."""

    CANCELLATION = "cancellation"
    CHARGE = "charge"
    PAYMENT = "payment"
    CARD = "card"
    EXPIRY = "expiry"
    REFUSAL = "refusal"
    BACKUP = "backup"
    SEATS = "seats"
    TAX = "tax"


class Remedy(StrEnum):
    """What the owner can do about it."""

    UNDO_CANCELLATION = "undo_cancellation"
    UNDO_REDUCTION = "undo_reduction"
    RENEW = "renew"
    ADD = "add"
    USERS = "users"
    FOLLOW_PAYMENT = "follow_payment"
    CARDS = "cards"
    BILLING_INFORMATION = "billing_information"


class TaxNumber(StrEnum):
    VALID = "valid"
    MISSING = "missing"
    INVALID = "invalid"


class CardFacts(NamedTuple):
    """The default card, or the backup card. `until` is the first day on which it is expired; `refused`: its last charge
    for the period that is owed was declined; `doubtful`: the same for any charge, and it has paid nothing since."""

    until: date
    refused: bool
    doubtful: bool = False


class Check(NamedTuple):
    """`day` is when the subscription ends, is charged, or its card expires: of the backup card, only if it does so too
    soon. `remedy` is None if the verdict is OK."""

    point: Point
    verdict: Verdict
    remedy: Remedy | None = None
    day: date | None = None


def renewal_checks(
    facts: Facts,
    today: date,
    card: CardFacts | None,
    country: str,
    tax_number: TaxNumber,
    backup: CardFacts | None = None,
) -> list[Check]:
    """The checks, most important first. Empty if no automatic charge will ever be made.

    `card` is None if the account has no default card, `backup` if it has no backup card.
    """
    now, next_due = status(facts, today), due(facts, today)
    if not facts.self_service or now is Status.ENDED or next_due is None:
        return []
    if next_due.event is Due.END and now is Status.LAPSED:
        return [Check(Point.CHARGE, Verdict.PROBLEM, Remedy.RENEW, next_due.day)]
    if next_due.event is Due.END:
        return [Check(Point.CANCELLATION, Verdict.ASKED, Remedy.UNDO_CANCELLATION, next_due.day)]
    charged_on = max(next_due.day, today)
    late = Verdict.WARNING if now is Status.PAST_DUE else Verdict.OK
    wait = facts.payment_pending and not facts.challenge_open
    return [
        _check(Point.CHARGE, late, Remedy.FOLLOW_PAYMENT if wait else Remedy.RENEW, charged_on),
        _check(Point.PAYMENT, _payment_verdict(facts), Remedy.FOLLOW_PAYMENT),
        *_card_checks(card, backup, charged_on),
        _seats_check(facts, now),
        _tax_check(country, tax_number),
    ]


def _check(point: Point, verdict: Verdict, remedy: Remedy, day: date | None = None) -> Check:
    return Check(point, verdict, None if verdict is Verdict.OK else remedy, day)


def _payment_verdict(facts: Facts) -> Verdict:
    if facts.challenge_open:
        return Verdict.PROBLEM  # it fails unless the owner confirms it
    return Verdict.WARNING if facts.payment_pending else Verdict.OK


def _card_checks(card: CardFacts | None, backup: CardFacts | None, charged_on: date) -> Iterator[Check]:
    """What is wrong with the default card is a warning only, while the backup card can be charged instead."""
    yield _check(Point.CARD, Verdict.PROBLEM if card is None else Verdict.OK, Remedy.CARDS)
    if card is not None:
        saved = backup is not None and backup.until > charged_on and not backup.refused
        wrong = Verdict.WARNING if saved else Verdict.PROBLEM
        yield _check(Point.EXPIRY, wrong if card.until <= charged_on else Verdict.OK, Remedy.CARDS, card.until)
        doubtful = Verdict.WARNING if card.doubtful else Verdict.OK
        yield _check(Point.REFUSAL, wrong if card.refused else doubtful, Remedy.CARDS)
    if backup is not None:
        expires = backup.until <= charged_on
        verdict = Verdict.WARNING if expires or backup.refused or backup.doubtful else Verdict.OK
        yield _check(Point.BACKUP, verdict, Remedy.CARDS, backup.until if expires else None)


def _seats_check(facts: Facts, now: Status) -> Check:
    """A warning only: the renewal charges the confirmed seats, even if more users are active."""
    too_few = facts.active_users > projected_seats(facts)
    if facts.change(ChangeKind.REDUCTION):
        remedy = Remedy.UNDO_REDUCTION
    else:
        remedy = Remedy.ADD if now is Status.ACTIVE and not facts.payment_pending else Remedy.USERS
    return _check(Point.SEATS, Verdict.WARNING if too_few else Verdict.OK, remedy)


def _tax_check(country: str, number: TaxNumber) -> Check:
    """A missing VAT number matters only in the EU outside France: there it decides who owes the tax."""
    required = country in EU and country not in FRENCH_VAT_AREA
    wrong = number is TaxNumber.INVALID or (required and number is TaxNumber.MISSING)
    return _check(Point.TAX, Verdict.WARNING if wrong else Verdict.OK, Remedy.BILLING_INFORMATION)
