"""Counts the active users of a Qlik Cloud tenant with its REST API: https://qlik.dev/apis/rest/users/.

Requests go to the tenant's own address only. Redirects and links to another host are not followed, because that host
would receive the key.
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

ANSWER_SECONDS = 3.0  # for one answer
TOTAL_SECONDS = 8.0  # for all answers together: an owner is waiting, or a payment that the sweep began
PAGE_SIZE, PAGES_MAX = 100, 1000
ANSWER_BYTES_MAX = 4 * 1024 * 1024
FIRST_PAGE = f"/api/v1/users?filter=status%20eq%20%22active%22&limit={PAGE_SIZE}"
RENEWED_EARLY_SECONDS = 60.0  # a token is renewed so long before it expires
TENANT = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


class OAuth(NamedTuple):
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OAuth({self.client_id})"


Keys = Mapping[str, str]  # by tenant; the key under "" is for all other tenants
Credentials = OAuth | Keys


def credentials_of(config: Mapping[str, Any]) -> Credentials:
    """The credentials in the settings QLIK_…: an OAuth client, or API keys."""
    if config["QLIK_CLIENT_ID"]:
        return OAuth(config["QLIK_CLIENT_ID"], config["QLIK_CLIENT_SECRET"])
    key: str = config["QLIK_API_KEY"]
    return dict(json.loads(key)) if key.startswith("{") else {"": key}


class QlikCloud:
    """The tenant directory. `origin` is the pattern of a tenant's address; `sleep` waits so many seconds."""

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
        # By tenant: the token, and the time.monotonic() at which to renew it.
        self.tokens: dict[str, tuple[str, float]] = {}
        self.renewing = threading.Lock()

    def active_users(self, tenant: str) -> ActiveUsers:
        """Counts the active users, page by page. `as_of` is the time before the first page.

        Raises DirectoryUnavailable.
        """
        if not fullmatch(TENANT, tenant, ASCII):
            raise DirectoryUnavailable(f"{tenant!r} is not the name of a tenant")
        as_of, count = self.clock.system_now(), 0
        with requests.Session() as session:
            requests_to_tenant = _TenantRequests(self, session, tenant)
            url: str | None = requests_to_tenant.origin + FIRST_PAGE
            seen: set[str] = set()
            while url is not None:
                if url in seen or len(seen) == PAGES_MAX:
                    raise DirectoryUnavailable(f"the pages of {tenant} do not end")
                seen.add(url)
                users, url = _parse_page(requests_to_tenant.page(url), url, tenant)
                count += sum(self._counts(user) for user in users)
        return ActiveUsers(count, as_of)

    def _counts(self, user: dict[str, Any]) -> bool:
        """Whether a user is active, and not a bot if bots are not counted."""
        bot = bool(user.get("clientId")) or str(user.get("subject", "")).startswith("qlikbot\\")
        return user.get("status", "active") == "active" and (self.count_bots or not bot)


class _TenantRequests:
    """The requests to one tenant for one count, which must end within TOTAL_SECONDS."""

    def __init__(self, directory: QlikCloud, session: requests.Session, tenant: str) -> None:
        self.directory, self.session, self.tenant = directory, session, tenant
        self.origin = directory.origin.format(tenant=tenant)
        self.until = time.monotonic() + TOTAL_SECONDS

    def page(self, url: str) -> Any:
        """The JSON of a page of users. If the token is refused, it is renewed once."""
        token = self._token()
        status, body = self._ask("GET", url, token)
        if status == 401 and isinstance(self.directory.credentials, OAuth):
            status, body = self._ask("GET", url, self._token(refused=token))
        return self._read_json(status, body, "users")

    def _read_json(self, status: int, body: bytes, what: str) -> Any:
        if status != 200:
            raise DirectoryUnavailable(f"{self.tenant} answered {status} when asked for {what}")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise DirectoryUnavailable(f"{self.tenant} answered no JSON when asked for {what}") from None

    def _token(self, refused: str = "") -> str:
        """The tenant's API key, or an OAuth token that is not about to expire and is not the refused one."""
        credentials, tokens = self.directory.credentials, self.directory.tokens
        if not isinstance(credentials, OAuth):
            key = credentials.get(self.tenant) or credentials.get("")
            if not key:
                raise DirectoryUnavailable(f"QLIK_API_KEY has no key for {self.tenant}")
            return key
        with self.directory.renewing:
            token, good_until = tokens.get(self.tenant, ("", 0.0))
            if token and token != refused and time.monotonic() < good_until:
                return token
            form = {**credentials._asdict(), "grant_type": "client_credentials"}
            answer = self._read_json(*self._ask("POST", f"{self.origin}/oauth/token", form=form), "a token")
            try:
                token, lifetime = str(answer["access_token"]), float(answer["expires_in"])
            except (KeyError, TypeError, ValueError):
                raise DirectoryUnavailable(f"{self.tenant} answered no token") from None
            tokens[self.tenant] = token, time.monotonic() + lifetime - RENEWED_EARLY_SECONDS
            return token

    def _ask(self, method: str, url: str, token: str = "", form: dict[str, str] | None = None) -> tuple[int, bytes]:
        """An answer's status and body.

        After 429 it asks again when the tenant says so; after a server error, once more at once.
        """
        had_server_error = False
        while True:
            status, body, wait = self._ask_once(method, url, token, form)
            if status == 429:
                self._wait(wait)
            elif status >= 500 and not had_server_error:
                had_server_error = True
            else:
                return status, body

    def _ask_once(self, method: str, url: str, token: str, form: dict[str, str] | None) -> tuple[int, bytes, str]:
        try:
            with self.session.request(
                method,
                url,
                json=form,
                auth=_bearer_auth(token),
                timeout=min(ANSWER_SECONDS, self._seconds_left()),
                stream=True,
                allow_redirects=False,
                headers={"Accept": "application/json"},
            ) as answer:
                body, began = b"", time.monotonic()
                while part := answer.raw.read1(
                    65536, decode_content=True
                ):  # returns as soon as some bytes have arrived
                    body += part
                    self._seconds_left()
                    if len(body) > ANSWER_BYTES_MAX or time.monotonic() - began > ANSWER_SECONDS:
                        raise DirectoryUnavailable(f"{self.tenant} answered too much or too slowly")
                return answer.status_code, body, answer.headers.get("Retry-After", "")
        except (requests.RequestException, HTTPError, OSError, ValueError) as fault:
            raise DirectoryUnavailable(f"{self.tenant} did not answer ({type(fault).__name__})") from None

    def _seconds_left(self) -> float:
        """Seconds until TOTAL_SECONDS are over. Raises DirectoryUnavailable when they are."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise DirectoryUnavailable(f"{self.tenant} took too long")
        return left

    def _wait(self, retry_after: str) -> None:
        """Waits as the header Retry-After says, in seconds or as a date; a second if it says neither.

        Raises DirectoryUnavailable if that takes longer than the seconds left.
        """
        seconds = float(retry_after) if fullmatch(r"\d{1,6}", retry_after.strip(), ASCII) else 1.0
        if retry_after and not retry_after.strip().isdigit():
            try:
                until = parsedate_to_datetime(retry_after)
            except (ValueError, TypeError, OverflowError):
                until = None
            if until is not None:
                seconds = (_aware(until) - self.directory.clock.system_now()).total_seconds()
        seconds = max(seconds, 0.1)
        if seconds >= self._seconds_left():
            raise DirectoryUnavailable(f"{self.tenant} is busy for {seconds:.0f} s")
        self.directory.sleep(seconds)


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _bearer_auth(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Adds the token, if any. Without this, the library `requests` would send a password that it finds in ~/.netrc."""

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def _parse_page(page: Any, url: str, tenant: str) -> tuple[list[dict[str, Any]], str | None]:
    """The users on the page at `url`, and the address of the next page, if there is one.

    Raises DirectoryUnavailable if it is no list of users, or if the next page is at another host.
    """
    users = page.get("data") if isinstance(page, dict) else None
    if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
        raise DirectoryUnavailable(f"{tenant} answered no list of users")
    link: Any = page
    for name in ("links", "next", "href"):
        link = link.get(name) if isinstance(link, dict) else None
    if not link:
        return users, None
    try:
        next_url = urljoin(url, str(link))
        this_page, next_page = urlsplit(url), urlsplit(next_url)
        same_host = (this_page.scheme, this_page.netloc) == (next_page.scheme, next_page.netloc.lower())
    except ValueError:
        same_host = False
    if not same_host:
        raise DirectoryUnavailable(f"{tenant} linked its next page at another host")
    return users, next_url
