"""Before each request: whether the signed-in member may do what the route is for.

The role was read with the session, by the statement that begins each request, so a change of role counts from the next
request on. A request that was already under way when the role changed may still end, as if it had come before; what the
owner alone does (`team/`) reads the roles again under the lock of its transaction.
"""

from urllib.parse import urlsplit

from flask import Flask, current_app, g, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from ..domain.permissions import Procedure, Role
from ..domain.refusals import NotPermitted
from . import members


def init(app: Flask) -> None:
    """After the member is recognised."""
    app.before_request(_check)
    app.jinja_env.globals["may_open"] = may_open


def _check() -> None:
    """A view that is open to all asks for no role: it shows or changes nothing of an account."""
    procedure = procedure_of(request.endpoint or "")
    if g.member is not None and procedure is not None and not g.member.may(procedure):
        raise NotPermitted(procedure, members.name_of_owner(g.member.account_id))


def may_open(address: str) -> bool:
    """Whether the signed-in member may open the page that a sentence links, so that a link never ends in a refusal."""
    if g.member is None or g.member.role == Role.OWNER or request_ctx.url_adapter is None:
        return True
    try:
        endpoint, _values = request_ctx.url_adapter.match(urlsplit(address).path, method="GET")
    except (HTTPException, RequestRedirect):
        return True
    procedure = procedure_of(str(endpoint))
    return procedure is None or g.member.may(procedure)


def procedure_of(endpoint: str) -> Procedure | None:
    """What the route is for, by its view or else by its blueprint."""
    blueprint = current_app.blueprints.get(endpoint.rpartition(".")[0])
    view = current_app.view_functions.get(endpoint)
    found: Procedure | None = getattr(view, "procedure", None) or getattr(blueprint, "procedure", None)
    return None if getattr(view, "public", False) else found
