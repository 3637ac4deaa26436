"""Static files: addresses that change with their content, and answers compressed once."""

import hashlib
from functools import cache

import brotli
from flask import Flask, Response, request, url_for

from .config import ROOT


def init(app: Flask) -> None:
    app.jinja_env.globals.update(static_url=static_url)
    app.after_request(_compress)


def static_url(filename: str) -> str:
    """A file's address changes with its content, so that browsers may keep it for a year."""
    return url_for("static", filename=filename, v=_version(filename))


@cache
def _version(filename: str) -> str:
    return hashlib.sha256((ROOT / "static" / filename).read_bytes()).hexdigest()[:12]


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
