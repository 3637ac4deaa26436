"""Parses the settings of the mail server, SMTP_URL and MAIL_FROM."""

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.policy import SMTP
from urllib.parse import parse_qs, unquote, urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PORTS = {"smtp": 587, "smtps": 465}
NO_ADDRESS = "SMTP_URL is not an address such as smtp://user:password@mail.example.test:587."


@dataclass(frozen=True)
class Relay:
    """A mail server. `tls`: TLS from the first byte. `starttls`: STARTTLS is required; else it is used if offered."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str = ""
    password: str = field(default="", repr=False)


def parse_relay(url: str) -> Relay:
    """Reads SMTP_URL. Raises ValueError with a sentence without the address, which may contain a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except (ValueError, KeyError):
        raise ValueError(NO_ADDRESS) from None
    if not parts.hostname or parts.path not in ("", "/") or parts.fragment or options not in ({}, {"tls": ["off"]}):
        raise ValueError(NO_ADDRESS)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    tls, tls_off = parts.scheme == "smtps", bool(options)
    if bool(user) != bool(password):
        raise ValueError("SMTP_URL has a user without a password, or the reverse: give both (%40 stands for @).")
    if tls_off and (tls or user):
        raise ValueError("SMTP_URL says tls=off with smtps or a password: a password is never sent in the clear.")
    return Relay(parts.hostname, port, tls, not (tls or tls_off or parts.hostname in LOOPBACK), user, password)


def parse_sender(text: str) -> Address:
    """Reads MAIL_FROM. Raises ValueError with a sentence."""
    try:
        header = SMTP.header_factory("From", text)
        (sender,) = header.addresses
        is_valid = not header.defects and sender.domain and sender.username and sender.addr_spec.isascii()
    except (ValueError, IndexError):
        is_valid = False
    if not is_valid:
        raise ValueError(f"MAIL_FROM ({text}) is not an address such as My Qlik <billing@example.test>.")
    return Address(sender.display_name, sender.username, sender.domain)
