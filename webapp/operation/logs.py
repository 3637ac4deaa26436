"""The log: one line on standard error for each request and event, as JSON or as text.

It contains nothing personal. A request is logged by its endpoint, without its address. E-mail addresses, credentials
in addresses, numbers as long as a card's, and values that an exception quotes are masked.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import perf_counter
from traceback import walk_tb
from typing import IO, Any, TextIO

import click
from flask import Flask, Response, current_app, g, has_app_context, request
from werkzeug.routing import Map

from .. import metrics
from ..access import limits
from ..db import new_id
from . import health

log = logging.getLogger(__name__)
MASK = "…"
# Each run of letters is read once, from its beginning, so a long line takes no longer for each of its letters.
NAME = r"[^\s@\"'<>(,=]"
PERSONAL = re.compile(rf"(?<!{NAME}){NAME}++@[^\s@\"'<>),]++|(?<![\w.])\d(?:[ -]?\d){{12,18}}(?![\w.])")
LONGEST_LINE = 2048  # bytes
REFUSED = {403, 429}  # worth knowing who was refused
DEEPEST = 8  # parts of a path that are told
QUIET = health.PATHS | {"/metrics"}  # asked by machines, every few seconds
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Granian's loggers, which would format their lines in another way.
AS_OURS: dict[str, Any] = {
    "handlers": {},
    "loggers": {"_granian": {"propagate": True}, "granian.access": {"propagate": True}},
}


def masked(text: str) -> str:
    return PERSONAL.sub(MASK, text)


def causes(fault: BaseException | None) -> list[str]:
    """An exception and its causes: the type, the message in one line, and the call stack of each. Values are masked."""
    lines = []
    while fault is not None:
        message = re.sub(r"'[^']*'", MASK, (str(fault).splitlines() or [""])[0])
        places = [(frame.f_code, line) for frame, line in walk_tb(fault.__traceback__)]
        stack = " > ".join(f"{Path(code.co_filename).name}:{line} {code.co_name}" for code, line in places)
        lines.append(f"{type(fault).__qualname__}: {masked(message)} [{stack}]")
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    return lines


def _details(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a line beside its message."""
    fields = {"request_id": g.request_id} if has_app_context() and "request_id" in g else {}
    if has_app_context() and (actor := current_app.config.get("ACTOR")):
        fields["actor"] = actor
    return fields | getattr(record, "details", {})


def shortened(text: str, longest: int) -> str:
    """Its beginning and its end: the end of a fault's way is where it arose."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}{MASK}{text[-(longest // 2) :]}"


def _as_json(line: dict[str, Any]) -> str:
    """In one line of at most LONGEST_LINE: its texts are shortened until they fit."""
    text = json.dumps(line, ensure_ascii=False, default=str)
    longest = LONGEST_LINE
    while len(text.encode(errors="replace")) > LONGEST_LINE and longest > 8:
        longest //= 2
        fitting = {name: _fitting(value, longest) for name, value in line.items()}
        text = json.dumps(fitting, ensure_ascii=False, default=str)
    return text


def _fitting(value: Any, longest: int) -> Any:
    if isinstance(value, list):
        return [shortened(part, longest) for part in value[:4]]
    return shortened(value, longest) if isinstance(value, str) else value


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        line |= {"event": masked(record.getMessage()), **_details(record)}
        if record.exc_info:
            line["fault"] = causes(record.exc_info[1])
        return _as_json(line)


class Readable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        lines = masked(super().format(record)).splitlines()
        lines[0] += "".join(f" {name}={value}" for name, value in _details(record).items())
        return "\n".join(shortened(line, LONGEST_LINE // 4) for line in lines)  # a letter has up to four bytes


def say(sentence: str, **details: object) -> None:
    """What a job prints: a line on standard output, as JSON where the log is JSON and nobody looks at it."""
    if current_app.config["LOG_FORMAT"] == "json" and not sys.stdout.isatty():
        record = logging.LogRecord("webapp.commands", logging.INFO, "", 0, sentence, (), None)
        record.details = details
        sentence = Json().format(record)
    click.echo(sentence)


class Unsuccessful(click.ClickException):
    """How a job ended that was not all done."""

    def show(self, file: IO[Any] | None = None) -> None:
        if current_app and current_app.config["LOG_FORMAT"] == "json" and not sys.stderr.isatty():
            log.error(self.message)
        else:
            super().show(file)


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current sys.stderr, which tests replace."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        """Ignored: the getter reads sys.stderr each time."""


def init(app: Flask) -> None:
    """Sets the log up. Call it before other hooks are registered, so that it measures the whole request."""
    handler, root = StandardError(), logging.getLogger()
    readable = Readable("%(asctime)s %(levelname)s %(name)s %(message)s", "%H:%M:%S")
    handler.setFormatter(Json() if app.config["LOG_FORMAT"] == "json" else readable)
    root.handlers = [other for other in root.handlers if not isinstance(other, StandardError)] + [handler]
    logging.getLogger("webapp").setLevel(logging.INFO)
    app.before_request(_begin)
    app.after_request(_end)


@cache
def _words_of_paths(url_map: Map) -> set[str]:
    return {part for rule in url_map.iter_rules() for part in rule.rule.split("/") if part and "<" not in part}


def _shape(path: str) -> str:
    """An address that the portal does not have: its words that are in addresses of the portal, the others masked."""
    words, parts = _words_of_paths(current_app.url_map), path.split("/")
    return "/".join(part if part in words or not part else MASK for part in parts[:DEEPEST])


@cache
def _tell_of_proxy() -> None:
    """Once in a process."""
    log.warning("X-Forwarded-For was sent, but TRUSTED_PROXIES is 0: if a proxy of yours sent it, set the number")


def _begin() -> None:
    """Gives the request an id, which an owner can quote. A trusted proxy may give it in REQUEST_ID_HEADER."""
    header = current_app.config["REQUEST_ID_HEADER"]
    proxy_id = request.headers.get(header, "") if header else ""
    if "X-Forwarded-For" in request.headers and not current_app.config["TRUSTED_PROXIES"]:
        _tell_of_proxy()
    g.request_id, g.began = proxy_id if WELL_FORMED.fullmatch(proxy_id) else new_id(), perf_counter()


def _end(response: Response) -> Response:
    if "began" not in g:  # the request failed before it began, such as at its cookie
        _begin()
    response.headers["X-Request-ID"] = g.request_id
    seconds = perf_counter() - g.began
    if request.path not in QUIET:
        metrics.count_request(request.endpoint, request.method, response.status_code, seconds)
    details = {
        "method": shortened(request.method, 20),
        "endpoint": request.endpoint,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
    }
    if g.get("member"):
        details |= {"account": g.member.account_id, "actor": str(g.member.role)}
    if response.status_code == 404 and request.endpoint is None:
        details["path"] = _shape(request.path)
    if response.status_code in REFUSED:
        details["client"] = limits.client_hash()
    log.log(logging.DEBUG if request.path in QUIET else logging.INFO, "request", extra={"details": details})
    return response
