"""Where mail goes out: what SMTP_URL and MAIL_FROM say."""

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.policy import SMTP
from urllib.parse import parse_qs, unquote, urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PORTS = {"smtp": 587, "smtps": 465}
NO_ADDRESS = "SMTP_URL is not an address such as smtp://user:password@mail.example.test:587."


@dataclass(frozen=True)
class Relay:
    """A mail server. `tls`: from the first byte; `starttls`: must be offered, and is taken wherever it is."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str = ""
    password: str = field(default="", repr=False)


def parse_relay(url: str) -> Relay:
    """Raises ValueError, whose sentence does not repeat the address: it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
        wished = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except (ValueError, KeyError):
        raise ValueError(NO_ADDRESS) from None
    if not parts.hostname or parts.path not in ("", "/") or parts.fragment or wished not in ({}, {"tls": ["off"]}):
        raise ValueError(NO_ADDRESS)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    tls, off = parts.scheme == "smtps", bool(wished)
    if bool(user) != bool(password):
        raise ValueError("SMTP_URL has a user without a password, or the reverse: give both (%40 stands for @).")
    if off and (tls or user):
        raise ValueError("SMTP_URL says tls=off with smtps or a password: a password is never sent in the clear.")
    return Relay(parts.hostname, port, tls, not (tls or off or parts.hostname in LOOPBACK), user, password)


def parse_sender(text: str) -> Address:
    """Raises ValueError with a sentence."""
    try:
        found = SMTP.header_factory("From", text)
        (sender,) = found.addresses
        whole = not found.defects and sender.domain and sender.username and sender.addr_spec.isascii()
    except (ValueError, IndexError):
        whole = False
    if not whole:
        raise ValueError(f"MAIL_FROM ({text}) is not an address such as My Qlik <billing@example.test>.")
    return Address(sender.display_name, sender.username, sender.domain)
