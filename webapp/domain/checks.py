"""« Will my renewal succeed? »: what the next automatic charge depends on, point by point."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from .subscription import ChangeKind, Due, Facts, Status, due, projected_seats, status
from .tax import EU, FRENCH_VAT_AREA


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"  # it will be renewed, but not as it should
    PROBLEM = "problem"  # it will not be renewed


class Point(StrEnum):
    CANCELLATION = "cancellation"
    CHARGE = "charge"
    PAYMENT = "payment"
    CARD = "card"
    EXPIRY = "expiry"
    REFUSAL = "refusal"
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
    """Of the default card. `until`: the first day on which it is no longer good; `refused`: when it was last tried."""

    until: date
    refused: bool


class Check(NamedTuple):
    """`day`: an end, a charge or a card's first day of no use; `remedy` is None exactly where all is well."""

    point: Point
    verdict: Verdict
    remedy: Remedy | None = None
    day: date | None = None


def renewal_checks(
    facts: Facts, today: date, card: CardFacts | None, country: str, tax_number: TaxNumber
) -> list[Check]:
    """In the order in which they matter; none where nothing is charged by itself, or nothing more."""
    now, found = status(facts, today), due(facts, today)
    if not facts.self_service or now is Status.ENDED or found is None:
        return []
    what, day = found
    if what is Due.END and now is Status.LAPSED:
        return [Check(Point.CHARGE, Verdict.PROBLEM, Remedy.RENEW, day)]
    if what is Due.END:
        return [Check(Point.CANCELLATION, Verdict.PROBLEM, Remedy.UNDO_CANCELLATION, day)]
    charged_on = max(day, today)
    late = Verdict.WARNING if now is Status.PAST_DUE else Verdict.OK
    return [
        _check(Point.CHARGE, late, Remedy.RENEW, charged_on),
        _check(Point.PAYMENT, Verdict.WARNING if facts.payment_pending else Verdict.OK, Remedy.FOLLOW_PAYMENT),
        *_card(card, charged_on),
        _seats(facts, now),
        _tax(country, tax_number),
    ]


def _check(point: Point, verdict: Verdict, remedy: Remedy, day: date | None = None) -> Check:
    return Check(point, verdict, None if verdict is Verdict.OK else remedy, day)


def _card(card: CardFacts | None, charged_on: date) -> Iterator[Check]:
    yield _check(Point.CARD, Verdict.PROBLEM if card is None else Verdict.OK, Remedy.CARDS)
    if card is not None:
        expired = Verdict.PROBLEM if card.until <= charged_on else Verdict.OK
        yield _check(Point.EXPIRY, expired, Remedy.CARDS, card.until)
        yield _check(Point.REFUSAL, Verdict.PROBLEM if card.refused else Verdict.OK, Remedy.CARDS)


def _seats(facts: Facts, now: Status) -> Check:
    """The number that was confirmed is kept when the period begins, so too few seats are no obstacle."""
    too_few = facts.active_users > projected_seats(facts)
    if facts.change(ChangeKind.REDUCTION):
        remedy = Remedy.UNDO_REDUCTION
    else:
        remedy = Remedy.ADD if now is Status.ACTIVE and not facts.payment_pending else Remedy.USERS
    return _check(Point.SEATS, Verdict.WARNING if too_few else Verdict.OK, remedy)


def _tax(country: str, number: TaxNumber) -> Check:
    """A VAT number decides who owes the tax in the rest of the Union; elsewhere it is only printed."""
    decides = country in EU and country not in FRENCH_VAT_AREA
    wrong = number is TaxNumber.INVALID or (decides and number is TaxNumber.MISSING)
    return _check(Point.TAX, Verdict.WARNING if wrong else Verdict.OK, Remedy.BILLING_INFORMATION)
