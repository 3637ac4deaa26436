"""Security mails and their links « Ce n’était pas moi », as tests read and follow them."""

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import state
from webapp.sandbox.scenarios import Made

LINK = re.compile(r"http://localhost(/not-me/[\w.-]+)")
NEW = "quatre mots bien longs"


def mails(app: Flask, made: Made, start: str = "") -> list[dict[str, Any]]:
    """Whose subject begins so, the oldest first."""
    return [mail for mail in state(app, made)["messages"] if mail["subject"].startswith(start)]


def titles(app: Flask, made: Made, to: str = "") -> list[str]:
    return [mail["subject"].split(":")[0] for mail in mails(app, made) if not to or mail["to"] == to]


def alarm_in(mail: dict[str, Any]) -> str:
    """The path of « Ce n’était pas moi »."""
    found = LINK.search(mail["text"])
    assert found, mail["text"]
    return found[1]


def alarm(app: Flask, made: Made, start: str) -> str:
    """That of the newest mail whose subject begins so."""
    return alarm_in(mails(app, made, start)[-1])


def stranger(app: Flask) -> FlaskClient:
    """A browser that nobody has signed in with."""
    client = app.test_client()
    client.set_cookie("locale", "en")
    return client


def sign_in(client: FlaskClient, email: str, password: str) -> int:
    return client.post("/sign-in", data={"email": email, "password": password}).status_code


def set_password(client: FlaskClient, password: str = NEW) -> int:
    """On the page to which a link led this browser."""
    return client.post("/password/reset", data={"new": password, "again": password}).status_code
