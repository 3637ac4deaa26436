"""Renew in a real browser: the documented steps, and what an owner and a bad network may do to them."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from .conftest import Begin
from .matrix import SCRIPTS
from .portal import free_port, running_portal
from .stories import Walk
from .watcher import violations


def open_stepper(walk: Walk) -> None:
    walk.tile().get_by_role("link", name=walk["Renew"]).click()
    expect(walk.labelled("seats")).to_have_value("12")


def to_overview(walk: Walk) -> None:
    open_stepper(walk)
    walk.labelled("seats").fill("14")
    walk.button("Continue").click()
    walk.heading("Payment")
    walk.button("Continue").click()
    walk.heading("Overview")


def test_the_cost_stands_at_the_right_and_below_on_a_narrow_screen(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)

    def boxes() -> tuple[Any, Any]:
        return walk.labelled("seats").bounding_box(), walk.cost().bounding_box()

    field, cost = boxes()
    assert cost["x"] > field["x"] + field["width"]
    walk.page.set_viewport_size({"width": 360, "height": 800})
    field, cost = boxes()
    assert cost["y"] > field["y"] + field["height"]


def test_by_keyboard_alone(begin: Begin) -> None:
    walk = begin("business")
    page = walk.page

    def tab_to(target: Locator) -> None:
        for _ in range(30):
            if target.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{target} cannot be reached")

    tab_to(walk.tile().get_by_role("link", name=walk["Renew"]))
    page.keyboard.press("Enter")
    tab_to(walk.button("Increase"))
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(walk.labelled("seats")).to_have_value("14")
    expect(walk.button("Increase")).to_be_focused()
    tab_to(walk.button("Continue"))
    page.keyboard.press("Enter")
    walk.heading("Payment")
    tab_to(walk.button("Continue"))
    page.keyboard.press("Enter")
    walk.heading("Overview")
    tab_to(walk.button("Pay"))
    page.keyboard.press("Enter")
    walk.heading("Receipt")


def test_enter_in_the_field_continues(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    walk.labelled("seats").fill("20")
    walk.labelled("seats").press("Enter")
    walk.heading("Payment")
    expect(walk.page.get_by_text("20 licences utilisateur")).to_be_visible()


def test_five_fast_clicks_are_five_seats(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    walk.page.evaluate(
        """() => { for (let i = 0; i < 5; i++) document.querySelector('[data-step][value="1"]').click() }"""
    )
    expect(walk.labelled("seats")).to_have_value("17")
    expect(walk.cost()).to_contain_text("489,00")


def test_a_stale_cost_never_wins(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    held: list[Route] = []
    walk.page.route(re.compile(r"seats=13$"), lambda route: held.append(route))
    walk.button("Increase").click()
    walk.button("Increase").click()
    expect(walk.cost()).to_contain_text("408,00")
    for route in held:
        route.continue_()
    expect(walk.cost()).to_contain_text("408,00")
    assert held


def test_the_cost_region_is_the_same_element_before_and_after(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    walk.page.evaluate("document.querySelector('#cost').dataset.kept = 'yes'")
    walk.button("Increase").click()
    expect(walk.cost()).to_contain_text("381,00")
    expect(walk.cost()).to_have_attribute("data-kept", "yes")


def test_a_fault_in_a_fragment_is_told_in_the_message_area(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    title = walk.page.title()
    walk.page.route(
        re.compile(r"seats=13$"),
        lambda route: route.fulfill(
            status=500, content_type="text/html", headers={"HX-Retarget": "#flash", "HX-Reswap": "innerHTML"},
            body='<div role="alert">Une erreur est survenue.</div>',
        ),
    )  # fmt: skip
    walk.button("Increase").click()
    expect(walk.page.get_by_role("alert")).to_contain_text("Une erreur est survenue")
    assert walk.page.title() == title
    expect(walk.labelled("seats")).to_have_value("13")


def test_a_double_click_on_pay_is_one_post_and_one_payment(begin: Begin) -> None:
    walk = begin("business")
    to_overview(walk)
    held: list[Route] = []
    walk.page.route("**/pay", lambda route: held.append(route))
    box: Any = walk.button("Pay").bounding_box()
    with walk.page.expect_request("**/pay"):
        walk.page.mouse.click(box["x"] + 5, box["y"] + 5)
    walk.page.mouse.click(box["x"] + 5, box["y"] + 5)
    for route in held:
        route.continue_()
    walk.heading("Receipt")
    assert len(held) == 1
    assert len(walk.state()["payments"]) == 1


@SCRIPTS
@pytest.mark.parametrize("confirms", [True, False], ids=["confirmed", "refused"])
def test_3d_secure(begin: Begin, scripts: bool, confirms: bool) -> None:
    walk = begin("business", scripts=scripts)
    to_overview(walk)
    walk.sandbox.gateway(walk.account["account"], "challenge")
    walk.button("Pay").click()
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("Confirmez auprès de votre banque")
    walk.page.reload()  # the address can be come back to
    if scripts:
        assert violations(walk.page) == []
    walk.page.get_by_role("link", name="Continuer vers ma banque").click()
    walk.page.get_by_role("button", name="Oui, confirmer" if confirms else "Non, refuser").click()
    walk.heading("Receipt" if confirms else "Payment")
    assert [paid["state"] for paid in walk.state()["payments"]] == ["captured" if confirms else "declined"]


@SCRIPTS
def test_an_unknown_outcome_says_so_and_is_found_out(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    to_overview(walk)
    walk.sandbox.gateway(walk.account["account"], "timeout_after_charge")
    walk.button("Pay").click()
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("Paiement en cours")
    expect(walk.page.get_by_text("Ne payez pas de nouveau")).to_be_visible()
    walk.page.get_by_role("link", name="Retour aux abonnements").click()
    expect(walk.tile()).to_contain_text("Un paiement est en cours.")
    walk.tile().get_by_role("link", name="Suivre ce paiement").click()
    walk.page.get_by_role("button", name="Vérifier maintenant").click()
    walk.heading("Receipt")
    assert len(walk.state()["gateway"]["charges"]) == 1


@SCRIPTS
def test_an_expired_quote_shows_what_is_new_and_can_be_paid(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    to_overview(walk)
    walk.sandbox.clock(walk.account["account"], advance="PT31M")
    walk.button("Pay").click()
    walk.heading("Overview")
    expect(walk.page.get_by_role("alert")).to_contain_text("Le devis avait expiré")
    if scripts:
        assert violations(walk.page) == []
    walk.button("Pay").click()
    walk.heading("Receipt")


def test_the_pages_of_the_gateway_at_another_origin(begin: Begin) -> None:
    """Browsers block a form whose answer redirects elsewhere, unless the policy names the place."""
    port = str(free_port())
    with running_portal(PORT=port, GATEWAY_ORIGIN=f"http://localhost:{port}") as portal:
        walk = begin("business", portal=portal)
        open_stepper(walk)
        walk.labelled("seats").fill("14")
        walk.button("Continue").click()
        walk.button("new card").click()
        expect(walk.page).to_have_url(re.compile("^http://localhost:"))
        assert violations(walk.page) == []
        walk.enter_card("4000002760003184")
        walk.heading("Payment")
        expect(walk.page).to_have_url(re.compile("^http://127.0.0.1:"))
        walk.button("Continue").click()
        walk.button("Pay").click()
        walk.page.get_by_role("link", name="Continuer vers ma banque").click()
        expect(walk.page).to_have_url(re.compile("^http://localhost:"))
        walk.page.get_by_role("button", name="Oui, confirmer").click()
        walk.heading("Receipt")


def test_a_card_the_gateway_refuses_is_told_at_its_field(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.page.get_by_role("button", name="Ajouter une carte de crédit").click()
    walk.enter_card("4000 0000 0000 0002")
    expect(walk.page.get_by_role("alert")).to_contain_text("La banque a refusé cette carte.")
    expect(walk.labelled("Card number")).to_have_value("")
    assert violations(walk.page) == []
    walk.enter_card("5555 5555 5555 4444")
    expect(walk.page.get_by_role("status").first).to_contain_text("se terminant par 4444")


def test_sign_out_leaves_nothing_behind(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    walk.button("Sign out").click()
    expect(walk.page.get_by_role("status").first).to_contain_text("Vous êtes déconnecté.")
    assert walk.page.evaluate("localStorage.length + sessionStorage.length") == 0
    walk.page.go_back()
    expect(walk.page).to_have_url(re.compile("/sign-in"))


def test_back_and_reload_show_whole_pages(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    walk.button("Increase").click()
    expect(walk.cost()).to_contain_text("381,00")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.page.go_back()
    expect(walk.page.get_by_role("banner")).to_be_visible()
    walk.page.reload()
    expect(walk.page.get_by_role("banner")).to_be_visible()


def test_the_language_is_switched_where_one_stands(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    walk.page.get_by_role("button", name="English").click()
    expect(walk.page.get_by_label("Number of paid users")).to_be_visible()
    walk.page.get_by_role("button", name="Français").click()
    expect(walk.page.get_by_label("Nombre d’utilisateurs payants")).to_be_visible()
