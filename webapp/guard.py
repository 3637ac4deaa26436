"""A limit on the threads that wait for one outside service, and a circuit breaker for when it is silent.

pybreaker is not used: it holds a lock during a call, so that calls would wait for one another.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

from flask import Flask, current_app

from . import metrics

log = logging.getLogger(__name__)
SILENCES = 5  # in a row, after which the service is not asked for a while
PAUSE = 10.0  # seconds between two attempts to ask a silent service
PROVIDER, ARCHIVES = "the sign-in provider", "year archives"


def allowed_to_wait(threads: int) -> int:
    """How many of a process's threads may wait for the same service: two stay free for what needs none."""
    return max(1, threads - 2)


class Busy(Exception):
    """As many threads as may do it are doing it."""


@dataclass
class _Heard:
    """From one address of the service: silences in a row, and when it may be asked again after too many."""

    silences: int = 0
    again_at: float = 0.0


class Guard:
    """`silence` are the exceptions that say that the service did not answer; `refusal` makes the one that is raised
    where it is not asked at all."""

    def __init__(
        self, service: str, most: int, silence: tuple[type[Exception], ...], refusal: Callable[[str], Exception]
    ) -> None:
        self.service, self.most, self.silence, self.refusal = service, most, silence, refusal
        self.lock, self.waiting, self.heard = Lock(), 0, dict[str, _Heard]()

    @contextmanager
    def asking(self, address: str = "") -> Iterator[None]:
        """`address` tells apart servers that fall silent by themselves, such as two tenants."""
        heard = self._begin(address)
        try:
            yield
        except self.silence:
            self._end(heard, silent=True)
            raise
        except BaseException:
            self._end(heard, silent=False)
            raise
        self._end(heard, silent=False)

    def _begin(self, address: str) -> _Heard:
        with self.lock:
            heard, now = self.heard.setdefault(address, _Heard()), monotonic()
            if self.waiting >= self.most:
                raise self.refusal(f"{self.service}: {self.most} others wait for it")
            if heard.silences >= SILENCES:
                if now < heard.again_at:
                    raise self.refusal(f"{self.service}: it was silent {heard.silences} times in a row")
                heard.again_at = now + PAUSE  # this one asks; the others wait for what it hears
            self.waiting += 1
            return heard

    def _end(self, heard: _Heard, silent: bool) -> None:
        with self.lock:
            self.waiting -= 1
            was_left_alone = heard.silences >= SILENCES
            heard.silences = heard.silences + 1 if silent else 0
            heard.again_at = monotonic() + PAUSE
            if was_left_alone != (heard.silences >= SILENCES):
                metrics.leave_alone(self.service, -1 if was_left_alone else 1)
            if heard.silences == SILENCES:
                log.warning("%s was silent %s times in a row: it is left alone for a while", self.service, SILENCES)


class Guarded:
    """An adapter whose calls are guarded. `address` finds in a call's arguments whom it asks."""

    def __init__(self, adapter: Any, guard: Guard, address: Callable[..., str] = lambda *_, **__: "") -> None:
        self._adapter, self._guard, self._address = adapter, guard, address

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._adapter, name)

        def guarded(*given: Any, **named: Any) -> Any:
            with self._guard.asking(self._address(*given, **named)):
                return call(*given, **named)

        return guarded if callable(call) else call


def register(
    app: Flask, service: str, silence: tuple[type[Exception], ...], refusal: Callable[[str], Exception]
) -> None:
    """Guards what `asking` names so. Only a web process has a limit: the sweep has threads and patience of its own."""
    if threads := app.config["WORKER_THREADS"]:
        guards = app.extensions.setdefault("guards", {})
        guards[service] = Guard(service, allowed_to_wait(threads), silence, refusal)


def asking(service: str) -> AbstractContextManager[None]:
    found: Guard | None = current_app.extensions.get("guards", {}).get(service)
    return found.asking() if found else nullcontext()
