"""The mails: each is written once, in its reader's language, and says the same in text and in HTML."""

import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import downgrade, upgrade
from sqlalchemy import delete, inspect, select, text, update

from tests.support.world import pay, post, quoted, state, subscription
from webapp import cards, notices, purchase, rollover, service
from webapp.db import db, transaction
from webapp.domain.subscription import CancellationOpen, ChangeClosed, NotFewerSeats, Refusal
from webapp.models import Account, Card, Owner, Subscription
from webapp.records import Message
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard, SandboxHeadcount

HOSTILE = "<script>alert(1)</script>\r\nBcc: all@example.test\n\u2028<b>"


def sent(kind: str = "") -> list[Message]:
    """The mails of a kind, such as `receipt`, the oldest first; without one, all but those to billing e-mails."""
    db.session.rollback()
    these = Message.about.startswith(kind) if kind else ~Message.about.startswith("document/")
    found = select(Message).where(these).order_by(Message.sent_at, Message.about)
    return list(db.session.scalars(found))


def kinds() -> list[str]:
    return [mail.about.split("/")[0] for mail in sent()]


def read(made: Made, locale: str) -> None:
    """The owner reads this language."""
    with transaction() as session:
        session.execute(update(Owner).where(Owner.account_id == made.account).values(locale=locale))


def until(app: Flask, made: Made, to: str) -> None:
    post(app, f"/{made.account}/clock", to=to)
    assert rollover.sweep() == 0  # once more: nothing is told twice


def change(made: Made) -> str:
    return service.load(made.account, subscription(made)).open_changes[0].id


def add(app: Flask, made: Made) -> None:
    quote = purchase.quote_addition(made.account, subscription(made), 14)
    purchase.choose_card(made.account, subscription(made), quote, made.cards[0])
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


TOLD = [  # what happens twice, to which account, and the mails that come of it: kind and subject, fr and en
    ("business", renew, [("receipt", "Reçu de votre paiement", "Receipt for your payment")]),
    ("business", add, [("receipt", "Reçu de votre ajout de licences", "Receipt for the seats added")]),
    ("business", reduce, [("requested", "Votre demande de réduction est enregistrée", "Your reduction is requested")]),
    (
        "business",
        cancel,
        [("requested", "Votre demande d’annulation est enregistrée", "Your cancellation is requested")],
    ),
    (
        "business-reduction-pending",
        undo,
        [("undone", "Votre demande de réduction est annulée", "Your reduction is undone")],
    ),
    (
        "business-cancellation-pending",
        undo,
        [("undone", "L’annulation de votre abonnement est levée", "Your cancellation is undone")],
    ),
    ("business-past-due", cancel, [("ended", "Votre abonnement est terminé", "Your subscription has ended")]),
    ("business-past-due", be_refused, [("refused", "Votre paiement a été refusé", "Your payment was refused")]),
    ("business", lose_a_payment, [("not_made", "Votre paiement n’a pas été effectué", "Your payment was not made")]),
    (
        "expiring-card",
        wait,
        [
            ("card_expires", "Votre carte expire avant le renouvellement", "Your card expires before the renewal"),
            (
                "renewal",
                "Votre abonnement se renouvelle le 15 février 2027",
                "Your subscription is renewed on 15 February 2027",
            ),
        ],
    ),
]


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize(("scenario", "event", "told"), TOLD)
def test_what_happens_twice_is_told_once_in_the_owners_language(
    app: Flask, scenario: str, event: object, told: list[tuple[str, str, str]], locale: str
) -> None:
    made = scenarios.make(scenario)
    read(made, locale)
    event(app, made)  # type: ignore[operator]
    subjects = [(kind, fr if locale == "fr" else en) for kind, fr, en in told]
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


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "background")]


def parsed(mail: Message) -> Words:
    words = Words()
    words.feed(mail.html)
    return words


def said_in_html(mail: Message) -> set[str]:
    found = parsed(mail)
    return {part for part in [*found.words, *found.links] if part}


def says_the_same_twice(mail: Message, colon: str) -> bool:
    """Each line of the text is in the HTML, whole or as a label and its value; each part of the HTML is in the text."""
    parts = said_in_html(mail)
    facts = {f"{label}{colon}{value}" for label in parts for value in parts}
    lines = {line for line in mail.body.splitlines() if line.strip("- ")}
    layout = {"●", "My Qlik", "Qlik Sense Business", mail.subject, mail.subject.split(colon)[0]}
    words = {part for part in parts - layout if not part.startswith(":root")}
    return lines <= parts | facts and all(part in mail.body for part in words) and len(words) > 5


def test_a_card_is_told_of_once_for_each_renewal_and_again_when_another_expires_too(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    with transaction() as session:
        for row in (Card, SandboxCard):
            session.execute(update(row).values(exp_year=2027, exp_month=1))
    until(app, made, "2027-02-07T23:59:00")
    assert kinds() == []
    until(app, made, "2027-02-09T09:00:00")
    until(app, made, "2027-02-10T09:00:00")
    (first,) = sent("card_expires")
    for fact in (
        "Visa ••••\u00a04242",
        "01/2027",
        "15\u00a0février\u00a02027",
        "424,80\u00a0€",
        "http://127.0.0.1:8000/billing",
    ):
        assert fact in first.body
    cards.make_default(made.account, made.cards[1])
    until(app, made, "2027-02-11T09:00:00")
    assert len(sent("card_expires")) == 2
    assert len(sent("renewal")) == 1


def test_a_card_that_expires_before_an_annual_renewal_is_told_of_thirty_days_ahead_and_no_more(app: Flask) -> None:
    made = scenarios.make("business-annual")
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2027, exp_month=12))
    until(app, made, "2028-01-14T09:00:00")
    assert kinds() == ["card_expires", "renewal", "renewal"]


@pytest.mark.parametrize("scenario", ["enterprise", "third-party", "business-cancellation-pending"])
def test_no_card_is_told_of_where_none_is_charged(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2027, exp_month=1))
    until(app, made, "2028-03-01T09:00:00")
    assert sent("card_expires") == sent("renewal") == []


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
    """A mail that cannot be written takes the request back with it."""
    with transaction() as session:
        session.execute(update(Account).values(legal_name="x"))
        session.execute(update(Owner).values(locale="xx-nowhere"))
    with pytest.raises(Exception, match="xx"):
        service.cancel(business.account, subscription(business))
    assert service.load(business.account, subscription(business)).open_changes == []
    assert kinds() == []


def test_more_active_users_than_seats_at_the_boundary_are_told_once(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    post(app, f"/{made.account}/users", active=11)  # since nobody looked: the sweep has to ask
    until(app, made, "2027-02-15T00:05:00")
    until(app, made, "2027-03-14T09:00:00")
    (mail,) = sent("over_seats")
    assert "Licences utilisateur\u00a0: 8" in mail.body
    assert "Utilisateurs actifs\u00a0: 11" in mail.body
    assert f"/subscriptions/{subscription(made)}/add" in mail.body
    assert len(sent("receipt")) == 1


def test_as_many_active_users_as_seats_are_no_news(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/users", active=12)
    until(app, business, "2027-02-15T00:05:00")
    assert sent("over_seats") == []


def test_a_directory_that_fails_does_not_hold_up_a_payment(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(delete(SandboxHeadcount))
    until(app, business, "2027-02-15T00:05:00")
    assert state(app, business)["subscriptions"][0]["period_start"] == "2027-02-15"
    assert len(sent("receipt")) == 1


def test_the_last_refusal_says_so_and_names_no_next_try(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    until(app, business, "2027-02-22T09:00:00")
    mails = sent("refused")
    assert [("Prochaine tentative" in mail.body) for mail in mails] == [True] * 4 + [False]
    assert "C’était la dernière tentative" in mails[-1].body


def test_hostile_names_are_inert(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Account).values(legal_name=HOSTILE, manager_name=HOSTILE))
        session.execute(update(Owner).values(name=HOSTILE))
        session.execute(update(Subscription).values(product=HOSTILE))
        session.execute(update(Card).values(brand="<i>Visa"))
    service.reduce(business.account, subscription(business), 8)
    service.withdraw(business.account, subscription(business), change(business))
    until(app, business, "2027-02-15T09:00:00")
    assert sorted(kinds()) == ["receipt", "renewal", "requested", "undone"]
    for mail in [*sent(), *sent("document")]:
        assert len(mail.subject.splitlines()) == 1
        assert "<script>alert(1)</script> Bcc: all@example.test" in mail.body
        assert not re.search(r"^Bcc", mail.body, re.M)
        assert not parsed(mail).tags & {"script", "b", "i", "img", "link", "iframe"}
        assert [link for link in parsed(mail).links if not link.startswith("http://127.0.0.1:8000/")] == []


def test_a_case_is_answered_to_its_owner(app: Flask, client: FlaskClient) -> None:
    client.post("/contact", data={"subject": "other", "subscription": "", "message": "A <b> tag\n\nand more"})
    (mail,) = sent("case")
    assert parsed(mail).links == [f"mailto:{_owner().email}"]
    assert {"Ateliers Beaumont SARL", "Autre"} <= said_in_html(mail)
    assert "A &lt;b&gt; tag\n\nand more" in mail.html


def _owner() -> Owner:
    return db.session.scalars(select(Owner)).one()


def test_links_begin_with_the_public_address(app: Flask, business: Made) -> None:
    app.config["PUBLIC_URL"] = "https://my-qlik.example.test/portal"
    service.cancel(business.account, subscription(business))
    link = f"https://my-qlik.example.test/portal/subscriptions/{subscription(business)}"
    (mail,) = sent()
    assert link in mail.body
    assert parsed(mail).links == [link]


def test_every_owner_is_told_in_a_language_of_their_own(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.add(
            Owner(account_id=business.account, name="Sam", email="sam@example.test", password_hash="", locale="en")
        )
    service.cancel(business.account, subscription(business))
    assert sorted(mail.body.split()[0] for mail in sent("requested")) == ["Bonjour", "Hello"]


def test_the_panel_shows_a_mail_in_a_frame_that_runs_nothing(app: Flask, business: Made) -> None:
    service.cancel(business.account, subscription(business))
    (mail,) = sent()
    client = app.test_client()
    panel = client.get(f"/sandbox?account={business.account}", headers={"Accept": "text/html"})
    frame = re.search(r"<iframe[^>]*>", panel.text)
    assert frame
    assert f'src="/sandbox/messages/{mail.id}"' in frame[0]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame[0]
    assert "frame-src 'self'" in panel.headers["Content-Security-Policy"]
    assert "frame-src" not in client.get("/sign-in").headers["Content-Security-Policy"]
    shown = client.get(f"/sandbox/messages/{mail.id}")
    policy = shown.headers["Content-Security-Policy"]
    assert shown.text == mail.html
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert state(app, business)["messages"][0].keys() >= {"to", "subject", "sent_at"}
    assert client.get("/sandbox/messages/never", headers={"Accept": "text/html"}).status_code == 404


def test_the_migration_goes_both_ways_and_mails_of_before_have_no_html(app: Flask, business: Made) -> None:
    db.session.execute(
        text(
            "INSERT INTO message (id, account_id, recipient, subject, body, html, about, sent_at) "
            "SELECT 'm', id, 'x@example.test', 'S', 'B', '<p>', 'about', '2027-01-15 09:00:00' FROM account"
        )
    )
    db.session.commit()
    downgrade(revision="0001")
    assert "html" not in {column["name"] for column in inspect(db.engine).get_columns("message")}
    upgrade()
    assert db.session.execute(text("SELECT id, body, html FROM message")).all() == [("m", "B", "")]


def test_a_kind_is_never_written_twice_even_by_two_at_once(app: Flask, business: Made) -> None:
    from sqlalchemy.exc import IntegrityError

    told = service.load(business.account, subscription(business))
    twice = [mail for _ in range(2) for mail in notices.ended(told, business.now.date(), business.now)]
    with pytest.raises(IntegrityError), transaction() as session:
        session.add_all(twice)
    assert sent() == []
