"""Who is active in a Qlik Cloud tenant, by its REST API: https://qlik.dev/apis/rest/users/.

Each tenant is asked at its own address and nowhere else: no redirect and no link to another host is followed, as the
key would go with it.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from re import ASCII, fullmatch
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from ..ports import ActiveUsers, Clock, DirectoryUnavailable

ANSWER = 3.0  # seconds that each answer may take
WHOLE = 8.0  # seconds that all of them may take: an owner waits, and so does the payment that the sweep began
PAGE, PAGES = 100, 1000
LARGEST = 4 * 1024 * 1024  # bytes of a page
FIRST_PAGE = f"/api/v1/users?filter=status%20eq%20%22active%22&limit={PAGE}"
EARLY = 60.0  # seconds before its end that a token is renewed
TENANT = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


class OAuth(NamedTuple):
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OAuth({self.client_id})"


Keys = Mapping[str, str]  # by tenant; the one under "" is for all others
Credentials = OAuth | Keys


def credentials_of(config: Mapping[str, Any]) -> Credentials:
    """What the QLIK_ settings give."""
    if config["QLIK_CLIENT_ID"]:
        return OAuth(config["QLIK_CLIENT_ID"], config["QLIK_CLIENT_SECRET"])
    key: str = config["QLIK_API_KEY"]
    return dict(json.loads(key)) if key.startswith("{") else {"": key}


class QlikCloud:
    """`origin` is a tenant's address; `sleep` waits so many seconds."""

    def __init__(
        self,
        credentials: Credentials,
        clock: Clock,
        *,
        count_bots: bool = False,
        origin: str = "https://{tenant}",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.credentials, self.clock, self.count_bots = credentials, clock, count_bots
        self.origin, self.sleep = origin, sleep
        self.tokens: dict[str, tuple[str, float]] = {}  # by tenant, with the monotonic second of its end
        self.renewing = threading.Lock()

    def active_users(self, tenant: str) -> ActiveUsers:
        """Counts page by page, as of the beginning. Raises DirectoryUnavailable."""
        if not fullmatch(TENANT, tenant, ASCII):
            raise DirectoryUnavailable(f"{tenant!r} is not the name of a tenant")
        as_of, count = self.clock.system_now(), 0
        with requests.Session() as session:
            visit = _Visit(self, session, tenant)
            url: str | None = visit.origin + FIRST_PAGE
            seen: set[str] = set()
            while url is not None:
                if url in seen or len(seen) == PAGES:
                    raise DirectoryUnavailable(f"the pages of {tenant} do not end")
                seen.add(url)
                users, url = _parsed(visit.page(url), url, tenant)
                count += sum(self._counts(user) for user in users)
        return ActiveUsers(count, as_of)

    def _counts(self, user: dict[str, Any]) -> bool:
        bot = bool(user.get("clientId")) or str(user.get("subject", "")).startswith("qlikbot\\")
        return user.get("status", "active") == "active" and (self.count_bots or not bot)


class _Visit:
    """One count's requests to one tenant, within its time."""

    def __init__(self, directory: QlikCloud, session: requests.Session, tenant: str) -> None:
        self.directory, self.session, self.tenant = directory, session, tenant
        self.origin = directory.origin.format(tenant=tenant)
        self.until = time.monotonic() + WHOLE

    def page(self, url: str) -> Any:
        """A page's JSON. A token that is refused is renewed once."""
        token = self._token()
        status, body = self._asked("GET", url, token)
        if status == 401 and isinstance(self.directory.credentials, OAuth):
            status, body = self._asked("GET", url, self._token(refused=token))
        return self._read(status, body, "users")

    def _read(self, status: int, body: bytes, what: str) -> Any:
        if status != 200:
            raise DirectoryUnavailable(f"{self.tenant} answered {status} when asked for {what}")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise DirectoryUnavailable(f"{self.tenant} answered no JSON when asked for {what}") from None

    def _token(self, refused: str = "") -> str:
        """The tenant's key, or a token that is good for a minute more and is not the one that was refused."""
        given, tokens = self.directory.credentials, self.directory.tokens
        if not isinstance(given, OAuth):
            key = given.get(self.tenant) or given.get("")
            if not key:
                raise DirectoryUnavailable(f"QLIK_API_KEY has no key for {self.tenant}")
            return key
        with self.directory.renewing:
            token, good_until = tokens.get(self.tenant, ("", 0.0))
            if token and token != refused and time.monotonic() < good_until:
                return token
            form = {**given._asdict(), "grant_type": "client_credentials"}
            told = self._read(*self._asked("POST", f"{self.origin}/oauth/token", form=form), "a token")
            try:
                token, lifetime = str(told["access_token"]), float(told["expires_in"])
            except (KeyError, TypeError, ValueError):
                raise DirectoryUnavailable(f"{self.tenant} answered no token") from None
            tokens[self.tenant] = token, time.monotonic() + lifetime - EARLY
            return token

    def _asked(self, method: str, url: str, token: str = "", form: dict[str, str] | None = None) -> tuple[int, bytes]:
        """An answer's status and body. What is busy is asked again when it says, what is broken once more at once."""
        broken = False
        while True:
            status, body, wait = self._once(method, url, token, form)
            if status == 429:
                self._wait(wait)
            elif status >= 500 and not broken:
                broken = True
            else:
                return status, body

    def _once(self, method: str, url: str, token: str, form: dict[str, str] | None) -> tuple[int, bytes, str]:
        try:
            with self.session.request(
                method,
                url,
                json=form,
                auth=_bearer(token),
                timeout=min(ANSWER, self._left()),
                stream=True,
                allow_redirects=False,
                headers={"Accept": "application/json"},
            ) as answer:
                body, began = b"", time.monotonic()
                while part := answer.raw.read1(65536, decode_content=True):  # what is there, however little
                    body += part
                    self._left()
                    if len(body) > LARGEST or time.monotonic() - began > ANSWER:
                        raise DirectoryUnavailable(f"{self.tenant} answered too much or too slowly")
                return answer.status_code, body, answer.headers.get("Retry-After", "")
        except (requests.RequestException, HTTPError, OSError, ValueError) as fault:
            raise DirectoryUnavailable(f"{self.tenant} did not answer ({type(fault).__name__})") from None

    def _left(self) -> float:
        """Seconds. Raises DirectoryUnavailable when there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise DirectoryUnavailable(f"{self.tenant} took too long")
        return left

    def _wait(self, told: str) -> None:
        """Retry-After: seconds or a date; a second where it is neither. Longer than there is time: not at all."""
        seconds = float(told) if fullmatch(r"\d{1,6}", told.strip(), ASCII) else 1.0
        if told and not told.strip().isdigit():
            try:
                until = parsedate_to_datetime(told)
            except (ValueError, TypeError, OverflowError):
                until = None
            if until is not None:
                seconds = (_aware(until) - self.directory.clock.system_now()).total_seconds()
        seconds = max(seconds, 0.1)
        if seconds >= self._left():
            raise DirectoryUnavailable(f"{self.tenant} is busy for {seconds:.0f} s")
        self.directory.sleep(seconds)


def _aware(told: datetime) -> datetime:
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _bearer(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Given even without a token: else requests would look for a password in ~/.netrc."""

    def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return signed


def _parsed(told: Any, url: str, tenant: str) -> tuple[list[dict[str, Any]], str | None]:
    """A page's users, and the address of the next."""
    users = told.get("data") if isinstance(told, dict) else None
    if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
        raise DirectoryUnavailable(f"{tenant} answered no list of users")
    link: Any = told
    for name in ("links", "next", "href"):
        link = link.get(name) if isinstance(link, dict) else None
    if not link:
        return users, None
    try:
        following = urljoin(url, str(link))
        here, there = urlsplit(url), urlsplit(following)
        same = (here.scheme, here.netloc) == (there.scheme, there.netloc.lower())
    except ValueError:
        same = False
    if not same:
        raise DirectoryUnavailable(f"{tenant} linked its next page at another host")
    return users, following
