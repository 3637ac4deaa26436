"""The small Stripe of stripe_server.py over HTTP on loopback, and the faults that a test can order."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.servers import stripe_shapes as shapes
from tests.servers.stripe_server import SECRET_KEY, Asked, Stripe
from tests.servers.stripe_shapes import Shape

FAULTS = {  # answers that replace the real one; a 500 is stored under the idempotency key
    "500": (500, shapes.error("api_error", None, "Something went wrong on Stripe's end.")),
    "429": (429, shapes.error("invalid_request_error", "rate_limit", "Request rate limit exceeded.")),
    "409": (409, shapes.error("invalid_request_error", "lock_timeout", "This object cannot be accessed right now.")),
    "401": (401, shapes.error("invalid_request_error", None, "Invalid API Key provided: sk_test_*********qC")),
    "403": (403, shapes.error("invalid_request_error", None, "The provided key does not have the permissions.")),
    "400": (
        400,
        shapes.error("invalid_request_error", "parameter_unknown", "Received unknown parameter: x", param="x"),
    ),
}


def decoded(form: str) -> Shape:
    """The form's fields: `a[b]=c` becomes a dictionary, `a[0]=c` a list."""
    params: Shape = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        outer, _, inner = name.partition("[")
        if not inner:
            params[outer] = value
        elif inner.rstrip("]").isdigit():
            params.setdefault(outer, []).append(value)
        else:
            params.setdefault(outer, {})[inner.rstrip("]")] = value
    return params


class Handler(BaseHTTPRequestHandler):
    stripe: Stripe
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise the body waits 40 ms for the head's acknowledgement

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def _serve(self, form: str) -> None:
        stripe, path = self.stripe, urlsplit(self.path).path
        asked = Asked(self.command, path, decoded(form), self.headers.get("Idempotency-Key"))
        stripe.asked.append(asked)
        stripe.during()
        fault = next((ordered for ordered in stripe.faults if f"{self.command} {path}".endswith(ordered[0])), None)
        if fault:
            stripe.faults.remove(fault)
        how, released = fault[1] if fault else "", stripe.released
        if self.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            how = "401"
        replayed = asked.idempotency_key in stripe.kept
        if how in FAULTS:
            said = FAULTS[how]
            if how == "500" and asked.idempotency_key:
                stripe.kept.setdefault(asked.idempotency_key, ({"path": path, **asked.params}, said))
        elif how not in ("silent", "dropped"):
            said = stripe.answer(asked)
        if how.startswith("silent"):
            released.wait(10)  # longer than the client's timeout
        if how.startswith("silent") or how == "dropped":
            self.close_connection = True
            return
        body = json.dumps(said[1]).encode()
        self.send_response(said[0])
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Request-Id": "req_1"}
        for name, value in headers.items() | ({("Idempotent-Replayed", "true")} if replayed else set()):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(stripe: Stripe | None = None, handler: type[Handler] = Handler) -> Iterator[Stripe]:
    """Runs the small Stripe until the block ends."""
    stripe = stripe or Stripe()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (handler,), {"stripe": stripe}))
    server.daemon_threads = True
    stripe.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stripe
    finally:
        stripe.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
