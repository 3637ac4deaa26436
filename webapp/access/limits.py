"""Rate limits. Hits are counted in the portal's database, which all processes share.

A limit never locks an owner out for good, because its window ends by itself. Wrong passwords are counted for each
e-mail and client address. A browser that signed in as this owner before has a count of its own, so an attacker
elsewhere cannot lock the owner out. Right passwords are not counted.
"""

import hashlib
import hmac
import ipaddress
import math
import re
import secrets
from datetime import UTC, datetime, timedelta
from functools import cache

from flask import after_this_request, current_app, request
from flask.wrappers import Response
from itsdangerous import BadSignature, URLSafeSerializer
from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Executable, bindparam, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import TooManyRequests

from ..config import signing_keys
from ..db import db, table_of, transaction
from ..models.access import RateLimit
from ..ports import ports

LIMITS = {
    "guess": "5 per 5 minutes",  # passwords tried for one e-mail from one client address
    "guess_known": "10 per 5 minutes",  # for one e-mail, from a browser that signed in as this owner before
    "account": "100 per hour",  # for one e-mail, from all other browsers together
    "address": "50 per 15 minutes",  # for any e-mail, from one client address
    "code": "10 per 15 minutes",  # app codes tried for one e-mail, from each known browser or all others
    "code_day": "50 per day",  # the same, so that guessing for weeks leads nowhere
    "recovery": "10 per 15 minutes",  # recovery codes, likewise
    "reset": "3 per 15 minutes",  # password links mailed to one e-mail
    "reset_address": "20 per hour",  # password links requested from one client address
    "alarm": "3 per 15 minutes",  # « Ce n’était pas moi » of one member
    "alarm_address": "20 per hour",  # the same, from one client address
    "card": "10 per 10 minutes",  # card pages opened by one account, or card numbers entered on one page
    "pay": "10 per minute",  # payments of one account
    "send": "30 per hour",  # documents that one account has sent again
    "invite": "20 per hour",  # invitations of one account: each says whether an address signs in here
    "sign_in": "100 per hour",  # sign-ins of one owner with the right password
    "post": "100 per hour",  # forms of one kind, from one account
    "post_member": "80 per hour",  # forms of one kind, from one owner of an account
    "post_stranger": "300 per hour",  # forms of one kind, from one client address, not signed in
}
# Automated tests use hundreds of owners from one client address.
SANDBOX_LIMITS = {
    "address": "5000 per 15 minutes",
    "reset_address": "2000 per hour",
    "alarm_address": "2000 per hour",
    "card": "200 per 10 minutes",
    "invite": "200 per hour",
    "pay": "200 per minute",
    "post_stranger": "30000 per hour",
}
Counted = list[tuple[str, ...]]  # each a name in LIMITS, then what it is counted for, such as an e-mail
WITH_PORT = re.compile(r"(?:\[(.+)\]|([^:]+))(?::\d+)?")
DEVICE, DEVICE_AGE, DEVICE_OWNERS_MAX = "device", 365 * 24 * 3600, 5


class PortalStorage(Storage):
    """The storage of the library `limits`, in the table of RateLimit. A window begins with its first hit."""

    STORAGE_SCHEME = ["portal"]  # noqa: RUF012  the base class declares it so

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        with transaction() as session:
            return _hit(session, key, expiry, amount)

    def get(self, key: str) -> int:
        is_live = RateLimit.ends_at > ports().clock.system_now()
        return db.session.scalars(select(RateLimit.hits).where(RateLimit.key == key, is_live)).one_or_none() or 0

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


def _hit(session: Session, key: str, seconds: int, amount: int = 1) -> int:
    """Counts a hit in one statement, in the open transaction. Returns the hits in its window."""
    now = ports().clock.system_now()
    values = {"of": key, "amount": amount, "until": now + timedelta(seconds=seconds), "now": now}
    return int(session.execute(_counting(db.engine.dialect.name), values).scalar_one())


@cache
def _counting(dialect: str) -> Executable:
    table = table_of(RateLimit)
    inserting = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    inserting = inserting.values(key=bindparam("of"), hits=bindparam("amount"), ends_at=bindparam("until"))
    is_over, new = table.c.ends_at <= bindparam("now"), inserting.excluded
    counting = inserting.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "hits": case((is_over, new.hits), else_=table.c.hits + new.hits),
            "ends_at": case((is_over, new.ends_at), else_=table.c.ends_at),
        },
    )
    return counting.returning(table.c.hits)


def count(*hits: tuple[str, ...]) -> None:
    """Counts one hit of each limit, in one transaction. A hit names the limit and then its subject, such as an e-mail
    and a client address. After a limit that refuses, the others are not counted.

    Raises TooManyRequests, with the seconds to wait, if there are more hits than a limit allows.
    """
    refused = None
    with transaction() as session:
        for name, *subject in hits:
            limit, key = _limit(name), _keyed_hash(*subject)
            if _hit(session, limit.key_for(name, key), limit.get_expiry()) > limit.amount:
                refused = limit, name, key
                break
    if refused:
        ends_at = datetime.fromtimestamp(_limiter.get_window_stats(*refused).reset_time, UTC)
        wait = (ends_at - ports().clock.system_now()).total_seconds()
        raise TooManyRequests(retry_after=max(1, math.ceil(wait)))


def tally(seconds: int, *subject: str) -> int:
    """Counts something that is not limited, in the open transaction. Returns how often it was within the window, of so
    many seconds, that began with the first."""
    return _hit(db.session(), f"tally/{_keyed_hash(*subject)}", seconds)


def is_first(window: str, name: str) -> bool:
    """Whether this is the first call in the window, such as "1 per day", in any process."""
    return _limiter.hit(parse(window), "first", name)


def uncount(counted: Counted) -> None:
    """Takes back hits that were counted before the password turned out to be right."""
    with transaction() as session:
        for name, *subject in counted:
            key = _limit(name).key_for(name, _keyed_hash(*subject))
            hits = update(RateLimit).where(RateLimit.key == key, RateLimit.hits > 0)
            session.execute(hits.values(hits=RateLimit.hits - 1))


def count_guess(email: str) -> Counted:
    """Counts a password before it is verified. Returns what to `uncount` if the password is right.

    Raises TooManyRequests.
    """
    device, address = _known_device(email), client_address()
    if device:
        counted: Counted = [("guess_known", email, device)]
    else:  # the widest limit last: a hit that a narrow limit refuses does not use up the shared ones
        counted = [("guess", email, address), ("address", address), ("account", email)]
    count(*counted)
    return counted


def count_code(email: str) -> Counted:
    """Counts a code of an authenticator app before it is looked at. Sessions do not matter: a new one starts no count.

    Returns what to `uncount` if it is right. Raises TooManyRequests.
    """
    device = _known_device(email)
    counted: Counted = [("code", email, device), ("code_day", email, device)]
    count(*counted)
    return counted


def count_recovery(email: str) -> Counted:
    """The same for a recovery code, which is open still when an attacker has used up the codes of the app."""
    counted: Counted = [("recovery", email, _known_device(email))]
    count(*counted)
    return counted


def client_address() -> str:
    """The client's IP address, as the trusted proxies report it, without a port.

    For IPv6 it is the /64 network, which belongs to one customer. An IPv4 address mapped to IPv6 is given as IPv4.
    """
    reported = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(reported)
    except ValueError:
        host = WITH_PORT.fullmatch(reported)
        try:
            address = ipaddress.ip_address(host[1] or host[2] if host else reported)
        except ValueError:
            return reported
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def client_hash() -> str:
    """Of the client's address, for the log: it tells clients apart, and nobody reads an address from it."""
    return _keyed_hash("client", client_address())[:16]


def remember_device(email: str) -> str:
    """Sets a signed cookie that says that this browser signed in as this owner. It grants no access.

    Returns the identifier of this browser, which is random.
    """
    device, owners = _device()
    device = device or secrets.token_urlsafe(9)
    owner = _keyed_hash(email)
    owners = [owner, *(other for other in owners if other != owner)][:DEVICE_OWNERS_MAX]
    cookie = _signer().dumps([device, owners])

    @after_this_request
    def _set_cookie(response: Response) -> Response:
        response.set_cookie(
            _cookie_name(),
            cookie,
            max_age=DEVICE_AGE,
            httponly=True,
            samesite="Lax",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )
        return response

    return device


def _known_device(email: str) -> str:
    """The identifier of this browser if it signed in as this owner before, else ""."""
    device, owners = _device()
    hashes = {_hash_with(key, email) for key in signing_keys(current_app.config)}
    return device if hashes.intersection(owners) else ""


def _device() -> tuple[str, list[str]]:
    """This browser's identifier, and the hashes of the owners who signed in with it; empty without a valid cookie."""
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
    limits = {**LIMITS, **SANDBOX_LIMITS} if current_app.config["SANDBOX"] else LIMITS
    return _parsed(limits[name])


_parsed = cache(parse)


def _keyed_hash(*subject: str) -> str:
    """An HMAC of the subject, so that the table and the cookie show no e-mail and no address."""
    return _hash_with(current_app.config["SECRET_KEY"], *subject)


def _hash_with(key: str, *subject: str) -> str:
    return hmac.new(key.encode(), "\n".join(subject).encode(), hashlib.sha256).hexdigest()[:32]
