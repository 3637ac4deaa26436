"""Every form has a limit: by the member who sends it and by the account, or by a stranger's address.

A form that costs more, such as one that begins a payment, has a narrower limit besides.
"""

from flask import Flask, g, request

from . import limits

# Stripe repeats itself as often as it likes, and proves who it is; the sandbox's routes are for testers' programs.
UNCOUNTED = frozenset({"webhooks", "sandbox", "sandbox_gateway", "sandbox_tenant"})
COSTLY = {
    "purchase.pay": "pay",
    "purchase.new_card": "card",
    "billing.add_card": "card",
    "billing.send_again": "send",
    "own_email.request": "invite",  # it says, too, whether an address signs in here
    "team.invite": "invite",
    "team.send_again": "invite",
}
# Guesses are counted by e-mail, address and browser, so that nobody at the same address keeps an owner out.
COUNTED_BY_ITSELF = "sign_in.submit"


def init(app: Flask) -> None:
    """After the owner is recognised and the form's token is checked."""
    app.before_request(_count)


def _count() -> None:
    kind = request.endpoint or ""
    if request.method != "POST" or kind in ("", COUNTED_BY_ITSELF) or request.blueprint in UNCOUNTED:
        return
    if g.member is None:
        limits.count(("post_stranger", kind, limits.client_address()))
        return
    hits: list[tuple[str, ...]] = [("post_member", kind, g.member.member_id), ("post", kind, g.member.account_id)]
    if kind in COSTLY:
        hits.append((COSTLY[kind], g.member.account_id))
    limits.count(*hits)
