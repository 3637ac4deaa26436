"""The user administration of a sandbox tenant, where a tester removes users."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from ..access.identity import public
from ..db import NotFound, db, transaction
from ..domain import subscription as rules
from ..models.accounts import Account
from ..ports import ports
from .tables import SandboxHeadcount

blueprint = Blueprint("sandbox_tenant", __name__, url_prefix="/sandbox/tenants/<tenant>")
MOST_LISTED = 30


def _headcount(tenant: str) -> SandboxHeadcount:
    """The newest number of active users. Raises NotFound."""
    headcount = db.session.scalars(
        select(SandboxHeadcount).where(SandboxHeadcount.tenant == tenant).order_by(SandboxHeadcount.id.desc())
    ).first()
    if headcount is None:
        raise NotFound(tenant)
    return headcount


@blueprint.get("")
@public
def users(tenant: str) -> ResponseReturnValue:
    active = _headcount(tenant).active
    listed, lag = range(1, min(active, MOST_LISTED) + 1), rules.ACTIVE_USERS_LAG
    return render_template("sandbox/tenant.html", tenant=tenant, active=active, listed=listed, lag=lag)


@blueprint.post("/remove")
@public
def remove(tenant: str) -> ResponseReturnValue:
    """Removes one active user."""
    with transaction() as session:
        last = _headcount(tenant)
        if last.active > 0:
            since = ports().clock.now(session.get_one(Account, last.customer))
            session.add(SandboxHeadcount(tenant=tenant, customer=last.customer, active=last.active - 1, since=since))
    return redirect(url_for("sandbox_tenant.users", tenant=tenant), 303)
