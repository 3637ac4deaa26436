"""In whose name a command of support acts, and for which account."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import force_locale

from ...accounts import activity
from ...config import COMMAND
from ...db import db
from ...domain.refusals import Refusal
from ...models.accounts import Account
from ...models.subscriptions import Subscription
from ...sentences.refusals import explain
from ...subscriptions import loading
from .. import health
from . import finding

LONGEST_NAME = 100
NOTHING = "Nothing was changed."


def acts(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command its argument ACCOUNT and its option --as, and records what it does under that name."""

    @click.argument("account", metavar="ACCOUNT")
    @acts_for_many
    @wraps(command)
    def run(account: str, **given: Any) -> None:
        command(finding.only(account), **given)

    return run


def acts_for_many(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command its option --as only."""

    @named
    @with_appcontext
    @wraps(command)
    def run(name: str, **given: Any) -> None:
        health.check_database()
        with in_the_name_of(name):
            command(**given)

    return run


def _name(_context: click.Context, _option: click.Parameter, text: str) -> str:
    name = " ".join(text.split())
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise click.ClickException(f"--as is your name, of at most {LONGEST_NAME} letters. {NOTHING}")
    return name


named = click.option(
    "--as", "name", required=True, metavar="NAME", callback=_name, help="Your name, which the customer reads."
)


@contextmanager
def in_the_name_of(name: str) -> Iterator[None]:
    """What is done within is recorded under that name."""
    current_app.config["ACTOR"] = "support"
    token = activity.supporter.set(f"{name} (support)")
    try:
        yield
    finally:
        activity.supporter.reset(token)


def write_new(file: str, content: str) -> None:
    """Writes a file that only its owner can read. Raises ClickException if it is there already."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be made ({fault.strerror}): name a new file.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(content)


def account_row(account_id: str) -> Account:
    return db.session.get_one(Account, account_id)


def subscription_of(account_id: str, name: str) -> Subscription:
    """The subscription with this id, or on this tenant; "" stands for the only one. Raises ClickException."""
    every = loading.load_all(account_id)
    matches = [one for one in every if name in ("", one.id, one.tenant)]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(f"{one.id} ({one.product}, {one.tenant})" for one in matches or every) or "none"
    what = f"{name} is no subscription" if name and not matches else "Say which subscription"
    raise click.ClickException(f"{what} of this account: name one by its id. There are: {listed}. {NOTHING}")


def refused(refusal: Refusal, subscription: Subscription) -> click.ClickException:
    """What a customer would be told, in English."""
    with current_app.test_request_context(base_url=current_app.config["PUBLIC_URL"]), force_locale("en"):
        sentence = explain(refusal, subscription).sentence
    return click.ClickException(f"{sentence} {NOTHING}")


def hint(rest: str) -> str:
    return f"{COMMAND} support {rest}"
