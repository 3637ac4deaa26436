"""QA's contract: fresh accounts, each with a clock, active users and gateway faults of its own, and the truth of it."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from ..access.identity import public
from ..adapters.clock import machine_now
from ..db import NotFound, db, transaction
from ..domain import subscription as rules
from ..invoices import documents, listing
from ..models.accounts import Account, Owner
from ..models.invoices import Invoice
from ..models.mail import Message
from ..models.purchases import Payment
from ..models.subscriptions import ChangeRow, Subscription
from ..ports import ports
from ..purchases import wallet
from ..renewals import rollover, sweep
from ..subscriptions import summary
from ..subscriptions.loading import load_all
from ..views.errors import error_page
from . import scenarios
from .gateway import FAULTS, TEST_CARDS
from .tables import SandboxAccount, SandboxCharge, SandboxHeadcount, SandboxRefund

blueprint = Blueprint("sandbox", __name__, url_prefix="/sandbox")
FIRST_YEAR, LAST_YEAR = 2000, 9000
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII)


class BadRequest(Exception):
    """The tester's words are off; the sentence says how."""


@blueprint.errorhandler(BadRequest)
def bad_request(error: BadRequest) -> ResponseReturnValue:
    if _wants_json():
        return jsonify(error=str(error)), 422
    return _panel((request.view_args or {}).get("account"), str(error), 422)


@blueprint.errorhandler(NotFound)
def not_found(error: NotFound) -> ResponseReturnValue:
    return (jsonify(error="There is no such account."), 404) if _wants_json() else error_page(404)


@blueprint.get("")
@public
def panel() -> ResponseReturnValue:
    return _panel(request.args.get("account"))


@blueprint.post("/accounts")
@public
def make_account() -> ResponseReturnValue:
    name, zone = _given("scenario"), _given("tz") or "Europe/Paris"
    if name not in scenarios.SCENARIOS:
        raise BadRequest(gettext("Unknown scenario. There are: %(names)s.", names=", ".join(scenarios.SCENARIOS)))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRequest(gettext("Unknown time zone: give an IANA name such as Europe/Paris.")) from None
    made = scenarios.make(name, _instant(_given("now")) if _given("now") else scenarios.START, zone)
    if not _wants_json():
        return redirect(url_for("sandbox.panel", account=made.account), 303)
    return jsonify(
        account=made.account,
        email=made.email,
        password=made.password,
        now=made.now.isoformat(timespec="seconds"),
        subscriptions=made.subscriptions,
        cards=made.cards,
    ), 201


@blueprint.post("/accounts/<account>/clock")
@public
def move_clock(account: str) -> ResponseReturnValue:
    found = _account(account)
    now = ports().clock.now(found)
    if _given("to"):
        to = _instant(_given("to"))
        target = to if to.tzinfo else to.replace(tzinfo=ZoneInfo(found.zone))
    else:
        target = _in_years(now + _duration(_given("advance")))
    if target < now:
        raise BadRequest(gettext("The clock only moves forward."))
    while (stop := rollover.next_event(account)) is not None and stop <= target:
        _set_clock(account, stop)  # each boundary, retry and notice in its order
        sweep.sweep(account)
    _set_clock(account, target)
    sweep.sweep(account)
    return _done(account, now=ports().clock.now(_account(account)).isoformat(timespec="seconds"))


def _set_clock(account: str, to: datetime) -> None:
    with transaction() as session:
        setting, at = session.get_one(SandboxAccount, account, with_for_update=True), machine_now()
        setting.set_to, setting.set_at = max(to, setting.set_to + (at - setting.set_at)), at


@blueprint.post("/accounts/<account>/users")
@public
def set_users(account: str) -> ResponseReturnValue:
    found, text, directory = _account(account), _given("active"), _given("directory")
    if directory not in ("", "up", "down"):
        raise BadRequest(gettext("The tenant directory is directory=up or directory=down."))
    if directory and not text:
        return _directory_set(account, directory)
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII):
        raise BadRequest(gettext("Active users are a whole number, for example active=9."))
    now = ports().clock.now(found)
    tenant = load_all(account)[0].tenant
    with transaction() as session:
        session.add(SandboxHeadcount(tenant=tenant, account_id=account, active=int(text), since=now))
    if directory:
        _directory_set(account, directory)
    return _done(account, active=int(text), seen_at=(now + rules.ACTIVE_USERS_LAG).isoformat(timespec="seconds"))


def _directory_set(account: str, directory: str) -> ResponseReturnValue:
    """Down: the tenants of the account tell nobody who is active, until they are up."""
    with transaction() as session:
        session.get_one(SandboxAccount, account).directory_down = directory == "down"
    return _done(account, directory=directory)


@blueprint.post("/accounts/<account>/gateway")
@public
def set_gateway(account: str) -> ResponseReturnValue:
    _account(account)
    fault = _given("next")
    if fault and fault not in FAULTS:
        raise BadRequest(gettext("The next charge can do one of: %(names)s.", names=", ".join(FAULTS)))
    with transaction() as session:
        session.get_one(SandboxAccount, account).next_charge = fault or None
    return _done(account, next=fault or None)


@blueprint.get("/accounts/<account>/state")
@public
def state(account: str) -> ResponseReturnValue:
    return jsonify(_state(_account(account)))


@blueprint.get("/messages/<message_id>")
@public
def message(message_id: str) -> ResponseReturnValue:
    """A mail's HTML as the mail program has it, for the panel's frame: no script, nothing from elsewhere."""
    found = db.session.get(Message, message_id)
    if found is None:
        raise NotFound(message_id)
    response = Response(found.html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@blueprint.get("/messages/<message_id>/attachment")
@public
def attachment(message_id: str) -> ResponseReturnValue:
    """The document that a mail carries."""
    found = db.session.get(Message, message_id)
    if found is None or found.attached_id is None:
        raise NotFound(message_id)
    invoice = db.session.get_one(Invoice, found.attached_id)
    disposition = f'attachment; filename="{documents.filename(invoice)}"'
    body = b"" if request.method == "HEAD" else documents.pdf_of(invoice)
    return Response(body, content_type="application/pdf", headers={"Content-Disposition": disposition})


def _given(name: str) -> str:
    """A field of the form, the address or a JSON object."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        body = None
    value = request.values.get(name) or (body.get(name) if isinstance(body, dict) else None)
    return "" if value is None else str(value).strip()


def _wants_json() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"], "application/json") != "text/html"


def _done(account: str, **told: object) -> ResponseReturnValue:
    return jsonify(told) if _wants_json() else redirect(url_for("sandbox.panel", account=account), 303)


def _account(account_id: str) -> Account:
    if db.session.get(SandboxAccount, account_id) is None:
        raise NotFound(account_id)
    return db.session.get_one(Account, account_id)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(gettext("Give a date and time such as 2027-01-31T09:00:00.")) from None
    return _in_years(found)


def _in_years(instant: datetime) -> datetime:
    if FIRST_YEAR <= instant.year <= LAST_YEAR:
        return instant
    raise BadRequest(gettext("Give a year from %(first)s to %(last)s.", first=FIRST_YEAR, last=LAST_YEAR))


def _duration(text: str) -> timedelta:
    found = DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        raise BadRequest(gettext("Give advance= a duration such as PT2M or P31D, or to= a date and time."))
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _panel(chosen: str | None, error: str = "", status: int = 200) -> ResponseReturnValue:
    g.frames = "'self'"  # each mail's HTML is shown in one
    query = select(SandboxAccount, Owner.email).join(Owner, Owner.account_id == SandboxAccount.account_id)
    accounts = db.session.execute(query.order_by(SandboxAccount.set_at.desc()).limit(30)).all()
    if chosen is None and accounts:
        chosen = accounts[0][0].account_id
    account = _account(chosen) if chosen else None
    shown = db.session.execute(query.where(SandboxAccount.account_id == chosen)).first()
    return render_template(
        "sandbox/panel.html",
        error=error,
        scenarios=scenarios.SCENARIOS,
        faults=FAULTS,
        test_cards=TEST_CARDS,
        accounts=accounts,
        shown=shown,
        account=account,
        now=account and ports().clock.now(account),
        state=account and _state(account),
        messages=account and _messages(account.id),
        lag=rules.ACTIVE_USERS_LAG,
    ), status


def _messages(account_id: str) -> list[Message]:
    query = select(Message).where(Message.account_id == account_id).order_by(Message.sent_at, Message.id)
    return list(db.session.scalars(query))


def _state(account: Account) -> dict[str, object]:
    """The truth for oracles: what the portal stores, and the gateway's own ledger. Amounts in cents, ends exclusive."""
    account_id = account.id
    now = ports().clock.now(account)
    zone = ZoneInfo(account.zone)
    payments = db.session.scalars(
        select(Payment)
        .join(Subscription, Subscription.id == Payment.subscription_id)
        .where(Subscription.account_id == account_id)
        .order_by(Payment.created_at, Payment.key)
    )
    charges = db.session.scalars(
        select(SandboxCharge)
        .where(SandboxCharge.customer == account_id, SandboxCharge.state.in_(("captured", "declined")))
        .order_by(SandboxCharge.key)
    )
    refunds = db.session.scalars(
        select(SandboxRefund)
        .where(SandboxRefund.customer == account_id, SandboxRefund.state == "made")
        .order_by(SandboxRefund.key)
    )
    return {
        "now": now.isoformat(timespec="seconds"),
        "subscriptions": [_subscription_state(subscription, now.date()) for subscription in load_all(account_id)],
        "cards": [
            {"id": card.id, "brand": card.brand, "last4": card.last4, "default": is_default}
            for card, is_default in wallet.cards_of(account_id)
        ],
        "invoices": [
            {
                "number": invoice.number,
                "issued_on": invoice.issued_on.isoformat(),
                "net": invoice.net,
                "tax": invoice.tax,
                "total": invoice.total,
                "currency": invoice.currency,
                "kind": invoice.kind,
            }
            for invoice in reversed(listing.invoices_of(account_id))
        ],
        "payments": [{"key": paid.key, "state": paid.state, "amount": paid.amount} for paid in payments],
        "gateway": {
            "charges": [{"key": charge.key, "amount": charge.amount, "state": charge.state} for charge in charges],
            "refunds": [{"key": refund.key, "amount": refund.amount} for refund in refunds],
        },
        "messages": [
            {
                "id": message.id,
                "to": message.recipient,
                "subject": message.subject,
                "text": message.body,
                "sent_at": message.sent_at.astimezone(zone).isoformat(timespec="seconds"),
            }
            for message in _messages(account_id)
        ],
    }


def _subscription_state(subscription: Subscription, today: date) -> dict[str, object]:
    facts, told = subscription.facts(), summary.summary(subscription)
    changes = db.session.scalars(
        select(ChangeRow)
        .where(ChangeRow.subscription_id == subscription.id)
        .order_by(ChangeRow.requested_at, ChangeRow.id)
    )
    return {
        "id": subscription.id,
        "plan": subscription.plan,
        "status": told.status,
        "seats": told.seats,
        "next_seats": told.next_seats,
        "period_start": told.period.start.isoformat(),
        "period_end": told.period.end.isoformat(),
        "periods": [
            {
                "ordinal": ordinal,
                "seats": seats,
                "start": facts.period(ordinal).start.isoformat(),
                "end": facts.period(ordinal).end.isoformat(),
            }
            for ordinal, seats in facts.seats.items()
        ],
        "changes": [
            {
                "kind": change.kind,
                "seats": change.seats,
                "effective_on": facts.boundary(change.effective_ordinal).isoformat(),
                "state": change.closed_as or "open",
            }
            for change in changes
        ],
    }
