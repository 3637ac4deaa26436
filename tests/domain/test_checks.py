""" "Will my renewal succeed?": each check by itself, and its remedy."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.checks import CardFacts, Check, Point, Remedy, TaxNumber, Verdict, renewal_checks
from webapp.domain.subscription import Change, ChangeKind, Facts, Plan

TODAY = date(2027, 1, 15)
CARD = CardFacts(date(2031, 1, 1), refused=False)
FACTS = Facts(Plan.BUSINESS, date(2026, 8, 15), 1, dict.fromkeys(range(6), 12), active_users=5)
REDUCTION, CANCELLATION = Change(ChangeKind.REDUCTION, 8, 6), Change(ChangeKind.CANCELLATION, None, 6)


def checks(
    facts: Facts = FACTS,
    today: date = TODAY,
    card: CardFacts | None = CARD,
    country: str = "FR",
    number: TaxNumber = TaxNumber.VALID,
) -> list[Check]:
    return renewal_checks(facts, today, card, country, number)


def wrong(shown: list[Check]) -> list[tuple[Point, Verdict, Remedy | None]]:
    return [(check.point, check.verdict, check.remedy) for check in shown if check.verdict is not Verdict.OK]


def test_all_is_in_order_and_says_when_the_card_is_charged() -> None:
    shown = checks()
    assert wrong(shown) == []
    assert [check.point for check in shown] == [
        Point.CHARGE,
        Point.PAYMENT,
        Point.CARD,
        Point.EXPIRY,
        Point.REFUSAL,
        Point.SEATS,
        Point.TAX,
    ]
    assert shown[0].day == date(2027, 2, 15)


def test_no_card_is_a_problem_and_nothing_more_is_said_of_it() -> None:
    shown = checks(card=None)
    assert wrong(shown) == [(Point.CARD, Verdict.PROBLEM, Remedy.CARDS)]
    assert {Point.EXPIRY, Point.REFUSAL}.isdisjoint(check.point for check in shown)


@pytest.mark.parametrize(
    ("until", "expired"), [(date(2027, 2, 15), True), (date(2027, 2, 16), False), (date(2027, 2, 1), True)]
)
def test_a_card_is_to_be_good_on_the_day_of_the_charge(until: date, expired: bool) -> None:
    shown = wrong(checks(card=CardFacts(until, refused=False)))
    assert shown == ([(Point.EXPIRY, Verdict.PROBLEM, Remedy.CARDS)] if expired else [])


def test_a_card_that_was_refused_last_time_is_a_problem() -> None:
    assert wrong(checks(card=CARD._replace(refused=True))) == [(Point.REFUSAL, Verdict.PROBLEM, Remedy.CARDS)]


@pytest.mark.parametrize(("active", "few"), [(12, False), (13, True)])
def test_more_active_users_than_seats_are_a_warning_as_the_number_is_kept(active: int, few: bool) -> None:
    shown = wrong(checks(replace(FACTS, active_users=active)))
    assert shown == ([(Point.SEATS, Verdict.WARNING, Remedy.ADD)] if few else [])


def test_a_reduction_below_the_active_users_is_undone_rather_than_added_to() -> None:
    shown = wrong(checks(replace(FACTS, active_users=9, changes=(REDUCTION,))))
    assert shown == [(Point.SEATS, Verdict.WARNING, Remedy.UNDO_REDUCTION)]


def test_while_a_payment_is_pending_seats_cannot_be_added() -> None:
    assert wrong(checks(replace(FACTS, active_users=13, payment_pending=True))) == [
        (Point.PAYMENT, Verdict.WARNING, Remedy.FOLLOW_PAYMENT),
        (Point.SEATS, Verdict.WARNING, Remedy.USERS),
    ]


@pytest.mark.parametrize(
    ("country", "number", "wanted"),
    [
        ("FR", TaxNumber.MISSING, False),
        ("FR", TaxNumber.INVALID, True),
        ("DE", TaxNumber.MISSING, True),
        ("DE", TaxNumber.INVALID, True),
        ("DE", TaxNumber.VALID, False),
        ("US", TaxNumber.MISSING, False),
        ("MC", TaxNumber.MISSING, False),
    ],
)
def test_a_vat_number_is_wanted_where_it_decides_the_tax(country: str, number: TaxNumber, wanted: bool) -> None:
    shown = wrong(checks(country=country, number=number))
    assert shown == ([(Point.TAX, Verdict.WARNING, Remedy.BILLING_INFORMATION)] if wanted else [])


def test_a_challenge_is_a_problem_until_it_is_confirmed_or_paid_otherwise() -> None:
    owed = replace(FACTS, payment_pending=True, challenge_open=True)
    assert wrong(checks(owed, date(2027, 2, 15))) == [
        (Point.CHARGE, Verdict.WARNING, Remedy.RENEW),
        (Point.PAYMENT, Verdict.PROBLEM, Remedy.FOLLOW_PAYMENT),
    ]


def test_a_cancellation_is_all_that_matters() -> None:
    shown = checks(replace(FACTS, changes=(CANCELLATION,)), card=None)
    assert shown == [Check(Point.CANCELLATION, Verdict.ASKED, Remedy.UNDO_CANCELLATION, date(2027, 2, 15))]


def test_what_is_owed_is_charged_at_the_next_attempt_on_which_the_card_is_to_be_good() -> None:
    owed = replace(FACTS, refused=2, refused_on=date(2027, 2, 16))
    shown = checks(owed, date(2027, 2, 17), CardFacts(date(2027, 2, 18), refused=False))
    assert shown[0] == Check(Point.CHARGE, Verdict.WARNING, Remedy.RENEW, date(2027, 2, 18))
    assert (Point.EXPIRY, Verdict.PROBLEM, Remedy.CARDS) in wrong(shown)


def test_a_lapsed_subscription_is_charged_no_more() -> None:
    lapsed = replace(FACTS, refused=5, refused_on=date(2027, 2, 22))
    assert checks(lapsed, date(2027, 2, 25)) == [Check(Point.CHARGE, Verdict.PROBLEM, Remedy.RENEW, date(2027, 3, 24))]


def test_who_is_billed_elsewhere_or_ended_is_not_checked() -> None:
    assert checks(replace(FACTS, reseller="Nordlys Data")) == []
    assert checks(replace(FACTS, plan=Plan.ENTERPRISE)) == []
    assert checks(replace(FACTS, ended_on=date(2027, 1, 1))) == []


@given(
    st.integers(0, 5),
    st.booleans(),
    st.integers(0, 20),
    st.booleans(),
    st.booleans(),
    st.none() | st.builds(CardFacts, st.dates(date(2026, 1, 1), date(2028, 1, 1)), st.booleans()),
    st.sampled_from(["FR", "DE", "US"]),
    st.sampled_from(TaxNumber),
    st.dates(date(2027, 1, 15), date(2027, 4, 1)),
)
def test_a_remedy_stands_exactly_where_something_is_wrong(
    refused: int,
    pending: bool,
    active: int,
    reduces: bool,
    cancels: bool,
    card: CardFacts | None,
    country: str,
    number: TaxNumber,
    today: date,
) -> None:
    changes = [change for change, is_open in ((REDUCTION, reduces), (CANCELLATION, cancels)) if is_open]
    facts = replace(
        FACTS,
        refused=refused,
        refused_on=today if refused else None,
        payment_pending=pending,
        active_users=active,
        changes=tuple(changes),
    )
    shown = checks(facts, today, card, country, number)
    assert all((check.remedy is None) == (check.verdict is Verdict.OK) for check in shown)
    assert len({check.point for check in shown}) == len(shown)


GOOD, EXPIRED = CardFacts(date(2031, 1, 1), refused=False), CardFacts(date(2027, 2, 15), refused=False)
REFUSED = CardFacts(date(2031, 1, 1), refused=True)
DOUBTFUL = CardFacts(date(2031, 1, 1), refused=False, doubtful=True)


@pytest.mark.parametrize(
    ("card", "backup", "expected"),
    [
        (GOOD, GOOD, []),
        (GOOD, EXPIRED, [(Point.BACKUP, Verdict.WARNING, Remedy.CARDS)]),
        (GOOD, REFUSED, [(Point.BACKUP, Verdict.WARNING, Remedy.CARDS)]),
        (GOOD, DOUBTFUL, [(Point.BACKUP, Verdict.WARNING, Remedy.CARDS)]),
        (DOUBTFUL, GOOD, [(Point.REFUSAL, Verdict.WARNING, Remedy.CARDS)]),
        (EXPIRED, GOOD, [(Point.EXPIRY, Verdict.WARNING, Remedy.CARDS)]),
        (REFUSED, GOOD, [(Point.REFUSAL, Verdict.WARNING, Remedy.CARDS)]),
        (
            REFUSED,
            REFUSED,
            [(Point.REFUSAL, Verdict.PROBLEM, Remedy.CARDS), (Point.BACKUP, Verdict.WARNING, Remedy.CARDS)],
        ),
        (
            EXPIRED,
            EXPIRED,
            [(Point.EXPIRY, Verdict.PROBLEM, Remedy.CARDS), (Point.BACKUP, Verdict.WARNING, Remedy.CARDS)],
        ),
    ],
)
def test_a_backup_card_that_can_be_charged_turns_a_problem_of_the_default_into_a_warning(
    card: CardFacts, backup: CardFacts, expected: list[tuple[Point, Verdict, Remedy]]
) -> None:
    shown = renewal_checks(FACTS, TODAY, card, "FR", TaxNumber.VALID, backup)
    assert wrong(shown) == expected
    (about_backup,) = (check for check in shown if check.point is Point.BACKUP)
    assert about_backup.day == (date(2027, 2, 15) if backup is EXPIRED else None)
