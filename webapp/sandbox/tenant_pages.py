"""The tenant's own administration, as far as a tester needs it: its users, to remove."""

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
    found = db.session.scalars(
        select(SandboxHeadcount).where(SandboxHeadcount.tenant == tenant).order_by(SandboxHeadcount.id.desc())
    ).first()
    if found is None:
        raise NotFound(tenant)
    return found


@blueprint.get("")
@public
def users(tenant: str) -> ResponseReturnValue:
    active = _headcount(tenant).active
    listed, lag = range(1, min(active, MOST_LISTED) + 1), rules.ACTIVE_USERS_LAG
    return render_template("sandbox/tenant.html", tenant=tenant, active=active, listed=listed, lag=lag)


@blueprint.post("/remove")
@public
def remove(tenant: str) -> ResponseReturnValue:
    """One active user less, from now on."""
    with transaction() as session:
        last = _headcount(tenant)
        if last.active > 0:
            since = ports().clock.now(session.get_one(Account, last.account_id))
            session.add(
                SandboxHeadcount(tenant=tenant, account_id=last.account_id, active=last.active - 1, since=since)
            )
    return redirect(url_for("sandbox_tenant.users", tenant=tenant), 303)
