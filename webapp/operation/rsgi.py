"""Runs the WSGI application behind Granian's RSGI interface, so that a slow client never holds a worker thread.

The event loop reads a whole request before it takes a worker, and sends the answer after the worker is free again.
Probes and /metrics have threads of their own: they are answered while all workers are busy.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from io import BytesIO
from typing import Any, NamedTuple

from granian.rsgi import HTTPProtocol, ProtocolClosed, ProtocolError, Scope
from werkzeug.wsgi import FileWrapper

from . import health, metrics

log = logging.getLogger(__name__)
BODY_SECONDS = 30.0  # for a whole body
STOPPING_SECONDS = 1.0  # for a body that is on its way when the process is told to stop
OPENING_SECONDS = 60.0  # after which Granian has surely opened the file that it was told to send
LARGEST_BODY = 256 * 1024  # bytes; more is not read. The application refuses much less, with a page that says so.
SERVER = ("Server", "portal")  # or Granian names itself
Headers = list[tuple[str, str]]
Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes | FileWrapper


class Front:
    """What Granian calls for each request."""

    def __init__(self, application: Wsgi, threads: int) -> None:
        self.application = application
        self.workers = ThreadPoolExecutor(threads, "worker")
        self.probes = {path: ThreadPoolExecutor(1, "probe") for path in (*health.PATHS, metrics.PATH)}
        self.started: Callable[[], None] = lambda: None  # is called once it accepts requests
        self.deadlines: set[asyncio.Timeout] = set()  # of the bodies that are being read

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(self.started)  # Granian listens by then

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        try:
            body = await self._body(scope, protocol)
        except TimeoutError:
            protocol.response_empty(408, [("Connection", "close"), SERVER])
            return
        except (ProtocolClosed, ProtocolError):
            return  # the client left
        pool: Executor = self.probes.get(scope.path, self.workers)
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(pool, _called, self.application, environ(scope, body))
        if isinstance(answer.body, bytes):
            protocol.response_bytes(answer.status, [*answer.headers, SERVER], answer.body)
        else:
            protocol.response_file(answer.status, [*answer.headers, SERVER], f"/dev/fd/{answer.body.file.fileno()}")
            loop.call_later(OPENING_SECONDS, answer.body.close)

    async def _body(self, scope: Scope, protocol: HTTPProtocol) -> bytes:
        """The whole body; nothing of one that the application refuses by its header: too large, or of unknown size."""
        length = scope.headers.get("content-length", "0")
        if "transfer-encoding" in scope.headers or not 0 < int(length) <= LARGEST_BODY:  # Granian lets only digits pass
            return b""
        async with asyncio.timeout(BODY_SECONDS) as deadline:
            self.deadlines.add(deadline)
            try:
                return await protocol()
            finally:
                self.deadlines.discard(deadline)

    def stop(self) -> None:
        """Bodies that are still being read have a moment to end."""
        for deadline in self.deadlines:
            deadline.reschedule(asyncio.get_running_loop().time() + STOPPING_SECONDS)


def environ(scope: Scope, body: bytes) -> Environ:
    """The request as PEP 3333 describes it."""
    host, _, port = scope.server.rpartition(":")
    found: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue  # it would pass for one with a hyphen, which a proxy vouches for
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        value = value.encode().decode("latin-1")
        found[key] = f"{found[key]}{'; ' if name == 'cookie' else ','}{value}" if key in found else value
    return found


def _called(application: Wsgi, environ: Environ) -> Answer:
    """Runs in a worker thread. A file is handed over as it is; any other answer is made whole here."""
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _exc_info: object = None) -> None:
        started.append((status, headers))

    try:
        parts = application(environ, start_response)
        if isinstance(parts, FileWrapper):
            body: bytes | FileWrapper = parts
        else:
            try:
                body = b"".join(parts)
            finally:
                if hasattr(parts, "close"):
                    parts.close()
        status, headers = started[-1]
    except Exception:
        log.exception("the application broke off")
        return Answer(500, [("Content-Type", "text/plain")], b"Internal Server Error\n")
    return Answer(int(status[:3]), headers, body)
