"""Every page and fragment that an owner can see, as text, for the tests of markup and language."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.routing import Rule

from tests.support import faces_of_alarms, faces_of_factors
from tests.support.invitations import last_mail, link_in
from tests.support.team import PASSWORD
from tests.support.visitors import HX, Face, Owner, Visitor
from tests.support.world import post, state, subscription
from webapp.access import provider as identity_provider
from webapp.sandbox import scenarios
from webapp.subscriptions import loading
from webapp.views.errors import error_page
from webapp.views.sso import STATUSES as STATUSES_OF_PROVIDER
from webapp.views.sso import refused as not_signed_in

STATUSES = (400, 401, 403, 404, 405, 409, 411, 413, 422, 429, 500, 503)
SCENARIOS = (
    "both",
    "business-two-cards",
    "business-at-floor",
    "business-reduction-pending",
    "business-cancellation-pending",
    "business-renewed",
    "business-past-due",
    "business-lapsed",
    "expiring-card",
    "third-party",
    "business-backup-card",
    "two-factor",
)
# Files, answers to programs, and returns from the gateway, which only redirect.
NO_PAGES = {
    "static",
    "billing.download",
    "billing.download_xml",
    "billing.year_archive",
    "export.archive",
    "export.journal",
    "activity.changes_csv",
    "activity.security_csv",
    "sessions.my_data",
    "sandbox.openapi",
    "sandbox.state",
    "sessions.left",
    "sandbox.attachment",
    "billing.card_return",
    "purchase.authenticated",
    "subscriptions.home",
    "passwords.open_link",
    "invitations.sign_in_at_provider",
    "passkeys.options",
    "sso.again",
}


def gets(app: Flask) -> set[str]:
    """The endpoints that show a page."""
    return {str(rule.endpoint) for rule in app.url_map.iter_rules() if _shows(rule)} - NO_PAGES


def _shows(rule: Rule) -> bool:
    return "GET" in (rule.methods or ())


def walk(app: Flask, locale: str) -> tuple[list[Face], set[str]]:
    """Everything that can be shown, and the endpoints that showed it."""
    owners = [Owner(app, scenarios.make(name), locale) for name in SCENARIOS]
    for owner in owners:
        _look_around(owner)
    _pay(owners[0], app)
    _ask(owners[1])
    _come_in(owners[2])
    _work_together(owners[3])
    faces_of_factors.protect(owners[4])
    faces_of_alarms.disown(owners[5])
    refusals = [*_errors(app, locale), *_not_signed_in(app, locale)]
    return [face for owner in owners for face in owner.faces] + refusals, {
        endpoint for owner in owners for endpoint in owner.seen
    }


def _look_around(owner: Owner) -> None:
    """What GETs show, as whole pages and as the fragments that pages fetch."""
    for path in (
        "/subscriptions",
        "/billing",
        "/billing/information",
        "/contact",
        "/activity",
        "/activity?from=2026-01-01&to=x&about=payments",
        "/activity/security",
        "/activity/security?about=refused",
        "/accessibility",
        "/billing/invoices",
        "/billing/invoices?search=none",
        "/never",
        "/billing/invoices/year/2026",
        "/billing/invoices/export",
        "/billing/invoices/export?from=2026-12&to=2026-01",
        "/billing/invoices/export?from=x",
    ):
        owner.show(path)
    for card in owner.made.cards:
        owner.show(f"/billing/cards/{card}/delete")
    owner.show(f"/billing/cards/{owner.made.cards[0]}/delete", fragment=True)
    listed = owner.show("/billing/invoices")
    for link in re.findall(r'href="(/billing/invoices/\w{32})"', listed)[:1]:
        owner.show(link)
        owner.show(f"{link}/send", {"shown": 0})
        owner.show(f"{link}/send", {"shown": 0})
    for subscription_id in filter(None, owner.made.subscriptions.values()):
        here = f"/subscriptions/{subscription_id}"
        owner.show(here)
        for page in ("manage", "renew", "add", "reduce", "cancel", "reduce/confirm?seats=6"):
            owner.show(f"{here}/{page}")
        for part in (
            "manage",
            "renew?seats=14",
            "add?seats=14",
            "reduce?seats=9",
            "cancel",
            "reduce/confirm?seats=6",
            "active-users?seats=9&since=1800000000&procedure=renew",
        ):
            owner.show(f"{here}/{part}", fragment=True)
        for change in loading.load(owner.made.account, subscription_id).open_changes:
            for fragment in (False, True):
                owner.show(f"{here}/undo-{change.kind}/{change.id}", fragment=fragment)
                owner.show(f"{here}/undo-{change.kind}/{change.id}", {}, fragment=fragment)


def _pay(owner: Owner, app: Flask) -> None:
    """A purchase through every outcome, then the pages that report it."""
    post(app, f"/{owner.made.account}/gateway", next="decline")
    base = owner.quoted()
    owner.show(base + "/pay", {"attempt": 1, "card": owner.made.cards[0]})
    owner.show(base + "/payment", {"card": owner.made.cards[0]})
    post(app, f"/{owner.made.account}/gateway", next="challenge")
    bank = owner.show(base + "/pay", {"attempt": 2, "card": owner.made.cards[0]})
    owner.show(owner.matched(r'href="[^"]*?(/sandbox/gateway/challenges/[^"]+)"', bank))
    owner.show(base + "/abandon", {})
    owner.show(base + "/payment", {"card": owner.made.cards[0]})
    post(app, f"/{owner.made.account}/gateway", next="timeout_after_charge")
    owner.show(base + "/pay", {"attempt": 3, "card": owner.made.cards[0]})
    owner.show("/subscriptions")
    owner.show(base + "/reconcile", {})
    owner.show("/subscriptions")
    owner.show(
        "/sandbox/tenants/"
        + owner.matched(r"/sandbox/tenants/([^\"?]+)", owner.show(base.rsplit("/", 2)[0] + "/reduce"))
    )
    entry = owner.browser.post("/billing/cards/new").headers["Location"].removeprefix("http://localhost")
    owner.show(entry)
    owner.show(entry, {"number": "1"})
    post(app, f"/{owner.made.account}/clock", advance="P40D")
    owner.show("/activity")
    panel = owner.show(f"/sandbox?account={owner.made.account}")
    owner.show(owner.matched(r'"(/sandbox/messages/\w+)"', panel))


def _ask(owner: Owner) -> None:
    """Refused forms, confirmations, and the pages after them."""
    here = f"/subscriptions/{subscription(owner.made)}"
    for procedure in ("renew", "add", "reduce"):
        for seats in ("", "x", "3"):
            owner.show(f"{here}/{procedure}", {"seats": seats})
    owner.quoted(20, "add")
    _tenant_away(owner, here)
    owner.show(f"{here}/reduce", {"seats": "8"})
    for fragment in (False, True):
        owner.show(f"{here}/cancel", {}, fragment=fragment)
        owner.show(f"{here}/reduce/confirm", {"seats": "8"}, fragment=fragment)
    owner.show(f"{here}/reduce/confirm", {"seats": "8", "understood": "y"}, fragment=True)
    owner.show(f"{here}/cancel", {"understood": "y"}, fragment=True)
    owner.show("/contact", {"message": ""})
    sent = owner.show("/contact", {"message": "Bonjour, une question.", "subject": "billing"})
    owner.show(owner.matched(r'<th scope="row"><a href="([^"]*)"', sent))
    owner.show("/billing/information", {"legal_name": ""})
    for card in owner.made.cards:
        owner.show(f"/billing/cards/{card}/backup", {})
        owner.show(f"/billing/cards/{card}/backup/remove", {})
        owner.show(f"/billing/cards/{card}/default", {})
        owner.show(f"/billing/cards/{card}/delete", {})
    owner.show("/activity")
    owner.show("/billing/invoices/year/2026", {}, fragment=True)
    owner.show("/billing/invoices/export", {"from": "2026-09", "to": "2027-01"}, fragment=True)
    owner.show("/billing/invoices?order=largest", fragment=True)


def _tenant_away(owner: Owner, here: str) -> None:
    """The pages while the number of active users is unknown."""
    post(owner.app, f"/{owner.made.account}/users", directory="down")
    for procedure in ("renew", "reduce"):
        owner.show(f"{here}/{procedure}", {"seats": "8"})
    for fragment in (False, True):
        owner.show(f"{here}/reduce/confirm", {"seats": "8", "understood": "y"}, fragment=fragment)
    owner.show(f"{here}/active-users?seats=9&since=1800000000&procedure=renew", fragment=True)
    post(owner.app, f"/{owner.made.account}/users", directory="up")


def _come_in(owner: Owner) -> None:
    """Sessions, passwords, and a provider that does not answer."""
    signed_in = owner.app.test_client().post(
        "/sign-in", data={"email": owner.made.email, "password": owner.made.password}
    )
    assert signed_in.status_code == 303
    owner.show("/account/mails", {"kinds": "team"})
    for path in ("/sessions", "/account/mails", "/password", "/password/forgotten", "/password/reset"):
        owner.show(path)
    weak = {"current": "wrong", "new": "my-qlik-12345", "again": ""}
    for form in ({}, weak, {**weak, "new": "aaaaaaaaaaaa"}, {**weak, "new": "x" * 200}, {**weak, "new": "x"}):
        owner.show("/password", dict(form))
    good = {"new": "quatre mots bien longs", "again": "quatre mots bien longs"}
    owner.show("/password", {"current": "wrong", **good})
    owner.show("/sessions/end-others", {})
    for email in ("", owner.made.email):
        owner.show("/password/forgotten", {"email": email})
    link = owner.matched(r"/password/reset/([\w.-]+)", state(owner.app, owner.made)["messages"][-1]["text"])
    owner.show(f"/password/reset/{link}")
    owner.show("/password/reset", {"new": "x"})
    owner.show("/password/reset", dict(good))
    with provider(owner.app, "http://127.0.0.1:9"):  # nothing listens there
        for path in ("/sign-in", "/sign-in/provider", "/sign-in/provider/callback?error=access_denied"):
            owner.show(path)


def _work_together(owner: Owner) -> None:
    """The team: invited, refused, confirmed, handed over, and what a viewer sees."""
    nadia = f"nadia-{owner.made.account[:8]}@example.test"
    for email, role in (("", ""), ("x", "owner"), (owner.made.email, "viewer"), (nadia, "viewer")):
        owner.show("/team", {"email": email, "role": role})
    link = link_in(last_mail(owner.app, owner.made, nadia))
    owner.show(link)
    invited = Visitor(owner.app, owner.made, owner.locale)
    for form in ({}, {"name": "", "password": "x"}, {"name": "Camille Martin", "password": PASSWORD}):
        invited.show(link, dict(form) or None)
    invited.show("/invitations/x")
    for path in ("/subscriptions", "/billing", "/sessions", "/team", "/team/handover", "/team/leave"):
        invited.show(path)
    owner.show("/team", {"email": f"sam-{nadia}", "role": "manager"})
    member = owner.matched(r'"/team/(\w{32})/remove"', owner.show("/team"))
    for path in (f"/team/{member}/remove", f"/team/{member}/handover"):
        owner.show(path)
        owner.show(path, {})
    owner.show(f"/team/{member}/role", {"role": "accountant"})
    owner.show(f"/team/{member}/handover", {"understood": "y"})
    owner.show(f"/team/{member}/handover", {"understood": "y"})
    owner.show("/team/leave")
    invited.show("/team/handover")
    invited.show("/team/handover", {})
    invited.show("/team/leave", {})
    owner.show("/activity")
    owner.faces += invited.faces
    owner.seen |= invited.seen


@contextmanager
def provider(app: Flask, issuer: str) -> Iterator[None]:
    """Enables single sign-on with the provider at that address until the block ends."""
    before = dict(app.config)
    app.config.update(
        OIDC_ISSUER=issuer,
        OIDC_CLIENT_ID="portal",
        OIDC_CLIENT_SECRET="secret",
        OIDC_NAME="id.example.test",
        PUBLIC_URL="http://localhost",
        LOCAL_PASSWORDS=True,
    )
    try:
        identity_provider.init(app)
        yield
    finally:
        app.config.update(before)
        identity_provider.init(app)


def _not_signed_in(app: Flask, locale: str) -> Iterator[Face]:
    """The pages for each reason why single sign-on failed."""
    with provider(app, "http://127.0.0.1:9"):
        for why in STATUSES_OF_PROVIDER:
            with app.test_request_context("/sign-in", headers={"Cookie": f"locale={locale}"}):
                app.preprocess_request()
                page, _status = not_signed_in(why, "camille@example.test")
                yield Face(f"{locale} {why}", page, True)
        for headers in ({}, HX):
            with app.test_request_context("/sign-in", headers={"Cookie": f"locale={locale}", **headers}):
                app.preprocess_request()
                yield Face(f"{locale} wait", error_page(429, wait=61).get_data(as_text=True), not headers)


def _errors(app: Flask, locale: str) -> Iterator[Face]:
    """Each error status, as a page and as a fragment."""
    for status in STATUSES:
        for headers in ({}, HX):
            with app.test_request_context("/sign-in", headers={"Cookie": f"locale={locale}", **headers}):
                app.preprocess_request()
                yield Face(f"{locale} {status}", error_page(status).get_data(as_text=True), not headers)
