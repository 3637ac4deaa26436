"""After an upgrade, browsers remove the service worker that earlier versions installed."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext

from .portal import Sandbox

OLD_WORKER = b"""
addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("fetch", (event) => event.respondWith(fetch(event.request)));
"""
OLD_PAGE = b"<!doctype html><title>Old</title>"
REGISTER = """async () => {
    await navigator.serviceWorker.register("/static/worker.js?fr", {scope: "/"});
    await navigator.serviceWorker.ready;
}"""
REMAINING = """async () => {
    const registrations = async () => (await navigator.serviceWorker.getRegistrations()).length;
    const end = performance.now() + 5000;
    while (await registrations() && performance.now() < end) await new Promise(requestAnimationFrame);
    return registrations();
}"""


class Upgraded(ThreadingHTTPServer):
    """An earlier portal until `new` is the address of today's, which then answers at the same origin."""

    new = ""


class Answer(BaseHTTPRequestHandler):
    server: Upgraded

    def do_GET(self) -> None:
        if self.server.new:
            self._forward()
        elif self.path.startswith("/static/worker.js"):
            self._send(OLD_WORKER, {"Content-Type": "text/javascript", "Service-Worker-Allowed": "/"})
        else:
            self._send(OLD_PAGE, {"Content-Type": "text/html"})

    def _forward(self) -> None:
        with urlopen(f"{self.server.new}{self.path}") as answer:
            names = ("Content-Type", "Content-Security-Policy")
            self._send(answer.read(), {name: answer.headers[name] for name in names if name in answer.headers})

    def _send(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upgraded() -> Iterator[Upgraded]:
    with Upgraded(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_old_service_worker_is_dropped(
    upgraded: Upgraded, sandbox: Sandbox, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context().new_page()
    page.goto(f"http://localhost:{upgraded.server_port}/sign-in")
    page.evaluate(REGISTER)
    page.reload()
    assert page.evaluate("Boolean(navigator.serviceWorker.controller)")
    upgraded.new = sandbox.url
    page.reload()
    assert page.evaluate(REMAINING) == 0
    page.reload()
    assert not page.evaluate("Boolean(navigator.serviceWorker.controller)")
