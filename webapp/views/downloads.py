"""Answers with files that were put together in a temporary file."""

from flask import Response, request

from ..access.identity import me
from ..invoices import archives
from ..invoices.archives import Spooled
from ..invoices.spans import Span
from ..words import gettext

CSV = "text/csv; charset=utf-8"


def send_archive(span: Span) -> Response:
    """The ZIP of the documents of a span. HEAD makes none."""
    name = gettext("invoices-%(year)s.zip", year=span.name)
    spooled = None if request.method == "HEAD" else archives.spooled(me().account_id, span)
    return send_file(spooled, name, "application/zip")


def send_journal(span: Span) -> Response:
    """The journal of a span. HEAD reads nothing."""
    name = gettext("journal-%(span)s.csv", span=span.name)
    spooled = None if request.method == "HEAD" else archives.spooled_journal(me().account_id, span)
    return send_file(spooled, name, CSV)


def send_file(spooled: Spooled | None, name: str, content_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if spooled is None:
        return Response(content_type=content_type, headers=headers)
    headers["Content-Length"] = str(spooled.size)
    return Response(spooled, content_type=content_type, headers=headers, direct_passthrough=True)
