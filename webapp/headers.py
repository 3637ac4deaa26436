"""Security headers of every answer."""

from flask import Flask, Response, current_app, g, request

from . import config
from .access import provider

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def init(app: Flask) -> None:
    app.after_request(_add)


def _add(response: Response) -> Response:
    """A view may have set a header already: the sandbox gateway's pages have a policy of their own."""
    headers = response.headers
    set_already = {name.lower() for name, _ in headers}
    for name, value in (("Content-Security-Policy", _policy()), *HEADERS.items()):
        if name.lower() not in set_already:
            headers.add(name, value)
    if current_app.config["PUBLIC_URL"].startswith("https:"):
        response.headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
    if request.endpoint != "static" or response.status_code >= 400:  # an error page names the owner
        response.headers["Cache-Control"] = "no-store"
    return response


def _policy() -> str:
    """Chromium applies `form-action` to redirects too, so it names the gateway's and the provider's pages."""
    forms = g.get("form_origin") or f"{_gateway_origin()} {provider.form_origin()}".strip()
    frames = g.get("frames")
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"form-action 'self'{forms and ' ' + forms}; base-uri 'none'; frame-ancestors 'none'"
        f"{(frames and '; frame-src ' + frames) or ''}"
    )


def _gateway_origin() -> str:
    settings = current_app.config
    return str(settings["GATEWAY_ORIGIN"] or config.GATEWAY_PAGES.get(settings["GATEWAY"], ""))
