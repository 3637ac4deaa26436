"""Addresses: absolute ones for mails, and safe ones to come back to."""

from urllib.parse import urlsplit

from flask import current_app, request, url_for


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


def referring_page() -> str | None:
    """The page of ours that the request was sent from; None where the browser does not tell."""
    told = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    path = f"{told.path}?{told.query}" if told.query else told.path
    return path if told.netloc == request.host and safe_next(path) == path else None


def public_url(endpoint: str, **values: str) -> str:
    """An absolute address; the sweep has no request to take one from."""
    path: str = current_app.url_map.bind("").build(endpoint, values)
    return f"{current_app.config['PUBLIC_URL']}{path}"
