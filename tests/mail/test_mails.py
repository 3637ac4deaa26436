"""Mails: each event is told once, in the owner's language, with the same content in text and in HTML."""

import pytest
from flask import Flask
from sqlalchemy import update

from tests.support.mails import change, kinds, read, says_the_same_twice, sent, until
from tests.support.world import pay, post, quoted, subscription
from webapp.access import members
from webapp.db import transaction
from webapp.domain.refusals import CancellationOpen, ChangeClosed, NotFewerSeats, Refusal
from webapp.mail import outbox
from webapp.models.accounts import Account, Member
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard
from webapp.subscriptions import loading, service


def add(app: Flask, made: Made) -> None:
    quote = quotes.quote_addition(made.account, subscription(made), 14)
    quotes.choose_card(made.account, subscription(made), quote, made.cards[0])
    for _ in range(2):
        assert pay(app, made, quote) == "captured"


def reduce(app: Flask, made: Made) -> None:
    for _ in range(2):
        service.reduce(made.account, subscription(made), 8)


def cancel(app: Flask, made: Made) -> None:
    service.cancel(made.account, subscription(made))
    with pytest.raises(Refusal):
        service.cancel(made.account, subscription(made))


def undo(app: Flask, made: Made) -> None:
    row = change(made)
    for _ in range(2):
        service.withdraw(made.account, subscription(made), row)


def renew(app: Flask, made: Made) -> None:
    quote = quoted(app, made)
    for _ in range(2):
        assert pay(app, made, quote) == "captured"


def wait(app: Flask, made: Made) -> None:
    until(app, made, "2027-02-10T09:00:00")


def be_refused(app: Flask, made: Made) -> None:
    until(app, made, "2027-01-15T09:30:00")


def lose_a_payment(app: Flask, made: Made) -> None:
    quote = quoted(app, made)
    post(app, f"/{made.account}/gateway", next="error")
    assert pay(app, made, quote) == "pending"
    until(app, made, "2027-01-15T09:30:00")


def have_both_cards_refused(app: Flask, made: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    until(app, made, "2027-02-15T09:00:00")


def have_the_backup_pay(app: Flask, made: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).where(SandboxCard.last4 == "4242").values(behaviour="card_declined"))
    until(app, made, "2027-02-15T09:00:00")


NOTICE = (
    "renewal",
    "Votre abonnement se renouvelle le 15 février 2027",
    "Your subscription renews on 15 February 2027",
)
EVENTS = [  # account, event (done twice), and its mails: kind, subject in French, subject in English
    ("business", renew, [("receipt", "Reçu de votre paiement", "Receipt for your payment")]),
    ("business", add, [("receipt", "Reçu de votre ajout de licences", "Receipt for the seats added")]),
    (
        "business",
        reduce,
        [("requested", "Votre demande de réduction est enregistrée", "We have received your reduction request")],
    ),
    (
        "business",
        cancel,
        [("requested", "Votre demande d’annulation est enregistrée", "We have received your cancellation request")],
    ),
    (
        "business-reduction-pending",
        undo,
        [("undone", "Votre demande de réduction est annulée", "Your reduction request has been undone")],
    ),
    (
        "business-cancellation-pending",
        undo,
        [("undone", "Votre demande d’annulation est retirée", "Your cancellation request has been undone")],
    ),
    ("business-past-due", cancel, [("ended", "Votre abonnement a pris fin", "Your subscription has ended")]),
    ("business-past-due", be_refused, [("refused", "Votre paiement a été refusé", "Your payment was declined")]),
    (
        "business-backup-card",
        have_both_cards_refused,
        [("refused", "Votre paiement a été refusé", "Your payment was declined"), NOTICE],
    ),
    (
        "business-backup-card",
        have_the_backup_pay,
        [("receipt", "Reçu de votre paiement", "Receipt for your payment"), NOTICE],
    ),
    ("business", lose_a_payment, [("not_made", "Votre paiement n’a pas abouti", "Your payment did not go through")]),
    (
        "expiring-card",
        wait,
        [
            ("card_expires", "Votre carte expire avant le renouvellement", "Your card expires before the renewal"),
            NOTICE,
        ],
    ),
]


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize(("scenario", "event", "expected"), EVENTS)
def test_what_happens_twice_is_told_once_in_the_owners_language(
    app: Flask, scenario: str, event: object, expected: list[tuple[str, str, str]], locale: str
) -> None:
    made = scenarios.make(scenario)
    read(made, locale)
    event(app, made)  # type: ignore[operator]
    subjects = [(kind, fr if locale == "fr" else en) for kind, fr, en in expected]
    mails = sorted(sent(), key=lambda mail: mail.about)
    colon = "\u00a0: " if locale == "fr" else ": "
    assert [(mail.about.split("/")[0], mail.subject.replace("\u00a0", " ")) for mail in mails] == [
        (kind, f"{subject}{colon}Qlik Sense Business".replace("\u00a0", " ")) for kind, subject in subjects
    ]
    for mail in mails:
        assert mail.recipient == made.email
        assert f'<html lang="{locale}">' in mail.html
        assert mail.body.startswith("Bonjour Camille Martin," if locale == "fr" else "Hello Camille Martin,")
        assert says_the_same_twice(mail, colon)


def test_an_undo_after_a_request_is_two_mails_and_a_request_over_another_is_one(app: Flask, business: Made) -> None:
    service.reduce(business.account, subscription(business), 8)
    service.withdraw(business.account, subscription(business), change(business))
    assert sorted(kinds()) == ["requested", "undone"]
    service.reduce(business.account, subscription(business), 9)
    service.reduce(business.account, subscription(business), 10)
    assert sorted(kinds()) == ["requested", "requested", "requested", "undone"]
    (last,) = [mail for mail in sent("requested") if "remplace" in mail.body]
    assert "10 licences utilisateur de Qlik Sense Business au lieu de 12" in last.body
    assert "remplace celle de 9 licences utilisateur" in last.body


def test_an_undone_reduction_under_a_cancellation_says_that_it_still_ends(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    reduction = change(made)
    service.cancel(made.account, subscription(made))
    service.withdraw(made.account, subscription(made), reduction)
    (mail,) = sent("undone")
    assert "Dernier jour\u00a0: 14\u00a0février\u00a02027" in mail.body
    assert "renouvellement" not in mail.body


def test_what_is_refused_tells_nothing(app: Flask) -> None:
    made = scenarios.make("business-cancellation-pending")
    with pytest.raises(CancellationOpen):
        service.reduce(made.account, subscription(made), 8)
    other = scenarios.make("business-reduction-pending")
    row = change(other)
    post(app, f"/{other.account}/clock", to="2027-02-15T09:00:00")
    before = kinds()
    with pytest.raises(ChangeClosed):
        service.withdraw(other.account, subscription(other), row)
    with pytest.raises(NotFewerSeats):
        service.reduce(other.account, subscription(other), 8)
    assert kinds() == before


def test_a_request_and_its_mail_are_one_transaction(app: Flask, business: Made) -> None:
    """If the mail cannot be written, the request is rolled back."""
    with transaction() as session:
        session.execute(update(Account).values(legal_name="x"))
        session.execute(update(Member).values(locale="xx-nowhere"))
    with pytest.raises(Exception, match="xx"):
        service.cancel(business.account, subscription(business))
    assert loading.load(business.account, subscription(business)).open_changes == []
    assert kinds() == []


def test_every_owner_is_told_in_a_language_of_their_own(app: Flask, business: Made) -> None:
    with transaction():
        members.add_member(
            Member(
                account_id=business.account,
                role="manager",
                name="Sam",
                email="sam@example.test",
                password_hash="",
                locale="en",
            )
        )
    service.cancel(business.account, subscription(business))
    assert sorted(mail.body.split()[0] for mail in sent("requested")) == ["Bonjour", "Hello"]


def test_a_kind_is_never_written_twice_even_by_two_at_once(app: Flask, business: Made) -> None:
    from sqlalchemy.exc import IntegrityError

    loaded = loading.load(business.account, subscription(business))
    twice = [mail for _ in range(2) for mail in outbox.ended(loaded, business.now.date(), business.now)]
    with pytest.raises(IntegrityError), transaction() as session:
        session.add_all(twice)
    assert sent() == []
