"""Passkeys and security keys (WebAuthn): the challenge, and the two ceremonies, adding one and showing it.

A challenge is in the browser's signed cookie, for one purpose and one session, for some minutes. That it was used is
counted in the database, so an older copy of the cookie brings none back.
"""

import logging
from typing import Any, Literal, NamedTuple

from flask import current_app, g, request
from flask import session as cookie
from sqlalchemy import select, update

from ..db import db, transaction
from ..domain.access import CHALLENGE_LIFETIME
from ..mail_server import LOOPBACK
from ..models.accounts import Member
from ..models.second_factor import Passkey
from ..ports import ports
from ..urls import parsed
from . import limits, members
from .identity import SignedIn

Purpose = Literal["sign-in", "factor", "proof", "add"]
CHALLENGE = "passkey"  # its key in the cookie
DEFAULT_PORTS = {"http": 80, "https": 443}
ONCE = "1 per hour"  # longer than a challenge lasts
VERIFIED = ("sign-in", "proof")  # where no password goes before, the passkey asks for a PIN, a finger or a face
log = logging.getLogger(__name__)


class Refused(Exception):
    """The passkey was not accepted. The reason is in the log."""


class RelyingParty(NamedTuple):
    """The name that passkeys are bound to, and the origin that the browser must report."""

    id: str
    origin: str


class Verified(NamedTuple):
    credential_id: str
    public_key: str
    sign_count: int


def relying_party() -> RelyingParty | None:
    """As PUBLIC_URL says; the Host header is believed only where both are names of this machine, as in development.

    None for a bare IP address, which browsers accept no passkey for.
    """
    address = parsed(current_app.config["PUBLIC_URL"])
    asked = parsed(f"{request.scheme}://{request.host}")
    if address.hostname in LOOPBACK and asked.hostname in LOOPBACK:
        address = asked
    name = address.hostname or ""
    if not name or ":" in name or name.replace(".", "").isdecimal():
        return None
    port = "" if address.port in (None, DEFAULT_PORTS.get(address.scheme)) else f":{address.port}"
    return RelyingParty(name, f"{address.scheme}://{name}{port}")


def named_origin() -> str | None:
    """The same portal at an address with a name, where passkeys work: this machine's, where it was asked for by number.
    None elsewhere."""
    asked = parsed(f"{request.scheme}://{request.host}")
    if asked.hostname not in LOOPBACK or parsed(current_app.config["PUBLIC_URL"]).hostname not in LOOPBACK:
        return None
    return f"{asked.scheme}://localhost{f':{asked.port}' if asked.port else ''}"


def options(purpose: Purpose) -> str | None:
    """What the browser needs for the ceremony, as JSON, with a new challenge. None if there is none to begin."""
    import webauthn
    from webauthn.helpers import structs

    party, member = relying_party(), _member(purpose)
    if party is None or (member is None and purpose != "sign-in"):
        return None
    known = [_descriptor(passkey) for passkey in of_member(member)] if member else []
    if purpose == "add" and member:
        made: Any = webauthn.generate_registration_options(
            rp_id=party.id,
            rp_name="My Qlik",
            user_id=_handle(member.account_id, member.member_id),
            user_name=member.email,
            user_display_name=member.name,
            exclude_credentials=known,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.PREFERRED
            ),
        )
    else:
        wish = structs.UserVerificationRequirement
        made = webauthn.generate_authentication_options(
            rp_id=party.id,
            allow_credentials=known,
            user_verification=wish.REQUIRED if purpose in VERIFIED else wish.DISCOURAGED,
        )
    challenge = webauthn.helpers.bytes_to_base64url(made.challenge)
    cookie[CHALLENGE] = [challenge, purpose, _subject(purpose), int(ports().clock.system_now().timestamp())]
    return webauthn.options_to_json(made)


def verify_new(credential: str) -> Verified:
    """The new passkey that the browser made for the signed-in member. Raises Refused."""
    import webauthn

    challenge, party = _take_challenge("add")
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
        )
    except Exception as fault:  # the library raises many kinds for what a browser may send
        raise _refused("it is not valid", fault) from fault
    text = webauthn.helpers.bytes_to_base64url
    return Verified(text(made.credential_id), text(made.credential_public_key), made.sign_count)


def verify(credential: str, purpose: Purpose) -> Member:
    """The member whose passkey this is; for a factor or a proof it must be the one who began it. Raises Refused."""
    import webauthn

    challenge, party = _take_challenge(purpose)
    try:
        shown = webauthn.helpers.parse_authentication_credential_json(credential)
    except Exception as fault:
        raise _refused("it cannot be read", fault) from fault
    passkey, begun_by = _find(webauthn.helpers.bytes_to_base64url(shown.raw_id)), _member(purpose)
    if begun_by and (passkey.account_id, passkey.member_id) != (begun_by.account_id, begun_by.member_id):
        raise _refused("it is another member's")
    handle = shown.response.user_handle
    if (handle or purpose == "sign-in") and handle != _handle(passkey.account_id, passkey.member_id):
        raise _refused("it was made for somebody else")
    try:
        verified = webauthn.verify_authentication_response(
            credential=shown,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=webauthn.helpers.base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=purpose in VERIFIED,
        )
    except Exception as fault:
        raise _refused("it is not valid", fault) from fault
    with transaction() as session:
        this = Passkey.account_id == passkey.account_id, Passkey.id == passkey.id
        unused = update(Passkey).where(*this, Passkey.sign_count == passkey.sign_count)
        counted = unused.values(sign_count=verified.new_sign_count).returning(Passkey.id)
        if session.execute(counted).one_or_none() is None:
            raise _refused("it was removed, or used at the same moment")
        member = session.get_one(Member, (passkey.account_id, passkey.member_id))
        session.expunge(member)
    return member


def of_member(member: SignedIn) -> list[Passkey]:
    mine = Passkey.account_id == member.account_id, Passkey.member_id == member.member_id
    return list(db.session.scalars(select(Passkey).where(*mine).order_by(Passkey.added_at, Passkey.id)))


def id_of(credential_id: str) -> str:
    return members.passkey_key(credential_id)[:32]


def _find(credential_id: str) -> Passkey:
    account_id = members.account_of(members.passkey_key(credential_id))
    passkey = db.session.get(Passkey, (account_id, id_of(credential_id)), populate_existing=True)
    if passkey is None or passkey.credential_id != credential_id:
        raise _refused("it is not known")
    db.session.expunge(passkey)
    return passkey


def _take_challenge(purpose: Purpose) -> tuple[bytes, RelyingParty]:
    """The challenge that was given for this purpose to this session. It can be taken once. Raises Refused."""
    from webauthn.helpers import base64url_to_bytes

    given, party = cookie.pop(CHALLENGE, None), relying_party()
    if given is None or party is None:
        raise _refused("no challenge was given")
    challenge, for_purpose, subject, given_at = given
    age = ports().clock.system_now().timestamp() - given_at
    if (for_purpose, subject) != (purpose, _subject(purpose)) or age > CHALLENGE_LIFETIME.total_seconds():
        raise _refused("its challenge is too old, or was given for something else")
    if not limits.is_first(ONCE, f"{CHALLENGE}/{challenge}"):
        raise _refused("its challenge was used before")
    return base64url_to_bytes(challenge), party


def _member(purpose: Purpose) -> SignedIn | None:
    """Who shows or adds a passkey; None where that is to be found out."""
    member: SignedIn | None = {"sign-in": None, "factor": g.halfway}.get(purpose, g.member)
    return member


def _subject(purpose: Purpose) -> str:
    member = _member(purpose)
    return member.session_id if member else ""


def _handle(account_id: str, member_id: str) -> bytes:
    """What a passkey knows of its member: 32 bytes that say nothing to others."""
    return bytes.fromhex(members.handle(account_id, member_id))


def _descriptor(passkey: Passkey) -> Any:
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential_id))


def _refused(reason: str, fault: Exception | None = None) -> Refused:
    log.warning("a passkey was refused: %s%s", reason, f" ({type(fault).__name__})" if fault else "")
    return Refused(reason)
