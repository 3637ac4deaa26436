"""Flask, without what it would do again at each request with the same result."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Flask, Request, Response, g, has_request_context, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin, session_json_serializer
from flask_wtf.csrf import generate_csrf
from itsdangerous import BadSignature

from .templating import LanguageEnvironment


class Cookies(SecureCookieSessionInterface):
    """Verifies a cookie once. Its age does not matter: a session's row says when the session ends."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._verified = lru_cache(4096)(self._verify)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
        cookie = request.cookies.get(self.get_cookie_name(app))
        return self.session_class(session_json_serializer.loads(self._verified(cookie)) if cookie else None)

    def _verify(self, cookie: str) -> str:
        """Its content as JSON, which unlike the loaded content cannot be changed by a request."""
        signed = self.get_signing_serializer(self.app)
        try:
            return session_json_serializer.dumps(signed.loads(cookie)) if signed else "{}"
        except BadSignature:
            return "{}"

    def save_session(self, app: Flask, opened: SessionMixin, response: Response) -> None:
        if opened.modified:
            super().save_session(app, opened, response)
        elif opened.accessed:
            response.vary.add("Cookie")


LITERAL = re.compile(r"(\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class PortalRequest(Request):
    """Werkzeug compares names with `trusted_hosts`, but no addresses in brackets, such as [::1]. Here they are."""

    _trusted: list[str] | None = None

    @property
    def trusted_hosts(self) -> list[str] | None:
        literal = LITERAL.fullmatch(self.headers.get("Host", ""))
        return None if literal and literal[1] in (self._trusted or ()) else self._trusted

    @trusted_hosts.setter
    def trusted_hosts(self, hosts: list[str] | None) -> None:
        self._trusted = hosts


class Portal(Flask):
    request_class = PortalRequest
    jinja_environment = LanguageEnvironment

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._path = lru_cache(4096)(super().url_for)
        self.session_interface = Cookies(self)
        self._form_token = lru_cache(4096)(lambda _of_session: generate_csrf())

    def reuse_form_token(self) -> None:
        """A session's form token is signed once, since it has no time limit."""
        if "csrf_token" in session:
            g.csrf_token = self._form_token(session["csrf_token"])

    def url_for(self, endpoint: str, **values: Any) -> str:
        """The path of a page, remembered: a page has dozens of links, most of which all pages have."""
        remembered = has_request_context() and not values.get("_external")
        return self._path(endpoint, **values) if remembered else super().url_for(endpoint, **values)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or hook is a coroutine, so none needs to be looked at."""
        return func
