"""The mails in the outbox, as tests read them: by kind, in text and in HTML."""

from html.parser import HTMLParser

from flask import Flask
from sqlalchemy import select, update

from tests.support.world import post, subscription
from webapp.db import db, transaction
from webapp.models.accounts import Member
from webapp.models.mail import Message
from webapp.renewals import sweep
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading


def sent(kind: str = "") -> list[Message]:
    """The mails of a kind, such as `receipt`, oldest first; without a kind, all but those to billing e-mails."""
    db.session.rollback()
    these = Message.about.startswith(kind) if kind else ~Message.about.startswith("document/")
    query = select(Message).where(these).order_by(Message.sent_at, Message.about)
    return list(db.session.scalars(query))


def kinds() -> list[str]:
    return [mail.about.split("/")[0] for mail in sent()]


def read(made: Made, locale: str) -> None:
    """Sets the owner's language."""
    with transaction() as session:
        session.execute(update(Member).where(Member.account_id == made.account).values(locale=locale))


def until(app: Flask, made: Made, to: str) -> None:
    post(app, f"/{made.account}/clock", to=to)
    assert sweep.sweep() == 0  # a second sweep sends nothing again


def change(made: Made) -> str:
    return loading.load(made.account, subscription(made)).open_changes[0].id


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
    words = parsed(mail)
    return {part for part in [*words.words, *words.links] if part}


def says_the_same_twice(mail: Message, colon: str) -> bool:
    """Each line of the text is in the HTML, whole or as label and value, and each part of the HTML is in the text."""
    parts = said_in_html(mail)
    facts = {f"{label}{colon}{value}" for label in parts for value in parts}
    lines = {line for line in mail.body.splitlines() if line.strip("- ")}
    layout = {"●", "My Qlik", "Qlik Sense Business", mail.subject, mail.subject.split(colon)[0]}
    words = {part for part in parts - layout if not part.startswith(":root")}
    return lines <= parts | facts and all(part in mail.body for part in words) and len(words) > 5
