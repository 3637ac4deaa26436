"""The pages of second factors, of proofs and of the account's security, for `tests/support/faces.py`."""

from typing import Protocol

import pyotp
from flask.testing import FlaskClient

from tests.support import authenticator, team
from webapp.sandbox.scenarios import Made


class Walker(Protocol):
    made: Made
    locale: str
    browser: FlaskClient

    def show(self, path: str, form: dict[str, object] | None = None, fragment: bool = False) -> str: ...

    def matched(self, pattern: str, text: str) -> str: ...


def give_factor(owner: Walker) -> None:
    """The pages between the password and the second factor."""
    owner.show("/sign-in/factor/recovery")
    owner.show("/sign-in/factor/recovery", {"recovery": "x"})
    owner.show("/sign-in/factor/passkey", {"credential": "x"})
    for code in ("", "000000", authenticator.code_at(pyotp.TOTP(owner.made.totp_secret or ""))):
        owner.show("/sign-in/factor", {"code": code})
    owner.show("/sessions")


def protect(owner: Walker) -> None:
    """Second factors, what the owner sets for all, and the page that asks for a proof."""
    owner.show("/second-factor")
    owner.show("/second-factor/app/begin", {})
    owner.show("/second-factor/app", {"code": "000000"})
    authenticator.with_app(owner.browser)
    owner.show("/second-factor/codes", {})
    owner.show("/second-factor/app/remove")
    owner.show("/second-factor/passkeys")
    owner.show("/second-factor/passkeys", {"name": "", "credential": "x"})
    owner.show("/second-factor/passkeys", {"name": "x", "credential": "x"})
    authenticator.with_passkey(owner.browser)
    listed = owner.show("/second-factor")
    owner.show(owner.matched(r'"(/second-factor/passkeys/\w+/remove)"', listed))
    member = team.add(owner.made, "viewer", name="Camille Martin", locale=owner.locale)
    owner.show("/account-security")
    owner.show(f"/team/{member.id}/reset-factor")
    owner.show("/account-security/spending-limit", {"limit": "x"})
    owner.show("/account-security/spending-limit", {"limit": "500"})
    owner.show("/account-security/spending-limit", {"limit": "500"})
    owner.show("/account-security/second-factor", {"required": "yes"})
    owner.show("/account-security/second-factor", {"required": "yes", "understood": "y"})
    owner.show("/second-factor/app/remove")
    owner.show("/activity")
    authenticator.age_proofs(owner.made)
    asked = owner.browser.post("/billing/cards/new").headers["Location"]
    owner.show(asked)
    owner.show(f"{asked}/password", {"password": ""})
    owner.show(f"{asked}/password", {"password": "wrong"})
    owner.show(f"{asked}/code", {"code": "000000"})
    owner.show(f"{asked}/passkey", {"credential": "x"})
    late = owner.browser.post("/second-factor/app/begin").headers["Location"]
    owner.show(f"{asked}/password", {"password": owner.made.password})
    owner.show(late)
