"""The user directory of Qlik Cloud, against a server that answers as its API's documentation says."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.servers.tenantserver import CLIENT, KEY, Answer, Tenant, people, serving
from webapp.adapters import qlik_cloud
from webapp.adapters.qlik_cloud import Credentials, OAuth, QlikCloud, credentials_of
from webapp.config import _directory_faults
from webapp.ports import DirectoryUnavailable
from webapp.sandbox.clock import SandboxClock

TENANT = "acme.eu.qlikcloud.com"
OAUTH = OAuth(**CLIENT)
NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


class Still(SandboxClock):
    def system_now(self) -> datetime:
        return NOW


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    tenant = Tenant(people(5))
    with serving(tenant):
        yield tenant


@pytest.fixture
def slept() -> list[float]:
    return []


Ask = Callable[..., QlikCloud]


@pytest.fixture
def ask(tenant: Tenant, slept: list[float]) -> Ask:
    def directory(credentials: Credentials = {"": KEY}, *, count_bots: bool = False) -> QlikCloud:  # noqa: B006
        return QlikCloud(credentials, Still(), count_bots=count_bots, origin=tenant.url, sleep=slept.append)

    return directory


def refused(directory: QlikCloud, name: str = TENANT) -> str:
    """Expects a refusal; returns its message, which must hold no secret."""
    with pytest.raises(DirectoryUnavailable) as fault:
        directory.active_users(name)
    said = f"{fault.value} {fault.value.__cause__!r} {directory.credentials!r}"
    assert not [secret for secret in ("s3cret", "token-") if secret in said]
    return str(fault.value)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_every_page_is_counted(tenant: Tenant, ask: Ask, count: int) -> None:
    tenant.users = people(count)
    assert ask().active_users(TENANT) == (count, NOW)
    assert len(tenant.asked) == max(1, -(-count // 100))
    assert tenant.asked[0] == "/api/v1/users?filter=status%20eq%20%22active%22&limit=100"


@pytest.mark.parametrize(("count_bots", "counted"), [(False, 5), (True, 7)])
def test_bots_take_no_seat_unless_it_is_said_so(tenant: Tenant, ask: Ask, count_bots: bool, counted: int) -> None:
    tenant.users += [
        {"id": "a", "subject": "qlikbot\\abc", "status": "active"},
        {"id": "b", "subject": "someone", "clientId": "abc", "status": "active"},
        {"id": "c", "subject": "invited@example.test", "status": "invited"},
    ]
    assert ask(count_bots=count_bots).active_users(TENANT).active == counted


def test_each_tenant_has_its_own_key_or_the_one_for_all(tenant: Tenant, ask: Ask) -> None:
    assert ask({TENANT: KEY}).active_users(TENANT).active == 5
    assert refused(ask({"other.example.test": KEY})) == f"QLIK_API_KEY has no key for {TENANT}"
    assert len(tenant.asked) == 1  # the key must not be sent to another host
    assert "answered 401" in refused(ask({"": "wrong"}))


@pytest.mark.parametrize("name", ["", "a/b", "user@host", "host:1", "host?x", "héte", "-x", "x\n", "a" * 254])
def test_what_is_not_the_name_of_a_host_is_not_asked(tenant: Tenant, ask: Ask, name: str) -> None:
    assert "is not the name of a tenant" in refused(ask(), name)
    assert tenant.asked == []


# Tokens
def test_a_token_is_kept_until_a_minute_before_its_end(tenant: Tenant, ask: Ask) -> None:
    directory = ask(OAUTH)
    for _ in range(3):
        assert directory.active_users(TENANT).active == 5
    assert tenant.tokens == ["token-1"]
    tenant.lifetime = 60
    directory.tokens.clear()
    for _ in range(2):
        assert directory.active_users(TENANT).active == 5
    assert tenant.tokens == ["token-1", "token-2", "token-3"]


def test_a_token_that_is_refused_is_renewed_once(tenant: Tenant, ask: Ask) -> None:
    directory = ask(OAUTH)
    assert directory.active_users(TENANT).active == 5
    tenant.good = set()  # the token was withdrawn
    assert directory.active_users(TENANT).active == 5
    assert tenant.tokens == ["token-1", "token-2"]
    tenant.instead = [Answer(401)] * 2
    tenant.asked.clear()
    tenant.instead.insert(1, lambda tenant: tenant._token({**CLIENT, "grant_type": "client_credentials"}))
    assert "answered 401" in refused(directory)
    assert [path.split("?")[0] for path in tenant.asked] == ["/api/v1/users", "/oauth/token", "/api/v1/users"]


@pytest.mark.parametrize("answer", [Answer(401), Answer(200, b"{}"), Answer(200, b"no"), Answer(200, b"[1]")])
def test_no_token_is_no_answer(tenant: Tenant, ask: Ask, answer: Answer) -> None:
    tenant.instead = [answer]
    refused(ask(OAUTH))
    assert len(tenant.asked) == 1


# Other behaviour of tenants
def test_a_page_elsewhere_is_not_fetched_as_the_key_would_go_with_it(tenant: Tenant, ask: Ask) -> None:
    thief = Tenant(people(9))
    with serving(thief) as elsewhere:
        port = tenant.url.rpartition(":")[2]
        for href in (
            f"{elsewhere}/api/v1/users",
            f"https://127.0.0.1:{port}/x",
            f"http://localhost:{port}/x",
            f"http://u@127.0.0.1:{port}/",
            f"//{elsewhere.removeprefix('http://')}/x",
            "http://[",
            "file:///etc/passwd",
        ):
            tenant.instead = [Answer(200, b'{"data": [], "links": {"next": {"href": "%s"}}}' % href.encode())]
            assert "at another host" in refused(ask()), href
        for status in (301, 302, 307, 308):
            tenant.instead = [Answer(status, headers={"Location": f"{elsewhere}/api/v1/users"})]
            assert f"answered {status}" in refused(ask())
    assert thief.asked == []


def test_pages_that_do_not_end_are_refused(tenant: Tenant, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    here = b'{"data": [], "links": {"next": {"href": "/api/v1/users?page=2"}}}'
    tenant.instead = [Answer(200, here)] * 3
    assert "do not end" in refused(ask())
    assert len(tenant.asked) == 2
    monkeypatch.setattr(qlik_cloud, "PAGES_MAX", 3)
    tenant.instead, tenant.users = [], people(401)
    assert "do not end" in refused(ask())
    tenant.users = people(300)
    assert ask().active_users(TENANT).active == 300


@pytest.mark.parametrize(
    ("seconds", "waited"),
    [
        ("2", 2.0),
        ("", 1.0),
        ("soon", 1.0),
        ("0", 0.1),
        (format_datetime(NOW + timedelta(seconds=3), usegmt=True), 3.0),
        (format_datetime(NOW - timedelta(days=3), usegmt=True), 0.1),
        (f"Mon, 1 Jan 2027 {10**20}:0:0 GMT", 1.0),
    ],
)
def test_a_busy_tenant_is_asked_again_when_it_says(
    tenant: Tenant, ask: Ask, slept: list[float], seconds: str, waited: float
) -> None:
    tenant.instead = [Answer(429, headers={"Retry-After": seconds} if seconds else {})]
    assert ask().active_users(TENANT).active == 5
    assert slept == [waited]


@pytest.mark.parametrize("seconds", ["9", "86400", "999999", format_datetime(NOW + timedelta(hours=1), usegmt=True)])
def test_nobody_waits_for_a_tenant_that_is_busy_for_long(
    tenant: Tenant, ask: Ask, slept: list[float], seconds: str
) -> None:
    tenant.instead = [Answer(429, headers={"Retry-After": seconds})]
    assert "is busy for" in refused(ask())
    assert (slept, len(tenant.asked)) == ([], 1)


def test_what_is_broken_is_asked_once_more(tenant: Tenant, ask: Ask) -> None:
    tenant.instead = [Answer(502)]
    assert ask().active_users(TENANT).active == 5
    tenant.instead = [Answer(503), Answer(500)]
    assert "answered 500" in refused(ask())
    assert len(tenant.asked) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"data": {}}',
        b'{"data": [1]}',
        b'{"data": null}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"data": ' + b" " * (5 * 1024 * 1024) + b"[]}",
    ],
)
def test_garbage_is_no_number(tenant: Tenant, ask: Ask, body: bytes) -> None:
    tenant.instead = [Answer(200, body)]
    refused(ask())


@pytest.mark.parametrize("links", [b"null", b"[]", b'{"next": null}', b'{"next": {"href": ""}}', b'{"next": "x"}'])
def test_a_page_that_links_none_is_the_last(tenant: Tenant, ask: Ask, links: bytes) -> None:
    tenant.instead = [Answer(200, b'{"data": [{"id": "1", "status": "active"}], "links": %s}' % links)]
    assert ask().active_users(TENANT).active == 1


def test_a_tenant_that_is_slow_or_away_is_not_waited_for(
    tenant: Tenant, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qlik_cloud, "ANSWER_SECONDS", 0.2)
    asked, over = threading.Event(), threading.Event()

    def slow(_tenant: Tenant) -> Answer:
        asked.set()
        over.wait(10)
        return Answer()

    tenant.instead = [slow]
    assert refused(ask()) == f"{TENANT} did not answer (ReadTimeout)"
    assert asked.wait(10)  # else the first request would get the answer of the second
    over.set()
    tenant.instead = [Answer(drips=True)]
    assert "too slowly" in refused(ask())
    directory = ask()
    directory.origin = "http://127.0.0.1:1"
    assert "did not answer (ConnectionError)" in refused(directory)


def test_all_the_pages_together_have_their_time(tenant: Tenant, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qlik_cloud, "TOTAL_SECONDS", 0.0)
    assert "took too long" in refused(ask())
    assert tenant.asked == []


# The settings
def given(**settings: str) -> dict[str, str]:
    empty = {"QLIK_API_KEY": "", "QLIK_CLIENT_ID": "", "QLIK_CLIENT_SECRET": "", "QLIK_API_URL": "https://{tenant}"}
    return {**empty, **settings}


def test_the_settings_give_a_key_a_key_for_each_tenant_or_a_client() -> None:
    for settings, credentials in (
        (given(QLIK_API_KEY="k"), {"": "k"}),
        (given(QLIK_API_KEY='{"a.test": "k"}'), {"a.test": "k"}),
        (given(QLIK_CLIENT_ID="portal", QLIK_CLIENT_SECRET="s3cret"), OAUTH),
    ):
        assert list(_directory_faults(settings)) == []
        assert credentials_of(settings) == credentials


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (given(), "Set QLIK_API_KEY, or"),
        (given(QLIK_CLIENT_ID="a"), "Set QLIK_API_KEY, or"),
        (given(QLIK_API_KEY="hidden", QLIK_CLIENT_ID="a", QLIK_CLIENT_SECRET="b"), "and not both"),
        (given(QLIK_API_KEY="{hidden"), "QLIK_API_KEY is not a key"),
        (given(QLIK_API_KEY='{"a.test": 1}'), "QLIK_API_KEY is not"),
    ],
)
def test_settings_that_give_none_are_one_sentence_without_the_secret(settings: dict[str, str], sentence: str) -> None:
    (fault,) = _directory_faults(settings)
    assert sentence in fault
    assert "hidden" not in fault
