"""A mail server that the portal knows, and a clock that tests move."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from tests.servers.mailserver import Post, running
from tests.support.outgoing import MovableClock, mails_to
from webapp.ports import ports


@pytest.fixture
def clock(app: Flask) -> MovableClock:
    clock = MovableClock()
    app.extensions["ports"] = replace(ports(), clock=clock)
    return clock


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def office(app: Flask, clock: MovableClock, post: Post) -> Iterator[int]:
    """A mail server that the portal uses; yields its port."""
    with running(post) as port:
        mails_to(app, f"smtp://localhost:{port}")
        yield port
