"""Addresses: absolute ones for mails, and safe ones to redirect to."""

from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from flask import Flask, current_app, request, url_for

from .mail_server import LOOPBACK
from .models.purchases import Quote
from .models.subscriptions import ChangeRow, OpenChange, QuoteRead, Subscription

NOWHERE = SplitResult("", "", "", "", "")
PURCHASES = {"renewal": "renew", "addition": "add"}  # the procedure in the address, by the quote's kind


def init(app: Flask) -> None:
    app.jinja_env.globals.update(step_url=step_url, stepper_url=stepper_url, undo_url=undo_url, users_url=users_url)


def step_url(step: str, quote: Quote | QuoteRead, *, external: bool = False) -> str:
    """A step of the purchase. `external`: the absolute address that the gateway sends the owner back to."""
    address = return_url if external else url_for
    return address(
        f"purchase.{step}",
        subscription_id=quote.subscription_id,
        procedure=PURCHASES[quote.kind],
        quote_id=quote.id,
    )


def stepper_url(quote: Quote) -> str:
    """Back to the number of seats that was quoted."""
    return url_for(f"{PURCHASES[quote.kind]}.stepper", subscription_id=quote.subscription_id, seats=quote.seats)


def undo_url(change: ChangeRow | OpenChange) -> str:
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


def parsed(address: str | None) -> SplitResult:
    """The parts of an address from outside; empty ones where it is no address. It never raises."""
    try:
        parts = urlsplit(address or "")
        _ = parts.hostname, parts.port  # each is read, and may be wrong, only when it is asked for
    except ValueError:
        return NOWHERE
    return parts


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


def current_page() -> SplitResult:
    """The page that the browser says it shows. It may belong to another site."""
    return parsed(request.headers.get("HX-Current-URL") or request.referrer)


def referring_page() -> str | None:
    """The path of the portal's page that sent the request; None if the browser does not say."""
    referrer = current_page()
    path = f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path
    return path if referrer.netloc == request.host and safe_next(path) == path else None


def with_seats(page: str, seats: str) -> str:
    """The page with this number of seats, which the stepper then shows."""
    parts = urlsplit(page)
    query = {**dict(parse_qsl(parts.query)), "seats": seats}
    return f"{parts.path}?{urlencode(query)}"


def public_url(endpoint: str, **values: str) -> str:
    """An absolute address that begins with PUBLIC_URL. It needs no request, so the sweep can use it.

    The host name of a request is never used: a client may send any.
    """
    path: str = current_app.url_map.bind("").build(endpoint, values)
    return f"{current_app.config['PUBLIC_URL']}{path}"


def return_url(endpoint: str, **values: str) -> str:
    """Where the gateway sends this browser back to: PUBLIC_URL, or its other loopback name if the browser is there.

    The cookie of the session is at that name, and the policy of its pages lets no form leave for the other one. A
    client that lies about the host is sent to its own machine at most.
    """
    address = public_url(endpoint, **values)
    public, asked = parsed(address), parsed(f"//{request.host}")
    is_here = public.hostname in LOOPBACK and asked.hostname in LOOPBACK and public.port == asked.port
    return public._replace(netloc=asked.netloc).geturl() if is_here else address
