"""Whether a request wants a whole page or only a fragment of it."""

from flask import request

FRAGMENT_HEADERS = ("HX-Request", "HX-Request-Type")  # the answer varies with these


def wants_fragment() -> bool:
    """The one place that decides between a whole page and a fragment."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") == "partial"
