"""Addresses: absolute ones for mails and gateways, and safe ones to come back to."""

from urllib.parse import SplitResult, urlsplit

from flask import current_app, request, url_for

NOWHERE = SplitResult("", "", "", "", "")


def parsed(address: str | None) -> SplitResult:
    """The parts of an address from outside; empty ones where it is no address. It never raises."""
    try:
        parts = urlsplit(address or "")
        _ = parts.hostname, parts.port  # each is read, and may be wrong, only when it is asked for
    except ValueError:
        return NOWHERE
    return parts


def safe_next(target: str | None) -> str:
    """The page to come back to, if it is one of ours; else the home."""
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
    """The page that the browser says it shows. It may not be one of ours."""
    return parsed(request.headers.get("HX-Current-URL") or request.referrer)


def whence() -> str | None:
    """The page of ours that the request was sent from; None where the browser does not tell."""
    told = current_page()
    path = f"{told.path}?{told.query}" if told.query else told.path
    return path if told.netloc == request.host and safe_next(path) == path else None


def public_url(endpoint: str, **values: str) -> str:
    """An absolute address. It begins with PUBLIC_URL, never with the host name that the request was sent to."""
    path: str = current_app.url_map.bind("").build(endpoint, values)
    return f"{current_app.config['PUBLIC_URL']}{path}"
