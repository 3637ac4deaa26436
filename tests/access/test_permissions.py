"""Who may do what: each role at each route, and what the pages show."""

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import team
from tests.support.world import dump, signed_in, subscription
from webapp.access.permission import procedure_of
from webapp.domain import permissions
from webapp.domain.permissions import Procedure, Role
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

EVERYBODY = "owner manager accountant viewer"
CHANGES, BILLING, OWNER = "owner manager", "owner manager accountant", "owner"
# By route or, where all routes of a module are alike, by module. A new route needs a line.
MAY = {
    "account_security": OWNER,
    "active_users": CHANGES,
    "activity": EVERYBODY,
    "add": CHANGES,
    "billing.add_card": BILLING,
    "billing.card_return": BILLING,
    "billing.send_again": BILLING,
    "billing.download": EVERYBODY,
    "billing.download_xml": EVERYBODY,
    "billing.invoice": EVERYBODY,
    "billing.invoices": EVERYBODY,
    "billing.page": EVERYBODY,
    "billing.prepare_year": EVERYBODY,
    "billing.year": EVERYBODY,
    "billing.year_archive": EVERYBODY,
    "billing_info": BILLING,
    "cancel": CHANGES,
    "cards": BILLING,
    "contact": BILLING,
    "drafts.discard": EVERYBODY,
    "export": EVERYBODY,
    "manage": CHANGES,
    "passwords.change": EVERYBODY,
    "passwords.page": EVERYBODY,
    "purchase.abandon": CHANGES,
    "purchase.authenticated": CHANGES,
    "purchase.authentication": CHANGES,
    "purchase.choose_card": CHANGES,
    "purchase.new_card": CHANGES,
    "purchase.overview": CHANGES,
    "purchase.pay": CHANGES,
    "purchase.payment": CHANGES,
    "purchase.receipt": EVERYBODY,
    "purchase.reconcile": CHANGES,
    "reduce": CHANGES,
    "renew": CHANGES,
    "second_factor": EVERYBODY,
    "sessions.end": EVERYBODY,
    "sessions.end_others": EVERYBODY,
    "sessions.my_data": EVERYBODY,
    "sessions.page": EVERYBODY,
    "sessions.stay": EVERYBODY,
    "sso.again": EVERYBODY,
    "step_up": EVERYBODY,
    "subscriptions": EVERYBODY,
    "subscriptions.hide_suggestion": CHANGES,
    "team": OWNER,
    "handover.answer": EVERYBODY,
    "handover.cancel": OWNER,
    "handover.confirm": OWNER,
    "handover.confirm_leaving": EVERYBODY,
    "handover.leave": EVERYBODY,
    "handover.page": EVERYBODY,
    "handover.propose": OWNER,
    "mails": EVERYBODY,
    "own_email": EVERYBODY,
    "undo": CHANGES,
}
VALUES = {"procedure": "renew", "year": 2026}
LINK = re.compile(r'(href|action)="(/[^"]*)"')


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Endpoint, method and address of each route for members; the ids in the addresses are of nothing."""
    found = []
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.endpoint == "static" or getattr(view, "public", False):
            continue
        values = {name: VALUES.get(name, "x" * 32) for name in rule.arguments}
        if rule.endpoint.startswith("undo."):
            values["procedure"] = "undo-reduction"
        for method in {"GET", "POST"} & (rule.methods or set()):
            found.append((rule.endpoint, method, adapter.build(rule.endpoint, values, method=method)))
    return sorted(found)


def allowed(endpoint: str) -> list[str]:
    return MAY.get(endpoint, MAY.get(endpoint.partition(".")[0], "")).split()


def test_each_route_for_members_says_what_it_is_for(app: Flask) -> None:
    with app.app_context():
        for endpoint, _method, _address in routes(app):
            assert procedure_of(endpoint) is not None, f"{endpoint}: mark it or its blueprint with `needs`"
            assert allowed(endpoint), f"{endpoint}: say in MAY who may use it"


def test_the_table_names_each_procedure_and_the_owner_may_do_all() -> None:
    assert set(permissions.ALLOWED) == set(Procedure)
    assert all(permissions.may(Role.OWNER, procedure) for procedure in Procedure)


@pytest.mark.parametrize("role", Role)
def test_each_role_at_each_route(app: Flask, business: Made, role: Role) -> None:
    browser = signed_in(app, business) if role is Role.OWNER else team.browser(app, team.add(business, role))
    refused = []
    before = dump()
    for endpoint, method, address in routes(app):
        if role in allowed(endpoint):
            continue
        answer = browser.open(address, method=method)
        assert answer.status_code == 403, (endpoint, method, answer.status_code)
        assert "Camille Martin" in answer.text, "it says who can do it"
        refused.append(endpoint)
    assert dump() == before
    for endpoint, method, address in routes(app):
        if role in allowed(endpoint) and endpoint not in ("sessions.end_others", "passwords.change"):
            answer = browser.open(address, method=method)
            assert answer.status_code != 403, (endpoint, method)
    assert bool(refused) == (role is not Role.OWNER)


def test_who_can_do_it_is_said_in_both_languages_and_to_scripts(app: Flask, business: Made) -> None:
    viewer = team.add(business, "viewer")
    for locale, words in (
        ("en", "Only the account owner (Camille Martin) or a manager can do this."),
        ("fr", "Seuls le propriétaire du compte (Camille Martin) et les gestionnaires peuvent effectuer cette action."),
    ):
        browser = team.browser(app, viewer, locale)
        here = f"/subscriptions/{subscription(business)}/cancel"
        assert words in unescape(browser.post(here, data={"understood": "y"}).text)
        part = browser.post(here, headers={"HX-Request": "true", "HX-Request-Type": "partial"})
        assert (part.status_code, part.headers["HX-Retarget"]) == (403, "#flash")
        assert words in unescape(part.text)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ACCOUNTANT, Role.VIEWER])
@pytest.mark.parametrize("scenario", ["both", "business-reduction-pending", "business-past-due", "business-lapsed"])
def test_no_page_leads_to_what_the_role_may_not_do(app: Flask, scenario: str, role: Role) -> None:
    made = scenarios.make(scenario)
    browser = team.browser(app, team.add(made, role))
    waiting, seen = ["/subscriptions"], set()
    while waiting:
        here = waiting.pop()
        answer = browser.get(here)
        assert answer.status_code in (200, 302, 303, 409), here
        for kind, link in LINK.findall(answer.text):
            address = unescape(link)
            path = address.partition("?")[0]
            assert may(app, browser, path, "GET" if kind == "href" else "POST", role), f"{here} leads to {address}"
            plain = kind == "href" and path not in seen and not path.startswith(("/static", "/sandbox"))
            if plain and not re.search(r"download|xml$|\.zip|\.csv|/invoices/\w{32}", path):
                seen.add(path)
                waiting.append(address)
    assert len(seen) > 5


def may(app: Flask, _browser: FlaskClient, path: str, method: str, role: Role) -> bool:
    endpoint = None
    for one in (method, "POST"):
        try:
            endpoint, _values = app.url_map.bind("localhost").match(path, one)
            break
        except Exception:
            continue
    return endpoint is None or not allowed(endpoint) or role in allowed(endpoint)


def test_a_role_that_changed_counts_at_the_next_click(app: Flask, business: Made) -> None:
    manager = team.add(business, "manager")
    browser = team.browser(app, manager)
    here = f"/subscriptions/{subscription(business)}/cancel"
    assert browser.get(here).status_code == 200
    team.set_role(manager, "viewer")
    before = dump()
    assert browser.post(here, data={"understood": "y"}).status_code == 403
    assert dump() == before
    team.set_role(manager, "manager")
    assert browser.post(here, data={"understood": "y"}).status_code == 303
