"""Publishing prices, as support does, for one account of the sandbox."""

from collections.abc import Callable
from typing import Any

from click.testing import Result
from flask import Flask, current_app

from tests.support.world import state
from webapp.db import db
from webapp.sandbox.scenarios import Made

Publish = Callable[..., Result]
PRODUCT = "Qlik Sense Business"
DEARER: list[list[int | None]] = [[10, 4000], [25, 3000], [None, 2500]]  # the sandbox's tiers begin with 3000 and 2700
OLD, NEW = 10 * 3000 + 2 * 2700, 10 * 4000 + 2 * 3000  # cents a month for 12 seats
BOUNDARY = "2027-02-15"  # of the next period of `business`, 31 days after the scenario's day


def support(*arguments: str) -> Result:
    db.session.rollback()
    result = current_app.test_cli_runner().invoke(args=["support", *arguments, "--as", "Jeanne"])
    db.session.rollback()
    db.session.expire_all()
    return result


def published(publish: Publish, made: Made, day: str, **given: Any) -> None:
    result = publish(made, day, **given)
    assert result.exit_code == 0, result.output


def nets(app: Flask, made: Made) -> list[int]:
    """Of the invoices that the sandbox did not make as the past."""
    return [one["net"] for one in state(app, made)["invoices"] if one["issued_on"] > "2027-01-15"]
