"""Browsers that keep the pages they saw, for the walk over all pages."""

import re
from contextlib import suppress
from typing import NamedTuple

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from tests.support.world import subscription
from webapp.sandbox.scenarios import Made

HX = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": "http://localhost/subscriptions"}


class Face(NamedTuple):
    what: str
    text: str
    whole: bool


class Visitor:
    """A browser: it keeps the pages it saw and their endpoints."""

    def __init__(self, app: Flask, made: Made, locale: str) -> None:
        self.app, self.made, self.locale = app, made, locale
        self.browser: FlaskClient = app.test_client()
        self.browser.set_cookie("locale", locale)
        self.faces: list[Face] = []
        self.seen: set[str] = set()

    def show(self, path: str, form: dict[str, object] | None = None, fragment: bool = False) -> str:
        """Sends a GET, or a POST of `form`, and follows redirects; "" for a fragment that is only a redirect."""
        headers = HX if fragment else {}
        if form is None:
            answer = self.browser.get(path, headers=headers)
        else:
            answer = self.browser.post(path, data=form, headers=headers)
        if answer.status_code == 303:
            return self.show(answer.headers["Location"].removeprefix("http://localhost"))
        method = "GET" if form is None else "POST"
        with suppress(HTTPException):
            self.seen.add(str(self.app.url_map.bind("localhost").match(path.split("?")[0], method)[0]))
        text = answer.text
        what = f"{self.locale} {'POST' if form is not None else 'GET'} {path}{' as a fragment' if fragment else ''}"
        self.faces.append(Face(what, text, "<!doctype" in text))
        return text

    def matched(self, pattern: str, text: str) -> str:
        link = re.search(pattern, text)
        assert link, pattern
        return link[1].replace("&amp;", "&")

    def quoted(self, seats: int = 14, procedure: str = "renew") -> str:
        """Begins a purchase; returns its address once it is at its overview."""
        here = f"/subscriptions/{subscription(self.made)}/{procedure}"
        payment = self.show(here, {"seats": seats})
        base = self.matched(rf'action="({here}/\w+)/payment"', payment)
        self.show(base + "/payment", {})
        self.show(base + "/payment", {"card": self.made.cards[0]})
        return base


class Owner(Visitor):
    """One owner's browser, signed in."""

    def __init__(self, app: Flask, made: Made, locale: str) -> None:
        super().__init__(app, made, locale)
        self.show("/sign-in")
        self.show("/sign-in", {"email": "", "password": ""})
        self.show("/sign-in", {"email": made.email, "password": made.password})
