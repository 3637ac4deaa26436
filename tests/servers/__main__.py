"""`make stand-ins`: servers on loopback that answer like Stripe, a tenant and a mail server, to rehearse going live.

They keep nothing once they end. The portal's settings for them are written to a file.
"""

import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.servers import mailserver, stripe_http, tenantserver
from tests.servers.stripe_server import SECRET_KEY, WEBHOOK_SECRET, Answer, Asked, Stripe

BEHAVIOURS = {"accepted": "Accept", "card_declined": "Accept, and refuse when charged"}
ACTIVE = 5


class WithPages(Stripe):
    """Its Checkout has a page, where a person enters a card by choosing how it behaves."""

    def answer(self, asked: Asked) -> Answer:
        status, said = super().answer(asked)
        page = {"url": f"{self.url}/checkout/{said['id']}"} if said.get("object") == "checkout.session" else {}
        return status, {**said, **page}


class Handler(stripe_http.Handler):
    def do_GET(self) -> None:  # noqa: N802
        _, page, *rest = urlsplit(self.path).path.split("/")
        if page != "checkout":
            super().do_GET()
        elif len(rest) == 1:
            self._say(
                200, "".join(f'<p><a href="{self.path}/{how}">{escape(BEHAVIOURS[how])}</a></p>' for how in BEHAVIOURS)
            )
        else:
            self.stripe.enter_card(rest[0], rest[1])
            self._say(303, "", Location=self.stripe.sessions[rest[0]]["success_url"])

    def _say(self, status: int, body: str, **headers: str) -> None:
        said = f"<!doctype html><title>Checkout</title><h1>Checkout</h1>{body}".encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", "Content-Length": str(len(said)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)


class Printed(mailserver.Post):
    """Prints each mail."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        said = await super().handle_DATA(server, session, envelope)
        mail = self.taken[-1]
        body = mail.get_body(("plain",))
        print(f"\nTo: {mail['To']}\nSubject: {mail['Subject']}\n\n{body.get_content() if body else ''}", flush=True)
        return said


@contextmanager
def standing_in() -> Iterator[dict[str, str]]:
    """The settings of a portal that uses the stand-ins, until the block ends."""
    tenant = tenantserver.Tenant(tenantserver.people(ACTIVE))
    with (
        stripe_http.serving(WithPages(), Handler) as gateway,
        tenantserver.serving(tenant) as url,
        mailserver.running(Printed()) as port,
    ):
        yield {
            "GATEWAY": "stripe",
            "STRIPE_API_URL": gateway.url,
            "GATEWAY_ORIGIN": gateway.url,
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SMTP_URL": f"smtp://127.0.0.1:{port}",
            "MAIL_FROM": "My Qlik <billing@my-qlik.example.com>",
            "QLIK_API_URL": url,
            "QLIK_API_KEY": tenantserver.KEY,
        }


def main(path: Path) -> None:
    with standing_in() as settings:
        path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))
        print(
            f"{path} has the settings of the portal. Each tenant has {ACTIVE} active users. Mails follow.", flush=True
        )
        threading.Event().wait()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "stand-ins.env"))
    except KeyboardInterrupt:
        print()
