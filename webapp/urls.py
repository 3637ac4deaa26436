"""Addresses: absolute ones for mails, and safe ones to redirect to."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Flask, current_app, request, url_for

from .models.purchases import Quote
from .models.subscriptions import ChangeRow, Subscription

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


def safe_next(target: str | None) -> str:
    """`target` if it is a path within the portal, else the list of subscriptions. Prevents redirects to other sites."""
    if (
        target
        and target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and target.isprintable()
        and "\\" not in target
    ):
        return target
    return url_for("subscriptions.index")


def referring_page() -> str | None:
    """The path of the portal's page that sent the request; None if the browser does not say."""
    referrer = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    path = f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path
    return path if referrer.netloc == request.host and safe_next(path) == path else None


def with_seats(page: str, seats: str) -> str:
    """The page with this number of seats, which the stepper then shows."""
    parts = urlsplit(page)
    query = {**dict(parse_qsl(parts.query)), "seats": seats}
    return f"{parts.path}?{urlencode(query)}"


def public_url(endpoint: str, **values: str) -> str:
    """An absolute address that begins with PUBLIC_URL. It needs no request, so the sweep can use it."""
    path: str = current_app.url_map.bind("").build(endpoint, values)
    return f"{current_app.config['PUBLIC_URL']}{path}"
