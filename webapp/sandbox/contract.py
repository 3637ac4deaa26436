"""The routes that QA's programs use: make an account, move its clock, set its active users and gateway faults, read it,
remove it.

The panel's forms use them too. A program gets JSON; a form is answered with a redirect to the panel.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from .. import formats
from ..access.identity import public
from ..db import NotFound, transaction
from ..domain import subscription as rules
from ..domain.periods import TERMS
from ..domain.seats import MAX_SEATS
from ..models.accounts import Account
from ..ports import ports
from ..renewals import rollover, sweep
from ..subscriptions.loading import load_all
from ..views.errors import error_page, json_error
from ..words import gettext
from . import scenarios
from .clock import set_clock
from .fields import (
    MOST_ACTIVE,
    BadRequest,
    add_duration,
    check_year,
    field,
    find_account,
    given_fields,
    parse_instant,
    whole_number,
    zones,
)
from .gateway import FAULTS
from .openapi import describe
from .panel import blueprint, render_panel
from .removal import remove_account
from .state import account_state
from .tables import SandboxAccount, SandboxHeadcount


@blueprint.errorhandler(BadRequest)
def bad_request(error: BadRequest) -> ResponseReturnValue:
    if _wants_json():
        return json_error(422, str(error))
    return render_panel((request.view_args or {}).get("account"), str(error), 422)


@blueprint.errorhandler(NotFound)
def not_found(error: NotFound) -> ResponseReturnValue:
    return json_error(404, gettext("There is no such account.")) if _wants_json() else error_page(404)


@blueprint.post("/accounts")
@public
def make_account() -> ResponseReturnValue:
    """Makes an account from a scenario, at the instant `now`, in the time zone `tz`."""
    scenario, zone = field("scenario"), field("tz") or "Europe/Paris"
    if scenario not in scenarios.SCENARIOS:
        raise BadRequest(gettext("Unknown scenario. There are: %(names)s.", names=", ".join(scenarios.SCENARIOS)))
    if zone not in zones():
        raise BadRequest(gettext("Unknown time zone: give an IANA name such as Europe/Paris."))
    now = parse_instant(field("now")) if field("now") else scenarios.START
    wishes = _wishes()
    if not scenarios.fits(scenario, wishes):
        raise BadRequest(
            gettext(
                "This scenario requests a reduction to %(n)s seats: give more as seats=, and no more as active=.",
                n=scenarios.REDUCED_TO,
            )
        )
    made = scenarios.make(scenario, now, zone, wishes=wishes)
    if not _wants_json():
        return redirect(url_for("sandbox.panel", account=made.account), 303)
    return jsonify(
        account=made.account,
        email=made.email,
        password=made.password,
        now=made.now.isoformat(timespec="seconds"),
        subscriptions=made.subscriptions,
        cards=made.cards,
        **({"members": made.members} if made.members else {}),
        **({"totp_secret": made.totp_secret} if made.totp_secret else {}),
    ), 201


def _wishes() -> scenarios.Wishes:
    """Raises BadRequest."""
    country = field("country").upper()
    if country and country not in formats.countries():
        raise BadRequest(gettext("Unknown country: give a code such as FR or DE."))
    seats, active, term = (_number(name, least) for name, least in (("seats", 1), ("active", 0), ("term", 1)))
    if term not in (None, *TERMS):
        raise BadRequest(gettext("The term in months is one of: %(terms)s.", terms=", ".join(map(str, TERMS))))
    return scenarios.Wishes(seats, active, term, country or None)


def _number(name: str, least: int) -> int | None:
    if not (text := field(name)):
        return None
    try:
        return whole_number(text, least, MAX_SEATS)
    except ValueError:
        raise BadRequest(gettext("%(name)s is a whole number.", name=name)) from None


@blueprint.post("/accounts/<account>/clock")
@public
def move_clock(account: str) -> ResponseReturnValue:
    """Moves the account's clock forward, and rolls its subscriptions over at each event on the way."""
    _run_clock_to(account, _asked_instant(find_account(account)))
    return _done(account, now=ports().clock.now(find_account(account)).isoformat(timespec="seconds"))


def _asked_instant(account: Account) -> datetime:
    """The instant `to`, in the account's zone if it names none, or now plus `advance`. `next` is the next instant at
    which anything becomes due. Raises BadRequest."""
    now = ports().clock.now(account)
    to, advance = field("to"), field("advance")
    target = add_duration(now, advance, ZoneInfo(account.zone)) if advance or not to else now  # `to` has the last word
    if to == "next":
        event = rollover.next_event(account.id)
        if event is None:
            raise BadRequest(gettext("Nothing becomes due: give to= a date and time."))
        return event
    if to:
        instant = parse_instant(to)
        target = instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(account.zone))
    if target < now:
        raise BadRequest(gettext("The clock only moves forward."))
    check_year(target)
    return target


def _run_clock_to(account_id: str, target: datetime) -> None:
    """Stops at each boundary, retry and notice, in order, as real time would."""
    while (event := rollover.next_event(account_id)) is not None and event <= target:
        set_clock(account_id, event)
        sweep.sweep(account_id)
    set_clock(account_id, target)
    sweep.sweep(account_id)


@blueprint.post("/accounts/<account>/users")
@public
def set_users(account: str) -> ResponseReturnValue:
    """Sets the number of active users (`active`), whether the tenant answers (`directory`: up or down), or both."""
    now = ports().clock.now(find_account(account))
    active, directory = field("active"), field("directory")
    if directory not in ("", "up", "down"):
        raise BadRequest(gettext("The tenant directory is directory=up or directory=down."))
    if directory and not active:
        _set_directory(account, directory)
        return _done(account, directory=directory)
    try:
        count = whole_number(active, 0, MOST_ACTIVE)
    except ValueError:
        raise BadRequest(gettext("Active users are a whole number, for example active=9.")) from None
    tenant = load_all(account)[0].tenant
    with transaction() as session:
        session.add(SandboxHeadcount(tenant=tenant, customer=account, active=count, since=now))
    if directory:
        _set_directory(account, directory)
    return _done(account, active=count, seen_at=(now + rules.ACTIVE_USERS_LAG).isoformat(timespec="seconds"))


def _set_directory(account_id: str, directory: str) -> None:
    """While the directory is down, none of the account's tenants answers how many users are active."""
    with transaction() as session:
        session.get_one(SandboxAccount, account_id).directory_down = directory == "down"


@blueprint.post("/accounts/<account>/gateway")
@public
def set_gateway(account: str) -> ResponseReturnValue:
    """Sets the fault of the account's next charge or refund (`next`), or none if it is empty.

    Another field alone is a slip, such as `down=1` for `next=down`, and clears no fault.
    """
    find_account(account)
    fault, given = field("next"), given_fields()
    if (fault and fault not in FAULTS) or (given and "next" not in given):
        raise BadRequest(gettext("The next charge can do one of: %(names)s.", names=", ".join(FAULTS)))
    with transaction() as session:
        session.get_one(SandboxAccount, account).next_charge = fault or None
    return _done(account, next=fault or None)


@blueprint.get("/accounts/<account>/state")
@public
def state(account: str) -> ResponseReturnValue:
    return jsonify(account_state(find_account(account)))


@blueprint.delete("/accounts/<account>")
@public
def delete_account(account: str) -> ResponseReturnValue:
    """Removes an account that was made for testers, with everything that it has."""
    remove_account(find_account(account))
    return "", 204


@blueprint.get("/openapi.json")
@public
def openapi() -> ResponseReturnValue:
    return jsonify(describe())


def _wants_json() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"], "application/json") != "text/html"


def _done(account_id: str, **answer: object) -> ResponseReturnValue:
    """The answer to a program, or the panel for a browser."""
    return jsonify(answer) if _wants_json() else redirect(url_for("sandbox.panel", account=account_id), 303)
