"""The warning before a session ends: when it is due, and that the owner can stay."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.access.test_sessions import age, rows
from tests.support.world import dump, words


def left(client: FlaskClient) -> int:
    answer: Any = client.get("/sessions/left").json
    return int(answer["seconds"])


def test_the_page_knows_when_its_session_ends(client: FlaskClient) -> None:
    page = client.get("/contact").text
    dialog = re.search(r'<dialog id="session-soon"[^>]*>', page)
    assert dialog
    assert 'role="alertdialog"' in dialog[0]
    assert 'data-warning="300"' in dialog[0]
    seconds = re.search(r'data-left="(\d+)"', dialog[0])
    assert seconds
    assert 3590 <= int(seconds[1]) <= 3600
    assert "will end in less than 5 minutes" in words(page)


def test_a_stranger_has_no_session_to_lose(app: Flask) -> None:
    assert "session-soon" not in app.test_client().get("/sign-in").text
    assert left(app.test_client()) == 0


def test_asking_does_not_extend_the_session(client: FlaskClient) -> None:
    age(timedelta(minutes=56))
    before = dump()
    assert 230 <= left(client) <= 240
    assert dump() == before
    client.get("/contact")
    assert 3590 <= left(client) <= 3600


def test_staying_extends_it_at_once(client: FlaskClient) -> None:
    age(timedelta(seconds=30))
    assert client.post("/sessions/stay").status_code == 204
    assert 3590 <= left(client) <= 3600
    age(timedelta(minutes=61))
    assert left(client) == 0
    assert client.post("/sessions/stay", headers={"HX-Request": "true"}).status_code == 401
    assert left(client) == 0


def test_twelve_hours_are_the_end_whatever_is_used(client: FlaskClient) -> None:
    age(timedelta(), timedelta(hours=12) - timedelta(minutes=2))
    assert 100 <= left(client) <= 120
    client.post("/sessions/stay")
    assert left(client) <= 120
    assert client.get("/contact").status_code == 200
    age(timedelta(), timedelta(hours=13))
    assert left(client) == 0


@pytest.mark.parametrize(("minutes", "warning"), [(1, 30), (4, 120), (60, 300), (720, 300)])
def test_a_short_session_warns_at_half_its_time(app: Flask, client: FlaskClient, minutes: int, warning: int) -> None:
    app.config["SESSION_IDLE_MINUTES"] = minutes
    assert f'data-warning="{warning}"' in client.get("/contact").text


def test_an_ended_session_is_not_counted(client: FlaskClient) -> None:
    client.post("/sign-out")
    assert (rows(), left(client)) == ([], 0)
