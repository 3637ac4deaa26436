"""One module a family of pages: forms validate, the service decides, a template answers."""

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue


def wants_fragment() -> bool:
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") == "partial"


def answer(page: str, fragment: str, status: int = 200, **context: object) -> ResponseReturnValue:
    """The one place that decides between a whole page and a fragment of it."""
    response = make_response(render_template(fragment if wants_fragment() else page, **context), status)
    response.vary.update(("HX-Request", "HX-Request-Type"))
    return response
