"""The moments at which a process may die or be overtaken: around each commit and each call of the gateway."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from webapp.db import db
from webapp.ports import PaymentGateway

Reached = Callable[[str], None]
Listener = tuple[Any, str, Callable[..., None]]  # of an SQLAlchemy event: its target, its name, the function
CALLS = ("begin_card_setup", "complete_card_setup", "detach", "charge", "find", "cancel")


class Watched:
    """A gateway that reports the start and end of each call, failed ones too; the real one does the rest."""

    def __init__(self, gateway: PaymentGateway, reached: Reached) -> None:
        self._gateway, self._reached = gateway, reached

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, name) if name in CALLS else getattr(self._gateway, name)

    def _call(self, name: str, *given: object) -> object:
        self._reached(f"before {name}")
        try:
            return getattr(self._gateway, name)(*given)
        finally:
            self._reached(f"after {name}")


@contextmanager
def watched(app: Flask, reached: Reached, *, all_of_them: bool = False) -> Iterator[None]:
    """Calls `reached` at each moment, in the thread where it happens; `all_of_them` adds each statement."""
    listeners: list[Listener] = []
    if all_of_them:
        listeners.append((db.engine.pool, "checkout", lambda *_: reached("before begin")))
        listeners.append((db.engine, "after_cursor_execute", lambda *_: reached("statement")))
    with commits_watched(app, reached, listeners, gateway=Watched(app.extensions["ports"].gateway, reached)):
        yield


@contextmanager
def commits_watched(app: Flask, reached: Reached, more: Iterable[Listener] = (), **watchers: Any) -> Iterator[None]:
    """Calls `reached` around each commit, and adds `more` listeners; `watchers` replace the ports that they name."""
    real = app.extensions["ports"]
    listeners: list[Listener] = [
        (db.engine, "commit", lambda _: reached("before commit")),
        (Session, "after_commit", lambda _: reached("after commit")),
        *more,
    ]
    for target, name, listener in listeners:
        event.listen(target, name, listener)
    app.extensions["ports"] = replace(real, **watchers)
    try:
        yield
    finally:
        app.extensions["ports"] = real
        for target, name, listener in listeners:
            event.remove(target, name, listener)
