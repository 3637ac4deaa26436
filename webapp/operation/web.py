"""One web process of `serve`: Granian in this process, with the application behind it."""

import asyncio
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable

from granian.constants import HTTPModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from .. import create_app
from . import logs
from .rsgi import Front
from .supervision import orphaned

HEADER_SECONDS = 30  # for a request's header, and for how long a connection may be idle
UNREAD_SECONDS = 30  # for a client to take some of its answer
SWITCH_SECONDS = 0.0005  # a thread waits ten times as long for its turn by default: a short request behind a long one
CONNECTIONS = 1000  # at a time; more wait to be accepted


def main(host: str, port: str, threads: str, ready: str) -> None:
    """`ready`: a descriptor that is closed once the process accepts requests."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(SWITCH_SECONDS)
    serve(Front(create_app({"WORKER_THREADS": int(threads)}), int(threads)), host, int(port), int(ready))


def serve(front: Front, host: str, port: int, ready: int) -> None:
    asyncio.run(_serve(front, host, port, ready))


async def _serve(front: Front, host: str, port: int, ready: int) -> None:
    loop = asyncio.get_running_loop()
    server = Server(
        front,
        address=host,
        port=port,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        log_level=LogLevels.error,
        log_dictconfig=logs.AS_OURS,
    )

    def stop() -> None:
        front.stop()
        server.stop()

    def started() -> None:
        _end_unread_connections()
        os.close(ready)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    front.started = started
    watch = loop.create_task(_stop_without_parent(stop))
    await server.serve()
    watch.cancel()


async def _stop_without_parent(stop: Callable[[], None]) -> None:
    over = orphaned()
    while not over():
        await asyncio.sleep(1)
    stop()


def _end_unread_connections() -> None:
    """Lets the kernel end a connection whose client takes nothing of its answer, or is gone. Granian does not, nor
    does it lend its listening socket, from which connections inherit this: it is looked for."""
    for descriptor in map(int, os.listdir("/dev/fd")):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
        except OSError:
            continue  # what listed them
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
