"""One module a family of pages: forms validate, the service decides, a template answers."""

from flask import request

FRAGMENT_HEADERS = ("HX-Request", "HX-Request-Type")  # what the choice of page or fragment depends on


def wants_fragment() -> bool:
    """The one place that decides between a whole page and a fragment of it."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") == "partial"
