"""What this process counts for /metrics: requests, their times, refused sign-ins, and services that are left alone.

Nothing is counted unless METRICS_TOKEN is set. Several web processes count in files of one directory, which
`operation/metrics.py` adds up.
"""

import os
from functools import cache
from typing import Any

from flask import Flask

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # the variable in which the library finds it, once, when it is imported
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = {"GET", "HEAD", "POST"}  # others are counted together: a client may invent them
NOWHERE = "none"  # the endpoint of an address that the portal does not have


class Measures:
    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        here: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "portal_requests", "Requests by route and status.", ["endpoint", "method", "status"], **here
        )
        self.seconds = Histogram(
            "portal_request_seconds", "Time to answer, by route.", ["endpoint"], buckets=SECONDS, **here
        )
        self.sign_ins_refused = Counter("portal_sign_ins_refused", "Sign-ins refused, by reason.", ["reason"], **here)
        self.services_left_alone = Gauge(
            "portal_services_left_alone",
            "Servers of an outside service that are not asked for a while, because they were silent.",
            ["service"],
            multiprocess_mode="livesum",
            **here,
        )
        self.by_request = cache(self._by_request)

    def _by_request(self, endpoint: str, method: str, status: int) -> tuple[Any, Any]:
        return self.requests.labels(endpoint, method, str(status)), self.seconds.labels(endpoint)


@cache
def measures() -> Measures:
    """One for each process, also where tests make several applications."""
    return Measures()


_is_on = False


def init(app: Flask) -> None:
    global _is_on
    _is_on = bool(app.config["METRICS_TOKEN"])
    if _is_on:
        measures()


def count_request(endpoint: str | None, method: str, status: int, seconds: float) -> None:
    if not _is_on:
        return
    method = method if method in METHODS else "other"
    counter, histogram = measures().by_request(endpoint or NOWHERE, method, status)
    counter.inc()
    histogram.observe(seconds)


def count_refused_sign_in(reason: str) -> None:
    if _is_on:
        measures().sign_ins_refused.labels(reason).inc()


def leave_alone(service: str, change: int) -> None:
    """One more server (1) of this service is left alone, or one less (-1)."""
    if _is_on:
        measures().services_left_alone.labels(service).inc(change)


def in_files() -> str:
    """The directory in which several processes count, or ""."""
    return os.environ.get(DIRECTORY, "")
