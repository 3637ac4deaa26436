"""The number of active users while an owner waits for it to fall: a fragment that refreshes itself until then."""

from zoneinfo import ZoneInfo

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..domain import subscription as rules
from ..domain.permissions import Procedure
from ..ports import ActiveUsers, ports
from ..subscriptions import active_users, loading

blueprint = Blueprint("active_users", __name__, url_prefix="/subscriptions/<subscription_id>/active-users")
needs(Procedure.CHANGE)(blueprint)


@blueprint.get("")
def count(subscription_id: str) -> ResponseReturnValue:
    """`seats` is the number that was refused; `since` is when, as a Unix time in seconds."""
    seats, since = request.args.get("seats", type=int), request.args.get("since", type=int)
    procedure = request.args.get("procedure")
    if seats is None or since is None or procedure not in ("renew", "reduce"):
        abort(404)
    counted = active_users.count_active_users(me().account_id, subscription_id)
    subscription = loading.load(me().account_id, subscription_id)
    now = ports().clock.now(subscription.account)
    wait = int(rules.ACTIVE_USERS_LAG.total_seconds())
    newest = counted or ActiveUsers(subscription.active_users, subscription.active_users_as_of)
    return render_template(
        "active-users/_watch.html",
        procedure=procedure,
        subscription=subscription,
        seats=seats,
        since=since,
        silent=counted is None,
        active=newest.active,
        as_of=newest.as_of.astimezone(ZoneInfo(subscription.account.zone)),
        left=max(0, min(wait, since + wait - int(now.timestamp()))),
    )
