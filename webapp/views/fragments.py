"""Tells requests for a fragment from requests for a whole page."""

from flask import request

FRAGMENT_HEADERS = ("HX-Request", "HX-Request-Type")  # the answer varies with these


def wants_fragment() -> bool:
    """Whether htmx asks for a fragment of a page."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") == "partial"
