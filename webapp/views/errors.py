"""Error pages. A request for a fragment gets a message in the message area instead."""

import logging
import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request, url_for
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException

from .. import database_faults, guard, leases
from ..access import security
from ..access.identity import me
from ..db import NotFound, Unstorable, db
from ..domain.refusals import NotPermitted, Refusal
from ..formats import ngettext
from ..invoices.documents import DocumentNotMade
from ..ports import OutcomeUnknown
from ..sentences.refusals import Explained, explain
from ..subscriptions import loading
from ..urls import referring_page
from ..words import gettext

log = logging.getLogger(__name__)
RETRY_AFTER = 10  # seconds, where nobody knows better
CODES = {  # of an error for programs
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    411: "length_required",
    413: "too_large",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}


def register(app: Flask) -> None:
    handlers: dict[type[Exception], Callable[[Any], Response]] = {
        HTTPException: http_error,
        NotFound: lambda _: error_page(404),
        OutcomeUnknown: lambda _: error_page(503),
        DocumentNotMade: document_not_made,
        Refusal: refused,
        leases.Taken: lambda taken: archive_busy(taken.seconds),
        guard.Busy: lambda _: archive_busy(RETRY_AFTER),
        **dict.fromkeys(database_faults.FAULTS, troubled),
        Unstorable: unstorable,
        Exception: unexpected,
    }
    for kind, handler in handlers.items():
        app.register_error_handler(kind, _never_raising(handler))


def _never_raising(handler: Callable[[Any], Response]) -> Callable[[Exception], Response]:
    """If the error page itself fails, the answer is a plain sentence with the status of the first error."""

    @wraps(handler)
    def answer(error: Exception) -> Response:
        try:
            return handler(error)
        except Exception:
            log.exception("the error page could not be made")
            return plain_error(_status(error))

    return answer


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.code or 500
    if isinstance(error, NotFound):
        return 404
    return error.status if isinstance(error, Refusal) else 500


def plain_error(status: int) -> Response:
    """The last resort: it needs no template and no database."""
    try:
        title, sentence = _words(status)
    except Exception:
        title, sentence = "Unexpected error", "Try again in a moment."
    return Response(f"{title}. {sentence}\n", status, content_type="text/plain; charset=utf-8")


def http_error(error: HTTPException) -> Response:
    wait = getattr(error, "retry_after", None)
    response = error_page(error.code or 500, wait=wait if isinstance(wait, int) else None)
    if error.code in (405, 429, 503):  # the headers say which methods are allowed, or how long to wait
        response.headers.extend(error.get_headers())
    return response


def refused(refusal: Refusal, status: int | None = None) -> Response:
    """A domain rule refused the request: the page says why, and what to do. What the role or the plan forbids is a
    security event."""
    if (status or refusal.status) == 403 and me() is not None:
        what = str(refusal.procedure) if isinstance(refusal, NotPermitted) else "plan"
        security.refused(me().account_id, me().member_id, "not_permitted", what)
    subscription_id = (request.view_args or {}).get("subscription_id")
    if isinstance(refusal, NotPermitted):  # it is refused before anything is looked for
        subscription_id = None
    subscription = loading.load(me().account_id, subscription_id) if subscription_id else None
    return error_page(status or refusal.status, explain(refusal, subscription))


def unstorable(error: Exception) -> Response:
    """A value that the database cannot store, such as a NUL. The portal's forms never send one."""
    log.warning("refused at %s %s", request.method, request.url_rule, exc_info=error)
    db.session.rollback()
    return error_page(404 if request.method in ("GET", "HEAD") or "\0" in request.path else 400)


def document_not_made(_fault: DocumentNotMade) -> Response:
    sentence = gettext(
        "The document could not be created. Something went wrong on our side; we’ve logged it. Try again in a moment."
    )
    return error_page(500, Explained(sentence, gettext("Try again"), request.path))


def archive_busy(seconds: int) -> Response:
    sentence = gettext("An archive is already being prepared. Wait for its download to start, then request this one.")
    title = gettext("One archive at a time")
    response = error_page(429, Explained(sentence, gettext("Try again"), request.path, title))
    response.headers["Retry-After"] = str(seconds)
    return response


def troubled(error: Exception) -> Response:
    """The database cannot do its work for a while; anything else is a fault of ours."""
    trouble = database_faults.temporary_fault(error)
    if trouble is None:
        return unexpected(error)
    log.error("%s at %s %s", trouble, request.method, request.url_rule)
    db.session.rollback()
    titles = {
        database_faults.FULL: gettext("The portal cannot save anything now"),
        database_faults.LOCKED: gettext("The portal is busy"),
        database_faults.UNREACHABLE: gettext("The portal cannot reach its data"),
    }
    sentence = gettext(
        "Your request was not completed. Try again in a moment. If you were paying, check Subscriptions first: "
        "it shows whether the payment is in progress."
    )
    again = request.path if request.method in ("GET", "HEAD") else (referring_page() or url_for("subscriptions.index"))
    response = error_page(503, Explained(sentence, gettext("Try again"), again, titles[trouble]))
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def unexpected(error: Exception) -> Response:
    log.error("unexpected fault at %s %s", request.method, request.url_rule, exc_info=error)
    db.session.rollback()
    return error_page(500)


def error_page(status: int, explained: Explained | None = None, wait: int | None = None) -> Response:
    """The error page: what happened, whether anything changed, and what to do.

    `explained` replaces the sentence for the status. `wait` is the number of seconds until the next try is allowed.
    """
    title, sentence = _words(status)
    if wait:
        sentence = _try_again_after(math.ceil(wait / 60))
    whole_page = "HX-Request" not in request.headers
    if request_ctx.url_adapter is None:  # the host is not in TRUSTED_HOSTS, so no link can be built
        if whole_page:
            return Response(f"{title}. {sentence}\n", status, content_type="text/plain; charset=utf-8")
        return _fragment(status, title, Explained(sentence))
    if whole_page and asks_for_json():
        return json_error(status, explained.sentence if explained else sentence)
    explained = explained or Explained(sentence, *_next_step(status, whole_page))
    title = explained.title or title
    if not whole_page:
        return _fragment(status, title, explained)
    return make_response(render_template("errors/page.html", title=title, explained=explained, status=status), status)


def _fragment(status: int, title: str, explained: Explained) -> Response:
    """For a script, which shows it where the messages of a page are."""
    body = render_template("errors/_error.html", title=title, explained=explained, status=status)
    return make_response(body, status, {"HX-Retarget": "#flash", "HX-Reswap": "innerHTML"})


def asks_for_json() -> bool:
    """Whether the request prefers JSON to a page. A browser does not, nor does what accepts anything."""
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def json_error(status: int, message: str) -> Response:
    """An error for a program: `error` is its name, the same in every language; `message` is its sentence."""
    return make_response(jsonify(error=CODES.get(status, "fault"), message=message), status)


def _try_again_after(minutes: int) -> str:
    return ngettext(
        "Too many attempts in a short time. Nothing was changed. Try again in %(n)s minute.",
        "Too many attempts in a short time. Nothing was changed. Try again in %(n)s minutes.",
        minutes,
    )


def _next_step(status: int, whole_page: bool) -> tuple[str, str]:
    """A label and an address for what to do: try again, or reload the page; empty if that page is not known."""
    page = referring_page()
    if status == 401:
        return gettext("Sign in and return"), url_for("sign_in.page", next=page)
    if whole_page and request.method in ("GET", "HEAD"):
        may_work_later = status == 429 or status >= 500
        return (gettext("Try again"), request.full_path.rstrip("?")) if may_work_later else ("", "")
    return (gettext("Reload the page"), page) if page else ("", "")


def _words(status: int) -> tuple[str, str]:
    """The title and the sentence for a status. Any status that is not listed is a fault of the portal."""
    words = {
        400: (
            gettext("This form has expired"),
            gettext(
                "The page was open for too long or came from elsewhere. Nothing was changed. Go back, reload "
                "the page and try again."
            ),
        ),
        401: (gettext("Your session has ended"), gettext("Nothing was sent or changed.")),
        403: (gettext("You can’t do this in the portal"), gettext("Nothing was changed.")),
        404: (
            gettext("Page not found"),
            gettext(
                "This page does not exist or is no longer available. Nothing was changed. Check the address "
                "or go to Subscriptions."
            ),
        ),
        405: (
            gettext("This address cannot be used this way"),
            gettext("Nothing was changed. Go back to Subscriptions."),
        ),
        409: (
            gettext("You can’t do this right now"),
            gettext("Nothing was changed. Reload the page to see how things stand now."),
        ),
        413: (
            gettext("Request too large"),
            gettext("The form is larger than the portal accepts. Nothing was changed."),
        ),
        422: (
            gettext("Check what you entered"),
            gettext("Something is missing or not valid. Nothing was changed. Go back and check what you entered."),
        ),
        429: (
            gettext("Too many requests"),
            gettext(
                "The portal received too many requests in a short time. Nothing was changed. Wait a minute, "
                "then try again."
            ),
        ),
        503: (
            gettext("The payment service is not responding"),
            gettext("Nothing was changed. Try again in a moment."),
        ),
    }
    fault = gettext(
        "Something went wrong on our side; we’ve logged it. Nothing was charged beyond what Subscriptions "
        "shows. Try again in a moment."
    )
    words[411] = words[413]
    return words.get(status, (gettext("Unexpected error"), fault))
