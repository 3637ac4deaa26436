"""The planned events of a subscription: in order, from today, and none after its end."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.periods import boundary
from webapp.domain.subscription import ATTEMPT_DAYS, Change, ChangeKind, Facts, Plan
from webapp.domain.timeline import MOST, Kind, Planned, planned

TODAY = date(2027, 1, 15)
FACTS = Facts(Plan.BUSINESS, anchor=date(2026, 8, 15), months=1, seats=dict.fromkeys(range(6), 12))
REDUCTION, CANCELLATION = Change(ChangeKind.REDUCTION, 8, 6), Change(ChangeKind.CANCELLATION, None, 6)


def days_and_kinds(steps: Iterable[Planned]) -> list[tuple[str, str]]:
    return [(step.day.isoformat(), step.kind.value) for step in steps]


def test_a_monthly_subscription_tells_three_renewals_each_after_its_mail() -> None:
    assert days_and_kinds(planned(FACTS, TODAY)) == [
        ("2027-02-08", "notice"),
        ("2027-02-15", "renewal"),
        ("2027-03-08", "notice"),
        ("2027-03-15", "renewal"),
        ("2027-04-08", "notice"),
        ("2027-04-15", "renewal"),
    ]


def test_an_annual_one_tells_one_renewal_and_its_two_mails() -> None:
    annual = replace(FACTS, months=12, anchor=date(2027, 1, 15), seats={0: 12})
    assert days_and_kinds(planned(annual, TODAY)) == [
        ("2027-12-16", "notice"),
        ("2028-01-08", "notice"),
        ("2028-01-15", "renewal"),
    ]


def test_a_mail_that_went_is_not_to_come() -> None:
    assert days_and_kinds(planned(FACTS, date(2027, 2, 9)))[0] == ("2027-02-15", "renewal")


def test_a_reduction_comes_before_the_renewal_that_it_lessens() -> None:
    steps = planned(replace(FACTS, changes=(REDUCTION,)), TODAY)
    assert [step for step in steps if step.day == date(2027, 2, 15)] == [
        Planned(date(2027, 2, 15), Kind.REDUCTION, 8),
        Planned(date(2027, 2, 15), Kind.RENEWAL, 8),
    ]


def test_a_cancellation_is_all_that_is_to_come_even_over_a_reduction() -> None:
    ending = replace(FACTS, changes=(REDUCTION, CANCELLATION))
    assert planned(ending, TODAY) == [Planned(date(2027, 2, 15), Kind.END)]
    assert planned(ending, date(2027, 2, 15)) == []


def test_a_period_that_is_paid_ahead_begins_before_the_next_renewal() -> None:
    steps = planned(replace(FACTS, seats={**FACTS.seats, 6: 14}), TODAY)
    assert steps[0] == Planned(date(2027, 2, 15), Kind.PERIOD, 14)
    assert days_and_kinds(steps)[1:3] == [("2027-03-08", "notice"), ("2027-03-15", "renewal")]


def test_the_card_that_expires_is_told_on_its_last_day_if_it_is_still_to_be_charged() -> None:
    assert days_and_kinds(planned(FACTS, TODAY, date(2027, 2, 1)))[0] == ("2027-01-31", "card_expires")
    assert "card_expires" not in {kind for _, kind in days_and_kinds(planned(FACTS, TODAY, date(2030, 1, 1)))}
    assert planned(replace(FACTS, changes=(CANCELLATION,)), TODAY, date(2027, 5, 1))[-1].kind is Kind.END


def test_what_is_owed_is_tried_again_until_the_last_attempt() -> None:
    owed = replace(FACTS, refused=2, refused_on=date(2027, 2, 16))
    steps = planned(owed, date(2027, 2, 17))
    assert [(step.day.day, step.kind.value, step.number) for step in steps] == [
        (18, "attempt", 3),
        (20, "attempt", 4),
        (22, "last_attempt", 5),
    ]


def test_while_a_payment_is_pending_nothing_else_is_tried() -> None:
    owed = replace(FACTS, refused=2, refused_on=date(2027, 2, 16), payment_pending=True)
    assert days_and_kinds(planned(owed, date(2027, 2, 17))) == [("2027-02-17", "pending")]


def test_a_lapsed_subscription_ends_unless_it_is_renewed() -> None:
    lapsed = replace(FACTS, refused=5, refused_on=date(2027, 2, 22))
    assert days_and_kinds(planned(lapsed, date(2027, 2, 25))) == [("2027-03-24", "lapse_end")]


def test_what_somebody_else_bills_has_neither_mail_nor_card() -> None:
    kinds = {step.kind for step in planned(replace(FACTS, reseller="Nordlys Data"), TODAY, date(2027, 2, 1))}
    assert kinds == {Kind.EXTERNAL}


def test_an_ended_subscription_has_nothing_to_come() -> None:
    assert planned(replace(FACTS, ended_on=date(2027, 1, 1)), TODAY, date(2027, 2, 1)) == []


@given(
    st.sampled_from([1, 12]),
    st.integers(0, 900),
    st.integers(0, len(ATTEMPT_DAYS)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(1, 900),
)
def test_it_is_ordered_begins_today_and_stops_at_an_end(
    months: int, day: int, refused: int, reduces: bool, cancels: bool, pending: bool, card: int
) -> None:
    today = date(2027, 1, 31) + timedelta(days=day)
    refused = refused if today >= boundary(date(2027, 1, 31), months, 2) else 0  # only the owed period is tried
    facts = Facts(
        Plan.BUSINESS,
        anchor=date(2027, 1, 31),
        months=months,
        seats={0: 12, 1: 12},
        refused=refused,
        refused_on=today if refused else None,
        payment_pending=pending,
        changes=tuple(
            Change(kind, seats, 2)
            for kind, seats, is_open in (
                (ChangeKind.REDUCTION, 8, reduces),
                (ChangeKind.CANCELLATION, None, cancels),
            )
            if is_open
        ),
    )
    steps = planned(facts, today, today + timedelta(days=card))
    days = [step.day for step in steps]
    assert days == sorted(days)
    assert all(today <= day for day in days)
    assert len(steps) <= MOST
    kinds = [step.kind for step in steps]
    for end in {Kind.END, Kind.LAPSE_END} & set(kinds):
        assert kinds.index(end) == len(kinds) - 1
        assert Kind.RENEWAL not in kinds
    assert not cancels or {Kind.RENEWAL, Kind.NOTICE, Kind.REDUCTION}.isdisjoint(kinds)
