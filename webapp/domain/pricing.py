"""Graduated prices: each seat costs the unit price of its own tier."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypedDict, TypeVar

from .money import divide_half_up
from .periods import Period
from .seats import allowed

PRICE_NOTICE = timedelta(days=30)  # before new prices apply, the customers are told
DEAREST = 1_000_000  # cents a seat and month
Listed = TypeVar("Listed")


class Tier(NamedTuple):
    """Seats up to and including `up_to` (None: no limit) cost `unit` cents a month each, before tax."""

    up_to: int | None
    unit: int


class TierLine(NamedTuple):
    """The seats numbered `first` to `last` (`seats` of them) at `unit` cents each: `amount` cents a month."""

    first: int
    last: int
    seats: int
    unit: int
    amount: int


class Line(TypedDict):
    """One line of a quote or an invoice. Amounts are in cents, before tax.

    `kind` is one of
    - "tier": seats `first` to `last` at their tier's price; `amount` is `seats` × `unit` × `months`
    - "proration": `days_left` of the `days` of a period, at `monthly` cents a month, rounded once
    - "credit": a partial refund of an invoice; only `amount` is meaningful
    Fields that a kind does not use are 0.
    """

    kind: str
    seats: int
    months: int
    amount: int
    first: int
    last: int
    unit: int
    monthly: int
    days_left: int
    days: int


def parse_tiers(rows: Sequence[Sequence[int | None]]) -> tuple[Tier, ...]:
    """The tiers of a stored price list, a list of [up_to, unit].

    Raises ValueError unless limits rise, only the last tier has no limit, and each tier has a price.
    """
    tiers = tuple(Tier(up_to, unit) for up_to, unit in rows if unit is not None and unit >= 0)
    if len(tiers) != len(rows):
        raise ValueError("a unit price is a number that is not negative")
    limits = [tier.up_to for tier in tiers]
    bounded = [0, *(limit for limit in limits if limit is not None)]
    if limits[-1:] != [None] or len(bounded) != len(tiers) or bounded != sorted(set(bounded)):
        raise ValueError("tiers must rise and only the last is without a limit")
    return tiers


def tier_faults(rows: Sequence[Sequence[int | None]]) -> list[str]:
    """Each fault of a price list that is to be published: what is wrong, by the number of its tier from 1 on."""
    if not rows:
        return ["there is no tier: name at least one, for all seats"]
    faults, before = [], 0
    for number, (up_to, unit) in enumerate(rows, start=1):
        if unit is None or not 0 < unit <= DEAREST:
            faults.append(f"tier {number} costs {unit} cents: write a number from 1 to {DEAREST}")
        if up_to is None:
            if number < len(rows):
                faults.append(f"tier {number} has no limit: only the last one has none, or those after it do nothing")
            continue
        if number == len(rows):
            faults.append(f"tier {number} ends at {up_to} seats, and more have no price: write null as its limit")
        if up_to <= before:
            faults.append(f"tier {number} ends at {up_to} seats, not above {before}: limits must rise")
        before = max(before, up_to)
    return faults


def in_force(first: Listed, later: Sequence[tuple[date, Listed]], day: date) -> Listed:
    """The prices of a period that starts on `day`. `later` are in the order of the days from which they apply."""
    return next((prices for starts, prices in reversed(later) if starts <= day), first)


def earliest_start(today: date) -> date:
    """The earliest day from which prices that are told today can apply."""
    return today + PRICE_NOTICE


def _tier_lines(tiers: Sequence[Tier], seats: int) -> Iterator[TierLine]:
    priced = 0  # seats that lower tiers cover
    for tier in tiers:
        last = seats if tier.up_to is None else min(seats, tier.up_to)
        if last > priced:
            yield TierLine(priced + 1, last, last - priced, tier.unit, (last - priced) * tier.unit)
            priced = last


def breakdown(tiers: Sequence[Tier], seats: int) -> list[TierLine]:
    """The monthly price of `seats` seats, one line for each tier reached.

    Raises ValueError unless that number of seats is allowed.
    """
    if not allowed(seats):
        raise ValueError("seats out of range")
    return list(_tier_lines(tiers, seats))


def monthly_cost(tiers: Sequence[Tier], seats: int) -> int:
    """Cents a month for `seats` seats, before tax."""
    return sum(line.amount for line in breakdown(tiers, seats))


def marginal_cost(tiers: Sequence[Tier], seats: int) -> int | None:
    """Cents a month that one more seat adds, before tax. None at the largest number of seats."""
    if not allowed(seats + 1):
        return None
    return next(tier.unit for tier in tiers if tier.up_to is None or tier.up_to > seats)


def period_lines(tiers: Sequence[Tier], seats: int, months: int) -> list[Line]:
    """The lines of a whole period, one for each tier reached."""
    return [
        Line(
            kind="tier",
            seats=line.seats,
            months=months,
            amount=line.amount * months,
            first=line.first,
            last=line.last,
            unit=line.unit,
            monthly=line.amount,
            days_left=0,
            days=0,
        )
        for line in breakdown(tiers, seats)
    ]


def prorated_line(monthly: int, seats: int, months: int, period: Period, days_left: int) -> Line:
    """`monthly` cents a month for the days left of a period, rounded half up once (help page: add)."""
    amount = divide_half_up(monthly * months * days_left, period.days)
    return Line(
        kind="proration",
        seats=seats,
        months=months,
        amount=amount,
        first=0,
        last=0,
        unit=0,
        monthly=monthly,
        days_left=days_left,
        days=period.days,
    )
