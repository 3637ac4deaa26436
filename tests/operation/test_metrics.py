"""`GET /metrics`: who may read it, what it counts, and that several processes are added up, each once."""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from timeit import timeit
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml  # type: ignore[import-untyped]
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from e2e.portal import ROOT, Sandbox, running_portal
from tests.support.databases import POSTGRESQL
from tests.support.processes import children
from tests.support.world import pay, post, quoted, signed_in, subscription
from webapp import guard, metrics
from webapp.config import Misconfigured, check
from webapp.db import db
from webapp.guard import SILENCES, Guard
from webapp.operation import jobs, logs
from webapp.operation import metrics as scraping
from webapp.ports import ports
from webapp.sandbox.scenarios import Made

TOKEN = "a-token-of-the-tests"
Samples = Callable[..., float]


def read(exposition: str) -> Samples:
    """The value of a sample by its name and labels; 0 where there is none."""
    samples = [one for family in text_string_to_metric_families(exposition) for one in family.samples]

    def value(name: str, **labels: str) -> float:
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    return value


@pytest.fixture
def measured(app: Flask) -> Flask:
    app.config["METRICS_TOKEN"] = TOKEN
    metrics.init(app)
    return app


def scraped(app: Flask) -> Samples:
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}", "Host": "any.host"})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    assert "Set-Cookie" not in answer.headers
    return read(answer.text)


def test_without_the_setting_there_is_no_such_page(app: Flask) -> None:
    assert app.test_client().get("/metrics").status_code == 404


@pytest.mark.parametrize("given", [None, "Bearer wrong", TOKEN, f"Basic {TOKEN}", "Bearer é"])
def test_without_the_token_it_is_closed(measured: Flask, given: str | None) -> None:
    answer = measured.test_client().get("/metrics", headers={} if given is None else {"Authorization": given})
    assert (answer.status_code, answer.text) == (401, "unauthorized\n")


def test_a_token_that_can_be_guessed_is_refused(app: Flask) -> None:
    with pytest.raises(Misconfigured, match="METRICS_TOKEN is shorter"):
        check({**app.config, "METRICS_TOKEN": "short"})


def test_requests_are_counted_by_route_and_never_by_path(measured: Flask, business: Made) -> None:
    before = scraped(measured)
    owner = signed_in(measured, business)
    for _ in range(3):
        assert owner.get(f"/subscriptions/{subscription(business)}").status_code == 200
    assert owner.get(f"/{business.email}").status_code == 404
    assert owner.open("/sign-in", method="INVENTED").status_code == 405
    after = scraped(measured)
    route = {"endpoint": "subscriptions.page", "method": "GET", "status": "200"}
    assert after("portal_requests_total", **route) - before("portal_requests_total", **route) == 3
    seconds = "portal_request_seconds_count"
    assert after(seconds, endpoint=route["endpoint"]) - before(seconds, endpoint=route["endpoint"]) == 3
    nowhere = {"endpoint": "none", "status": "404"}
    assert after("portal_requests_total", **nowhere) - before("portal_requests_total", **nowhere) == 1
    assert after("portal_requests_total", method="other") > 0


def test_refused_sign_ins_are_counted(measured: Flask, business: Made) -> None:
    before = scraped(measured)
    for _ in range(6):  # the sixth is one too many
        measured.test_client().post("/sign-in", data={"email": business.email, "password": "wrong"})
    after = scraped(measured)
    for reason, count in {"password": 5, "limit": 1}.items():
        name, labels = "portal_sign_ins_refused_total", {"reason": reason}
        assert after(name, **labels) - before(name, **labels) == count


def test_a_service_that_is_left_alone_is_told_until_it_answers(
    measured: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [1000.0]
    monkeypatch.setattr(guard, "monotonic", lambda: seconds[0])
    service = Guard("a tested service", 2, (TimeoutError,), ValueError)
    for _ in range(SILENCES):
        with pytest.raises(TimeoutError), service.asking():
            raise TimeoutError
    assert scraped(measured)("portal_services_left_alone", service="a tested service") == 1
    seconds[0] += guard.PAUSE
    with service.asking():
        pass
    assert scraped(measured)("portal_services_left_alone", service="a tested service") == 0


@pytest.mark.service
def test_what_commands_did_is_read_from_the_database(measured: Flask, business: Made) -> None:
    post(measured, f"/{business.account}/gateway", next="timeout")
    pay(measured, business, quoted(measured, business))
    now = ports().clock.system_now()
    for outcome in ({"seen": 3, "renewed": 1}, {"seen": 4}):
        jobs.finished(jobs.SWEEP, 30, now - timedelta(seconds=5), Counter(outcome))
    found = scraped(measured)
    assert found("portal_database_up") == 1
    assert found("portal_job_interval_seconds", job="roll-over") == 30
    assert 0 <= found("portal_job_age_seconds", job="roll-over") < 60
    assert found("portal_job_seconds", job="roll-over") >= 5
    for name, count in {"seen": 7, "renewed": 1}.items():
        assert found("portal_job_outcomes_total", job="roll-over", outcome=name) == count
    assert found("portal_payments_pending") == 1
    assert found("portal_mails_unsent") == 0, "the sandbox keeps its mails"
    assert found("portal_payments_paused") == 0


@pytest.mark.service
def test_pending_payments_and_waiting_mails_are_found_by_their_index(measured: Flask) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    from sqlalchemy import event

    event.listen(db.engine, "before_cursor_execute", note)
    scraped(measured)
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(statements) <= 8
    indexes = {"FROM payment": "uq_payment_in_flight", "FROM message": "ix_message_unsent"}
    indexes |= {"FROM refund": "uq_refund_pending"}
    with db.engine.connect() as connection:
        if POSTGRESQL:
            connection.execute(text("SET enable_seqscan = off"))
        for table, index in indexes.items():
            (statement,) = [one for one in statements if table in one.replace("\n", "")]
            explain = "EXPLAIN" if POSTGRESQL else "EXPLAIN QUERY PLAN"
            plan = str(connection.execute(text(f"{explain} {statement}")).all())
            assert index in plan


def test_without_a_database_the_rest_is_told(measured: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def away() -> None:
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(scraping, "_jobs", away)
    assert scraped(measured)("portal_database_up") == 0


def test_counting_costs_a_request_some_microseconds(measured: Flask) -> None:
    metrics.count_request("a.route", "GET", 200, 0.01)
    best = min(timeit(lambda: metrics.count_request("a.route", "GET", 200, 0.01), number=1000) for _ in range(20))
    assert best / 1000 < 15e-6


def get(portal: Sandbox, path: str, **headers: str) -> tuple[int, str]:
    try:
        with urlopen(Request(portal.url + path, headers=headers), timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, ""


def scraped_from(portal: Sandbox) -> Samples:
    status, exposition = get(portal, "/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200
    return read(exposition)


def test_two_processes_count_what_the_client_counted_also_after_they_were_replaced() -> None:
    paths = {"/sign-in": 200, "/password/forgotten": 200, "/nowhere": 404, "/healthz": 200}
    with running_portal(WORKERS="2", METRICS_TOKEN=TOKEN) as portal:
        before = scraped_from(portal)("portal_requests_total")
        counted = 0
        for lap in range(2):
            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda path: (path, get(portal, path)[0]), list(paths) * 25))
            assert all(status == paths[path] for path, status in answers)
            counted += sum(path != "/healthz" for path, _ in answers)
            found = scraped_from(portal)
            assert found("portal_requests_total") - before == counted
            assert found("portal_requests_total", status="404") == 25 * (lap + 1)
            assert found("portal_request_seconds_count", endpoint="sign_in.page") >= 25 * (lap + 1)
            if lap == 0:
                _replace_processes(portal)
        files = {path.name for path in (portal.instance / "metrics").rglob("counter_*.db")}
        assert len(files) >= 3, "several processes counted"


def _replace_processes(portal: Sandbox) -> None:
    before = set(children(portal.server.pid))
    os.kill(portal.server.pid, signal.SIGHUP)
    for _ in range(600):
        if not before & set(children(portal.server.pid)):
            return
        time.sleep(0.05)  # there is no other sign that all were replaced
    raise AssertionError("the processes were not replaced")


def test_every_rule_of_the_alerts_names_metrics_that_exist(measured: Flask, client: FlaskClient) -> None:
    client.get("/")
    exposition = measured.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    known = set(re.findall(r"^# TYPE (\w+)", exposition, re.MULTILINE))
    known |= {f"{name}_bucket" for name in known} | {"portal_gateway_event_age_seconds", "up"}
    (group,) = yaml.safe_load((ROOT / "docs/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        named = set(re.findall(r"\bportal_\w+", rule["expr"]))
        assert named <= known, rule["alert"]
        assert rule["annotations"]["summary"]


def test_scrapes_are_not_in_the_log() -> None:
    assert scraping.PATH in logs.QUIET
