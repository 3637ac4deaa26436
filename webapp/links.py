"""Addresses of pages that sentences and several templates link to."""

from flask import Flask, current_app, url_for

from .models import ChangeRow, Quote, Subscription

PURCHASES = {"renewal": "renew", "addition": "add"}  # the procedure in the address, by the quote's kind


def init(app: Flask) -> None:
    app.jinja_env.globals.update(step_url=step_url, stepper_url=stepper_url, undo_url=undo_url, users_url=users_url)


def step_url(step: str, quote: Quote, *, external: bool = False) -> str:
    """A step of the purchase."""
    return url_for(
        f"purchase.{step}",
        subscription_id=quote.subscription_id,
        procedure=PURCHASES[quote.kind],
        quote_id=quote.id,
        _external=external,
    )


def stepper_url(quote: Quote) -> str:
    """Back to the number of seats that was quoted."""
    return url_for(f"{PURCHASES[quote.kind]}.stepper", subscription_id=quote.subscription_id, seats=quote.seats)


def undo_url(change: ChangeRow) -> str:
    """The confirmation that undoes a reduction or a cancellation."""
    return url_for(
        "undo.confirm",
        subscription_id=change.subscription_id,
        procedure=f"undo-{change.kind}",
        change_id=change.id,
    )


def users_url(subscription: Subscription) -> str:
    """Where the users of the subscription's tenant are administered."""
    return str(current_app.config["USER_ADMINISTRATION_URL"].format(tenant=subscription.tenant))
