"""How often something may be asked for. Windows are counted in the portal's own database: all processes share them.

Nobody is locked out: a window ends by itself. An e-mail's guesses are counted for each address apart, and those from a
browser that signed in as this owner before are counted by that browser alone: nobody's guesses from elsewhere keep it
out. A right password is not counted.
"""

import hashlib
import hmac
import ipaddress
import math
import re
import secrets
from datetime import UTC, datetime, timedelta

from flask import after_this_request, current_app, request
from flask.wrappers import Response
from itsdangerous import BadSignature, URLSafeSerializer
from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import TooManyRequests

from ..config import signing_keys
from ..db import db, transaction
from ..models.access import RateLimit
from ..ports import ports

LIMITS = {
    "guess": "5 per 5 minutes",  # of an e-mail's password, from one address
    "guess_known": "10 per 5 minutes",  # from a browser that signed in as this owner before
    "account": "100 per hour",  # from all other browsers together
    "address": "50 per 15 minutes",  # of any e-mail's password, from one address
    "reset": "3 per 15 minutes",  # mails to one e-mail
    "reset_address": "20 per hour",
    "card": "10 per 10 minutes",  # cards begun by an account, or numbers typed for one
    "pay": "10 per minute",  # by an account
    "sign_in": "100 per hour",  # with the right password, as one owner
    "post": "100 per hour",  # forms of one kind, by an account
    "post_member": "80 per hour",  # by one of its owners
    "post_stranger": "300 per hour",  # by the address of somebody who is not signed in
}
# Testers are hundreds of owners at one address, and hurry.
SANDBOX_LIMITS = {
    "address": "5000 per 15 minutes",
    "reset_address": "2000 per hour",
    "card": "200 per 10 minutes",
    "pay": "200 per minute",
    "post_stranger": "30000 per hour",
}
Counted = list[tuple[str, ...]]  # a name of LIMITS and whose, of each
WITH_PORT = re.compile(r"(?:\[(.+)\]|([^:]+))(?::\d+)?")
DEVICE, DEVICE_AGE, DEVICE_OWNERS = "device", 365 * 24 * 3600, 5


class PortalStorage(Storage):
    """What `limits` counts in. A window begins with its first hit; each hit is one statement of its own transaction."""

    STORAGE_SCHEME = ["portal"]  # noqa: RUF012  the base class's word

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = ports().clock.system_now()
        over = RateLimit.ends_at <= now
        dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
        row = dialect.insert(RateLimit).values(key=key, hits=amount, ends_at=now + timedelta(seconds=expiry))
        counted = row.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "hits": case((over, row.excluded.hits), else_=RateLimit.hits + row.excluded.hits),
                "ends_at": case((over, row.excluded.ends_at), else_=RateLimit.ends_at),
            },
        )
        with transaction() as session:
            return int(session.execute(counted.returning(RateLimit.hits)).scalar_one())

    def get(self, key: str) -> int:
        live = RateLimit.ends_at > ports().clock.system_now()
        return db.session.scalars(select(RateLimit.hits).where(RateLimit.key == key, live)).one_or_none() or 0

    def get_expiry(self, key: str) -> float:
        ends_at = db.session.scalars(select(RateLimit.ends_at).where(RateLimit.key == key)).one_or_none()
        return (ends_at or ports().clock.system_now()).timestamp()

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        with transaction() as session:
            session.execute(delete(RateLimit))
        return None

    def clear(self, key: str) -> None:
        with transaction() as session:
            session.execute(delete(RateLimit).where(RateLimit.key == key))


_limiter = FixedWindowRateLimiter(PortalStorage())


def count(name: str, *whose: str) -> None:
    """One more; TooManyRequests, with the seconds to wait, once there are more than `LIMITS` allows."""
    limit, key = _limit(name), _keyed(*whose)
    if not _limiter.hit(limit, name, key):
        ends_at = datetime.fromtimestamp(_limiter.get_window_stats(limit, name, key).reset_time, UTC)
        wait = (ends_at - ports().clock.system_now()).total_seconds()
        raise TooManyRequests(retry_after=max(1, math.ceil(wait)))


def first(window: str, what: str) -> bool:
    """Whether this is the first call in the window, of all processes; `window` is such as "1 per day"."""
    return _limiter.hit(parse(window), "first", what)


def forgive(counted: Counted) -> None:
    """One less of each: what was counted before it was known to be right."""
    with transaction() as session:
        for name, *whose in counted:
            key = _limit(name).key_for(name, _keyed(*whose))
            less = update(RateLimit).where(RateLimit.key == key, RateLimit.hits > 0)
            session.execute(less.values(hits=RateLimit.hits - 1))


def guess(email: str) -> Counted:
    """Counts a guess of this e-mail's password before it is looked at; what to forgive if it is right."""
    known, here = _known(email), address()
    if known:
        counted: Counted = [("guess_known", email, known)]
    else:  # the widest last: what a narrow one refuses does not use up what others share
        counted = [("guess", email, here), ("address", here), ("account", email)]
    for limit in counted:
        count(*limit)
    return counted


def address() -> str:
    """The client's, as the trusted proxies tell it, without the port that some add; of IPv6 the network, which is one
    customer's, save where it is IPv4 on a socket for both."""
    given = request.remote_addr or ""
    try:
        found = ipaddress.ip_address(given)
    except ValueError:
        host = WITH_PORT.fullmatch(given)
        try:
            found = ipaddress.ip_address(host[1] or host[2] if host else given)
        except ValueError:
            return given
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def remember_device(email: str) -> None:
    """The browser carries that it signed in as this owner, signed; it opens nothing."""
    device, owners = _device()
    mark = _keyed(email)
    owners = [mark, *(one for one in owners if one != mark)][:DEVICE_OWNERS]
    cookie = _signer().dumps([device or secrets.token_urlsafe(9), owners])

    @after_this_request
    def _set(response: Response) -> Response:
        response.set_cookie(
            _cookie_name(),
            cookie,
            max_age=DEVICE_AGE,
            httponly=True,
            samesite="Lax",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )
        return response


def _known(email: str) -> str:
    """This browser's name, if it signed in as this owner before."""
    device, owners = _device()
    marks = {_keyed_by(key, email) for key in signing_keys(current_app.config)}
    return device if marks.intersection(owners) else ""


def _device() -> tuple[str, list[str]]:
    try:
        device, owners = _signer().loads(request.cookies.get(_cookie_name(), ""))
    except BadSignature:
        return "", []
    return device, owners


def _cookie_name() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}_{DEVICE}"


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(current_app.config), salt=DEVICE)


def _limit(name: str) -> RateLimitItem:
    return parse({**LIMITS, **(SANDBOX_LIMITS if current_app.config["SANDBOX"] else {})}[name])


def _keyed(*whose: str) -> str:
    """Neither an e-mail nor an address can be read from it."""
    return _keyed_by(current_app.config["SECRET_KEY"], *whose)


def _keyed_by(key: str, *whose: str) -> str:
    return hmac.new(key.encode(), "\n".join(whose).encode(), hashlib.sha256).hexdigest()[:32]
