"""What happens if a setting is wrong: the start is refused with one sentence, and `doctor` tells all of them."""

import secrets
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import click

TOLERANT = {"doctor", "--help"}


class Misconfigured(click.ClickException):
    """The sentence says which setting is wrong and what to do."""


Read = TypeVar("Read")
_collected: ContextVar[list[str] | None] = ContextVar("_collected", default=None)


@contextmanager
def collecting() -> Iterator[list[str]]:
    """Inside, a setting that cannot be read is collected as a sentence, and its default taken."""
    found: list[str] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def default_if_wrong(default: Read, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except Misconfigured as fault:
        faults = _collected.get()
        if faults is None:
            raise
        faults.append(fault.message)
        return default


# Without it some of the portal can still be looked at: `doctor` and --help do.
DISPENSABLE = {
    **dict.fromkeys(("FONTS_DIR", "METRICS_TOKEN", "OIDC_ISSUER", "SMTP_URL", "QLIK_API_KEY"), ""),
    "LOG_FORMAT": "text",
    "MAIL_FROM": "",
}


def tolerated(config: dict[str, Any], found: Collection[str]) -> None:
    """Leaves out the settings that these sentences name, so that the rest can be checked."""
    config["FAULTS"] = [*found]
    config["SECRET_KEY"] = config["SECRET_KEY"] or secrets.token_hex(32)
    for fault in found:
        name = fault.split(" ", 1)[0]
        if name in DISPENSABLE:
            config[name] = DISPENSABLE[name]


def is_tolerant() -> bool:
    """Whether the command that runs is to work with any settings."""
    return bool(TOLERANT & set(sys.argv[1:]))
