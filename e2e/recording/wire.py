"""The requests of a step and their answers, as a recording shows them."""

import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from playwright.sync_api import Error, Response

LONG_ID = re.compile(r"\b([0-9a-f]{4})[0-9a-f]{8,}\b")
LONGEST_FRAGMENT = 4000  # characters of a fragment that are shown


@dataclass(frozen=True)
class Exchange:
    """A request and its answer; `bytes` on the wire, `form` as sent, `fragment` as htmx received it."""

    method: str
    path: str
    form: str
    status: int
    bytes: int
    ms: int
    fragment: str


def exchange_of(answer: Response) -> Exchange | None:
    """None for styles and scripts."""
    request, address = answer.request, urlsplit(answer.url)
    if request.resource_type not in ("document", "fetch", "xhr"):
        return None
    fragment = ""
    if request.resource_type != "document":
        with suppress(Error):
            fragment = re.sub(r"\n\s*\n", "\n", answer.text()).strip()[:LONGEST_FRAGMENT]
    sent = [(name, value) for name, value in parse_qsl(request.post_data or "") if name != "csrf_token"]
    path = LONG_ID.sub(r"\1…", address.path) + (f"?{address.query}" if address.query else "")
    timing = request.timing
    taken = round(max(timing["responseStart"], timing["responseEnd"]) - max(0, timing["requestStart"]))
    form = urlencode(sent, safe="/@")
    return Exchange(request.method, path, form, answer.status, body_size(answer), max(0, taken), fragment)


def body_size(answer: Response) -> int:
    """The bytes of the body on the wire. The browser's own count is below zero where it counts headers twice."""
    declared = answer.headers.get("content-length", "")
    if declared.isdigit():
        return int(declared)
    with suppress(Error):  # a redirect has no body
        counted = answer.request.sizes()["responseBodySize"]
        return counted if counted >= 0 else len(answer.body())
    return 0
