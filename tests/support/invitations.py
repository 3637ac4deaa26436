"""Invitations as tests send and follow them."""

import re

from flask import Flask
from flask.testing import FlaskClient

from tests.support.team import PASSWORD
from tests.support.world import state
from webapp.sandbox.scenarios import Made

ADDRESS = re.compile(r"https?://[^/\s]+(/[\w./-]+)")


def last_mail(app: Flask, made: Made, to: str) -> str:
    """The text of the newest mail to this address."""
    mails = [mail for mail in state(app, made)["messages"] if mail["to"] == to]
    assert mails, f"no mail to {to}"
    return str(mails[-1]["text"])


def link_in(text: str) -> str:
    """The path of the first address in a mail."""
    address = ADDRESS.search(text)
    assert address
    return address[1]


def invited(app: Flask, made: Made, owner: FlaskClient, email: str, role: str = "manager") -> str:
    """Invites the address; returns the path of the link in its mail."""
    answer = owner.post("/team", data={"email": email, "role": role})
    assert answer.status_code == 303, answer.text
    return link_in(last_mail(app, made, email.lower()))


def accepted(app: Flask, link: str, name: str = "Nadia Benali") -> FlaskClient:
    """A new browser that has accepted the invitation."""
    browser = app.test_client()
    browser.set_cookie("locale", "en")
    answer = browser.post(link, data={"password": PASSWORD, "name": name})
    assert answer.status_code == 303, answer.text
    return browser
