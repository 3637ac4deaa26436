"""Qlik Cloud tenants on loopback: pages of users, keys and tokens, and the failures of real tenants."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

KEY, CLIENT = "key-of-the-tenant", {"client_id": "portal", "client_secret": "s3cret"}
User = dict[str, Any]


class Answer(NamedTuple):
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}  # noqa: RUF012  never written to
    drips: bool = False  # a slow answer that never ends


def people(count: int) -> list[User]:
    return [{"id": str(n), "subject": f"auth0|{n}", "status": "active"} for n in range(count)]


class Tenant:
    """Answers `users` page by page; each answer in `instead` comes first, once."""

    def __init__(self, users: list[User]) -> None:
        self.users = users
        self.instead: list[Answer | Callable[[Tenant], Answer]] = []
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.good = {KEY}
        self.lifetime: object = 21600
        self.url = ""

    def answer(self, path: str, token: str, body: bytes) -> Answer:
        self.asked.append(path)
        if self.instead:
            first = self.instead.pop(0)
            return first(self) if callable(first) else first
        parts = urlsplit(path)
        if parts.path == "/oauth/token":
            return self._token(json.loads(body))
        if token not in self.good:
            return Answer(401, b'{"errors":[]}')
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert (parts.path, asked["filter"]) == ("/api/v1/users", 'status eq "active"')
        since, limit = int(asked.get("next", 0)), int(asked["limit"])
        links: dict[str, Any] = {"self": {"href": self.url + path}}
        if since + limit < len(self.users):
            following = f"{self.url}/api/v1/users?filter=status%20eq%20%22active%22&limit={limit}&next={since + limit}"
            links["next"] = {"href": following}
        return Answer(200, json.dumps({"data": self.users[since : since + limit], "links": links}).encode())

    def _token(self, form: dict[str, str]) -> Answer:
        if form != {**CLIENT, "grant_type": "client_credentials"}:
            return Answer(401, b"{}")
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        self.good = {self.tokens[-1]}
        token = {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.lifetime}
        return Answer(200, json.dumps(token).encode())


@contextmanager
def serving(tenant: Tenant) -> Iterator[str]:
    """Runs the server until the block ends; yields its address."""

    never = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # otherwise the body waits 40 ms for the head's acknowledgement

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            answer = tenant.answer(self.path, token, body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(10**6 if answer.drips else len(answer.body)))
            self.end_headers()
            with suppress(OSError):  # the client has gone
                self.wfile.write(answer.body)
                while answer.drips:
                    self.wfile.write(b" ")
                    never.wait(0.02)
            self.close_connection = answer.drips

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    tenant.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield tenant.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
