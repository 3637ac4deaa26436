"""Renew: the documented steps, the refusals, and what double clicks, slow answers and the bank may do to them."""

import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from .conftest import Begin, WalkStory
from .keyboard import press
from .matrix import SCRIPTS, Cell, in_the_matrix
from .portal import free_port, running_portal
from .stories import Story, Walk, renew
from .watcher import page_faults, violations


@in_the_matrix(renew.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@in_the_matrix(renew.REFUSALS)
def test_a_refusal_and_the_way_on(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


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


def test_the_cost_is_at_the_right_and_below_on_a_narrow_screen(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)

    def boxes() -> tuple[Any, Any]:
        return walk.labelled("seats").bounding_box(), walk.cost().bounding_box()

    field, cost = boxes()
    assert cost["x"] > field["x"] + field["width"]
    walk.page.set_viewport_size({"width": 360, "height": 800})
    field, cost = boxes()
    assert cost["y"] > field["y"] + field["height"]


def test_by_keyboard_alone_the_focus_is_never_lost(begin: Begin) -> None:
    walk = begin("business")
    page, faults = walk.page, list[str]()
    press(walk.tile().get_by_role("link", name=walk["Renew"]))
    press(walk.button("Increase"))
    press(walk.button("Increase"), "Space")
    expect(walk.labelled("seats")).to_have_value("14")
    expect(walk.cost()).to_contain_text("408,00")
    expect(walk.button("Increase")).to_be_focused()
    press(walk.button("Continue"))
    walk.heading("Payment")
    faults += page_faults(page)
    press(walk.button("Continue"))
    walk.heading("Overview")
    faults += page_faults(page)
    press(walk.button("Pay"))
    walk.heading("Receipt")
    faults += page_faults(page)
    assert len(walk.state()["payments"]) == 1
    assert faults == []


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


COUNT_ENDED_REQUESTS = """() => { let ended = 0; document.addEventListener("htmx:finally:request",
    () => { document.documentElement.dataset.endedRequests = ++ended }); }"""


def test_a_stale_cost_never_wins(begin: Begin) -> None:
    """The answer for 13 seats is held until the one for 14 is shown. htmx has dropped it by then, or would show it."""
    walk = begin("business")
    open_stepper(walk)
    walk.page.evaluate(COUNT_ENDED_REQUESTS)
    held: list[Route] = []
    walk.page.route(re.compile(r"seats=13$"), lambda route: held.append(route))
    with walk.page.expect_request(re.compile(r"seats=13$")):
        walk.button("Increase").click()
    walk.button("Increase").click()
    expect(walk.cost()).to_contain_text("408,00")
    [stale] = held
    stale.continue_()
    expect(walk.page.locator("html")).to_have_attribute("data-ended-requests", "2")
    expect(walk.cost()).to_contain_text("408,00")


def test_the_cost_region_stays_the_same_element(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    walk.page.evaluate("document.querySelector('#cost').dataset.kept = 'yes'")
    walk.button("Increase").click()
    expect(walk.cost()).to_contain_text("381,00")
    expect(walk.cost()).to_have_attribute("data-kept", "yes")


def test_a_fault_in_a_fragment_is_reported_in_the_message_area(begin: Begin) -> None:
    walk = begin("business")
    open_stepper(walk)
    title = walk.page.title()
    walk.page.route(
        re.compile(r"seats=13$"),
        lambda route: route.fulfill(
            status=500,
            content_type="text/html",
            headers={"HX-Retarget": "#flash", "HX-Reswap": "innerHTML"},
            body='<div role="alert">Une erreur est survenue.</div>',
        ),
    )
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
    walk.heading("Challenge")
    walk.page.reload()  # the page has an address of its own
    if scripts:
        assert violations(walk.page) == []
    walk.page.get_by_role("link", name="Continuer vers ma banque").click()
    walk.page.get_by_role("button", name="Oui, confirmer" if confirms else "Non, refuser").click()
    walk.heading("Receipt" if confirms else "Payment")
    assert walk.payments() == ["captured" if confirms else "declined"]


def challenged_overnight(begin: Begin, scripts: bool) -> Walk:
    """The bank is asked at midnight; the owner follows the link of the mail at 08:30 on the next day."""
    walk = begin("business-two-cards", scripts=scripts)
    walk.sandbox.gateway(walk.account["account"], "challenge")
    walk.sandbox.clock(walk.account["account"], to="2027-02-15T00:00:00")
    walk.sandbox.clock(walk.account["account"], to="2027-02-16T08:30:00")
    link = re.findall(r"https?://[^/\s]+(/\S+/authentication)", walk.state()["messages"][-1]["text"])[0]
    walk.page.goto(f"{walk.sandbox.url}{link}")
    walk.heading("Challenge")
    expect(walk.page.get_by_role("main")).to_contain_text("jusqu’au 16\u00a0février\u00a02027 à 23:59")
    if scripts:
        assert violations(walk.page) == []
    return walk


@SCRIPTS
def test_the_renewal_that_the_bank_challenged_at_midnight_is_confirmed_the_next_morning(
    begin: Begin, scripts: bool
) -> None:
    walk = challenged_overnight(begin, scripts)
    walk.page.get_by_role("link", name=walk["To the bank"]).click()
    walk.page.get_by_role("button", name="Oui, confirmer").click()
    walk.heading("Receipt")
    assert walk.payments() == ["captured"]


@SCRIPTS
def test_the_renewal_that_the_bank_challenged_at_midnight_is_paid_with_another_card(
    begin: Begin, scripts: bool
) -> None:
    walk = challenged_overnight(begin, scripts)
    walk.page.get_by_role("button", name="Payer avec une autre carte").click()
    walk.page.get_by_role("radio", name="4444").check()
    walk.button("Continue").click()
    walk.heading("Overview")
    expect(walk.page.get_by_role("main")).to_contain_text("sera abandonné lorsque vous paierez")
    walk.button("Pay").click()
    walk.heading("Receipt")
    assert sorted(walk.payments()) == ["captured", "declined"]
    assert walk.subscription()["status"] == "active"


@SCRIPTS
def test_a_payment_of_unknown_outcome_says_so_and_is_checked(begin: Begin, scripts: bool) -> None:
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
def test_an_expired_quote_is_renewed_and_can_be_paid(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    to_overview(walk)
    walk.sandbox.clock(walk.account["account"], advance="PT31M")
    walk.button("Pay").click()
    walk.heading("Overview")
    expect(walk.page.get_by_role("alert")).to_contain_text("Votre devis avait expiré")
    if scripts:
        assert violations(walk.page) == []
    walk.button("Pay").click()
    walk.heading("Receipt")


def test_the_pages_of_a_gateway_at_another_origin(begin: Begin) -> None:
    """A browser blocks a form whose answer redirects to an origin that the policy does not name."""
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
