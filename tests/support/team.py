"""Members of an account beside its owner, for tests."""

from collections.abc import Sequence

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from webapp.access import members
from webapp.access.sign_in import hasher
from webapp.db import new_id, transaction
from webapp.models.accounts import Member
from webapp.sandbox.scenarios import Made

PASSWORD = "quatre mots bien longs"
_hash = hasher.hash(PASSWORD)


def add(
    made: Made, role: str, email: str = "", name: str = "", unwanted: Sequence[str] = (), locale: str = "en"
) -> Member:
    """A new member of the account; the row is detached."""
    with transaction() as session:
        member = Member(
            account_id=made.account,
            role=role,
            name=name or f"{role} {made.account[:4]}",
            email=email or f"{role}-{new_id()[:8]}@example.test",
            password_hash=_hash,
            locale=locale,
            unwanted_mails=[str(kind) for kind in unwanted],
        )
        members.add_member(member)
        session.flush()
        session.expunge(member)
    return member


def browser(app: Flask, member: Member, locale: str = "en") -> FlaskClient:
    """The member's signed-in browser."""
    client = app.test_client()
    client.set_cookie("locale", locale)
    answer = client.post("/sign-in", data={"email": member.email, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return client


def set_role(member: Member, role: str) -> None:
    with transaction() as session:
        this = Member.account_id == member.account_id, Member.id == member.id
        session.execute(update(Member).where(*this).values(role=role))
