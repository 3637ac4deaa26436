"""Static files: addresses that change with their content, and answers compressed once."""

import hashlib
from functools import cache
from io import BytesIO

import brotli
from flask import Flask, Response, request, send_file, url_for

from .config import ROOT

SHEET = "app.css"  # the parts in static/css, joined in this order: a later rule wins
PARTS = (
    "tokens",
    "base",
    "layout",
    "buttons",
    "forms",
    "messages",
    "lists",
    "tiles",
    "timeline",
    "dialogs",
    "stepper",
    "cost",
    "filters",
    "invoices",
    "team",
    "print",
)


def init(app: Flask) -> None:
    def static_file(filename: str) -> Response:
        if filename != SHEET:
            return app.send_static_file(filename)
        return send_file(BytesIO(_content(SHEET)), "text/css", max_age=app.get_send_file_max_age(SHEET))

    _content(SHEET)  # a part that is missing stops the start, not a page
    app.view_functions["static"] = static_file
    app.jinja_env.globals.update(static_url=static_url)
    app.after_request(_compress)


def static_url(filename: str) -> str:
    """A file's address changes with its content, so that browsers may keep it for a year."""
    return url_for("static", filename=filename, v=_version(filename))


@cache
def _version(filename: str) -> str:
    return hashlib.sha256(_content(filename)).hexdigest()[:12]


@cache
def _content(filename: str) -> bytes:
    if filename == SHEET:
        return b"\n".join((ROOT / "static/css" / f"{part}.css").read_bytes() for part in PARTS)
    return (ROOT / "static" / filename).read_bytes()


def _compress(response: Response) -> Response:
    """Reads and closes the file here, because Flask-Compress leaves it open, and compresses it as far as it goes."""
    if request.endpoint == "static" and response.status_code == 200:
        response.direct_passthrough = False
        content = response.get_data()
        response.vary.add("Accept-Encoding")
        for needless in ("Accept-Ranges", "Content-Disposition", "ETag", "Expires", "Last-Modified"):
            response.headers.pop(needless, None)  # 200 bytes of each file, whose address changes with it
        if request.accept_encodings.best_match(["br"]):
            response.set_data(_compressed(content))
            response.content_encoding = "br"
    return response


@cache
def _compressed(content: bytes) -> bytes:
    return brotli.compress(content)
