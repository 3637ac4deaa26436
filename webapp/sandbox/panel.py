"""The sandbox's HTML panel: the accounts made for testers, one of them in full, and its mails."""

import pyotp
from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import and_, or_, select

from ..access import sealing
from ..access.identity import public
from ..adapters.clock import machine_now
from ..db import Across, NotFound, across, db
from ..domain import subscription as rules
from ..domain.permissions import Role
from ..invoices import documents
from ..models.accounts import Member
from ..models.invoices import Invoice
from ..models.mail import Message
from ..models.second_factor import Totp
from ..ports import ports
from ..team.members import list_members
from . import labels, people, scenarios
from .fields import field, find_account
from .gateway import FAULTS, TEST_CARDS
from .removal import remove_account
from .state import account_state, messages_of
from .tables import SandboxAccount

blueprint = Blueprint("sandbox", __name__, url_prefix="/sandbox")
ACCOUNTS_LISTED, MOST_SKIPPED = 30, 1_000_000
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


@blueprint.get("")
@public
def panel() -> ResponseReturnValue:
    return render_panel(request.args.get("account"))


def render_panel(account_id: str | None, error: str = "", status: int = 200) -> ResponseReturnValue:
    """The panel with one account, by default the newest. Raises NotFound."""
    g.frames = "'self'"  # a frame shows the HTML of each mail
    owner = and_(Member.account_id == SandboxAccount.account_id, Member.role == Role.OWNER)
    query = select(SandboxAccount, Member.email).join(Member, owner)
    search, skipped = field("search")[:100], request.args.get("skipped", 0, type=int)
    skipped = min(max(skipped, 0), MOST_SKIPPED)
    newest = query.order_by(SandboxAccount.set_at.desc(), SandboxAccount.account_id)
    if search:
        names = SandboxAccount.scenario, Member.email, SandboxAccount.account_id
        newest = newest.where(or_(*(name.icontains(search, autoescape=True) for name in names)))
    newest = newest.offset(skipped).limit(ACCOUNTS_LISTED + 1)
    accounts = db.session.execute(across(newest, Across.SANDBOX)).all()
    if account_id is None and accounts:
        account_id = accounts[0][0].account_id
    account = find_account(account_id) if account_id else None
    shown = db.session.execute(query.where(SandboxAccount.account_id == account.id)).first() if account else None
    secret = account and _app_secret(account.id)
    return render_template(
        "sandbox/panel.html",
        app_secret=secret,
        app_code=pyotp.TOTP(secret).at(machine_now()) if secret else "",
        error=error,
        scenarios=scenarios.SCENARIOS,
        faults=FAULTS,
        test_cards=TEST_CARDS,
        accounts=accounts[:ACCOUNTS_LISTED],
        search=search,
        newer=max(skipped - ACCOUNTS_LISTED, 0) if skipped else None,
        older=skipped + ACCOUNTS_LISTED if len(accounts) > ACCOUNTS_LISTED else None,
        labels=labels,
        people=[
            (member, people.known_password(member, shown[0].password if shown else ""))
            for member in (list_members(account.id) if account else ())
        ],
        shown=shown,
        account=account,
        now=account and ports().clock.now(account),
        state=account and account_state(account),
        messages=account and messages_of(account.id),
        lag=rules.ACTIVE_USERS_LAG,
    ), status


@blueprint.post("/panel/<account>/remove")
@public
def remove(account: str) -> ResponseReturnValue:
    """What a program does with DELETE, which no form can send."""
    remove_account(find_account(account))
    return redirect(url_for("sandbox.panel"), 303)


def _app_secret(account_id: str) -> str | None:
    """Of an authenticator app in the account, the owner's first."""
    of_member = and_(Member.account_id == Totp.account_id, Member.id == Totp.member_id)
    query = select(Totp.secret).join(Member, of_member).where(Totp.account_id == account_id, Totp.secret.is_not(None))
    sealed = db.session.scalars(query.order_by(Member.role != Role.OWNER).limit(1)).first()
    return sealing.unseal(sealed) if sealed else None


def _find_message(message_id: str) -> Message:
    """The panel's addresses name only the mail. Raises NotFound."""
    query = select(Message).where(Message.id == message_id)
    message = db.session.scalars(across(query, Across.SANDBOX)).one_or_none()
    if message is None:
        raise NotFound(message_id)
    return message


@blueprint.get("/messages/<message_id>")
@public
def message(message_id: str) -> ResponseReturnValue:
    """The HTML of a mail, for the panel's frame. It may run no script and load nothing."""
    message = _find_message(message_id)
    response = Response(message.html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@blueprint.get("/messages/<message_id>/attachment")
@public
def attachment(message_id: str) -> ResponseReturnValue:
    """The PDF that is attached to a mail."""
    message = _find_message(message_id)
    if message.attached_id is None:
        raise NotFound(message_id)
    invoice = db.session.get_one(Invoice, (message.account_id, message.attached_id))
    disposition = f'attachment; filename="{documents.filename(invoice)}"'
    body = b"" if request.method == "HEAD" else documents.pdf_of(invoice)
    return Response(body, content_type="application/pdf", headers={"Content-Disposition": disposition})
