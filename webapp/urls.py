"""Addresses: absolute ones for mails, and safe ones to redirect to."""

from urllib.parse import urlsplit

from flask import current_app, request, url_for


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


def public_url(endpoint: str, **values: str) -> str:
    """An absolute address that begins with PUBLIC_URL. It needs no request, so the sweep can use it."""
    path: str = current_app.url_map.bind("").build(endpoint, values)
    return f"{current_app.config['PUBLIC_URL']}{path}"
