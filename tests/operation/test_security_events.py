"""What the log says for whoever looks after security: refusals with a hash of the client, who acts, lost addresses."""

import json
import re
from threading import Event

import pytest
from flask import Flask

from tests.servers.mailserver import Post, running
from tests.support import team
from tests.support.log_lines import Lines
from tests.support.outgoing import mails_to
from webapp.operation import cli, logs
from webapp.renewals import sweep
from webapp.sandbox.scenarios import Made

HASH = r"[0-9a-f]{16}"


def test_a_refused_sign_in_tells_clients_apart_and_names_none(app: Flask, business: Made, log: Lines) -> None:
    def guess(address: str) -> None:
        browser = app.test_client()
        browser.post(
            "/sign-in", data={"email": business.email, "password": "wrong"}, environ_base={"REMOTE_ADDR": address}
        )

    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        guess(address)
    first, second, third = (line["client"] for line in log.of_event("sign-in refused"))
    assert re.fullmatch(HASH, str(first))
    assert first == second != third
    assert {line["reason"] for line in log.of_event("sign-in refused")} == {"password"}
    assert not [line for line in log.lines if "192.0.2" in line or business.email in line]
    for _ in range(4):
        guess("192.0.2.1")
    assert log.of_event("sign-in refused")[-1]["reason"] == "limit"
    limited = [line for line in log.of_event() if line["status"] == 429]
    assert [line["client"] for line in limited] == [first] * len(limited)
    assert limited


def test_who_may_not_is_told_by_role(app: Flask, business: Made, log: Lines) -> None:
    viewer = team.browser(app, team.add(business, "viewer"))
    assert viewer.get("/billing/information").status_code == 403
    line = log.of_event()[-1]
    assert (line["status"], line["actor"], line["account"]) == (403, "viewer", business.account)
    assert re.fullmatch(HASH, str(line["client"]))


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/wp-admin/setup.php", "/…/…"),
        ("/billing/camille.martin", "/billing/…"),
        ("/subscriptions/0123/unknown", "/subscriptions/…/…"),
        ("/zoe@example.test", "/…"),
        ("/a" * 40, "/…" * (logs.DEEPEST - 1)),
    ],
)
def test_an_address_that_is_not_there_is_told_by_its_shape(app: Flask, log: Lines, path: str, shape: str) -> None:
    app.test_client().get(path)
    line = log.of_event()[-1]
    assert (line["status"], line["endpoint"], line["path"]) == (404, None, shape)


def test_what_a_job_prints_is_json_where_the_log_is(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    app.config["LOG_FORMAT"] = "json"
    with running(Post()) as port:
        mails_to(app, f"smtp://localhost:{port}")
        cli._send_with_summary(Event(), every=None)
    cli._sweep_with_progress(None, 1, Event(), every=None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["event"] == "nothing was due"
    assert re.fullmatch(r"0 subscriptions in [\d.]+ s: nothing was due\.", lines[1]["event"])
    assert {line["logger"] for line in lines} == {"webapp.commands"}


def test_the_failure_of_a_job_is_json_too(app: Flask, monkeypatch: pytest.MonkeyPatch, log: Lines) -> None:
    app.config["LOG_FORMAT"] = "json"
    monkeypatch.setattr(cli, "_sweep_with_progress", lambda *_: 3)
    done = app.test_cli_runner().invoke(args=["roll-over"])
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = log.of_event("3 subscriptions were not rolled over: the log says why.")
    assert (line["level"], line["actor"]) == ("error", "sweep")


def test_a_line_of_the_sweep_names_the_sweep(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch, log: Lines
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(sweep, "roll_over", breaks)
    app.test_cli_runner().invoke(args=["roll-over"])
    (line,) = [line for text in log.lines[::2] if "was not rolled over" in (line := json.loads(text))["event"]]
    assert line["actor"] == "sweep"
