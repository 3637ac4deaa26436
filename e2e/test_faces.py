"""Every face in a real browser: what a keyboard, a narrow or a coloured screen, paper and a bad network make of it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Begin
from .matrix import WHOLE
from .stories import PRODUCT, STORIES, Walk
from .watcher import violations

TARGETS = """() => [...document.querySelectorAll("a, button, input, select, summary, textarea")].filter(element => {
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    const inSentence = element.localName === "a" && style.display === "inline"; // 2.5.8 excepts these
    const shown = element.checkVisibility({visibilityProperty: true}) && box.width && !element.closest(".skip");
    const ticked = element.matches("label input, :is([type=checkbox], [type=radio])"); // its label is the target
    return shown && !inSentence && !ticked && (box.width < 24 || box.height < 24);
}).map(element => element.outerHTML.slice(0, 100))"""
FADED = """() => [...document.querySelectorAll("main :is(button, a.button, input, select, .badge, .notice, .alert)")]
    .filter(element => element.checkVisibility({visibilityProperty: true}) && !element.closest("label"))
    .filter(element => {
        const style = getComputedStyle(element);
        const edged = ["Top", "Left"].some(side => parseFloat(style[`border${side}Width`]) > 0
            && style[`border${side}Style`] !== "none" && style[`border${side}Color`] !== "rgba(0, 0, 0, 0)");
        return !edged && !element.matches(".ghost, .link");
    }).map(element => element.outerHTML.slice(0, 100))"""


def faults_of(page: Page) -> list[str]:
    """What is wrong with the page as it stands: axe, focus, live regions, small targets, sideways scrolling."""
    found = violations(page)
    where = page.url
    if page.evaluate("document.querySelectorAll('#flash[role=status]').length") != 1:
        found.append(f"{where}: not one message area")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{where}: scrolls sideways")
    return found + [f"{where}: small {target}" for target in page.evaluate(TARGETS)]


def addresses(walk: Walk) -> list[str]:
    """Every page that can be had without changing anything."""
    here = f"/subscriptions/{walk.account['subscriptions']['business']}"
    invoice = "/billing/invoices?search=MQ-2027"
    return [
        "/subscriptions", here, f"{here}/manage", f"{here}/renew", f"{here}/add?seats=9999", f"{here}/reduce",
        f"{here}/cancel", f"{here}/reduce/confirm?seats=8", "/billing", "/billing/information", invoice,
        "/billing/invoices/year/2026", f"/billing/cards/{walk.account['cards'][0]}/delete", "/contact", "/activity",
        "/accessibility", "/never", f"/sandbox?account={walk.account['account']}",
        f"/subscriptions/{walk.account['subscriptions']['enterprise']}/renew",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("locale", "width", "scheme"),
    [("fr", 320, "dark"), ("en", 1280, "light"), *([("fr", 1280, "light"), ("en", 320, "dark")] if WHOLE else [])],
)
def test_every_page_stands_any_screen(begin: Begin, locale: str, width: int, scheme: str) -> None:
    walk = begin("both", locale=locale, width=width, color_scheme=scheme, reduced_motion="reduce")
    broken = []
    for address in addresses(walk):
        walk.page.goto(walk.sandbox.url + address)
        broken += faults_of(walk.page)
        broken += [f"{address}: moves" for _ in range(walk.page.evaluate("document.getAnimations().length"))]
    walk.button("Sign out").click()
    broken += faults_of(walk.page)
    assert broken == []


def test_with_forced_colours_every_control_keeps_an_edge(begin: Begin) -> None:
    walk = begin("both", forced_colors="active")
    faded = []
    for address in addresses(walk):
        walk.page.goto(walk.sandbox.url + address)
        faded += [f"{address}: {shown}" for shown in walk.page.evaluate(FADED)]
    assert faded == []


@pytest.mark.parametrize("procedure", ["renew", "reduce"])
def test_a_whole_procedure_by_keyboard_with_the_focus_never_lost(begin: Begin, procedure: str) -> None:
    walk = begin("business")
    page, broken = walk.page, list[str]()

    def press(target: Locator, key: str = "Enter") -> None:
        target.wait_for()
        for _ in range(40):
            if target.evaluate("element => element === document.activeElement"):
                break
            page.keyboard.press("Tab")
        else:
            raise AssertionError(f"{target} cannot be reached")
        page.keyboard.press(key)

    def look() -> None:
        broken.extend(faults_of(page))

    tile = walk.tile()
    if procedure == "renew":
        press(tile.get_by_role("link", name=walk["Renew"]))
        press(walk.button("Increase"))
        press(walk.button("Increase"), "Space")
        expect(walk.cost()).to_contain_text("408,00")
        expect(walk.button("Increase")).to_be_focused()
        press(walk.button("Continue"))
        walk.heading("Payment")
        look()
        press(walk.button("Continue"))
        walk.heading("Overview")
        look()
        press(walk.button("Pay"))
        walk.heading("Receipt")
        look()
        assert len(walk.state()["payments"]) == 1
    else:
        press(tile.get_by_role("link", name=walk["Manage"]))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
        look()
        press(dialog.get_by_role("link", name=walk["Reduce seats"]))
        press(walk.button("Decrease"))
        expect(walk.labelled("seats")).to_have_value("11")
        press(walk.button("Continue"))
        expect(dialog).to_be_visible()
        look()
        press(page.get_by_label(walk["I understand"]), "Space")
        press(walk.button("Confirm"))
        expect(page.get_by_role("status").first).to_contain_text("La réduction est demandée.")
        expect(dialog).to_have_count(0)
        look()
        assert walk.subscription()["changes"][0]["seats"] == 11
    assert broken == []


def test_an_ended_session_does_not_put_the_sign_in_into_a_dialog(begin: Begin) -> None:
    walk = begin("business")
    page = walk.page
    page.context.clear_cookies()
    walk.tile().get_by_role("link", name=walk["Manage"]).click()
    back = page.get_by_role("alert").get_by_role("link", name="Se connecter et revenir ici")
    expect(page.get_by_role("alert")).to_contain_text("Rien n’a été envoyé ni modifié.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert faults_of(page) == []
    back.click()
    walk.labelled("E-mail").fill(walk.account["email"])
    walk.labelled("Password").fill(walk.account["password"])
    walk.button("Sign in").click()
    expect(page).to_have_url(f"{walk.sandbox.url}/subscriptions")


def test_a_session_that_ended_over_a_confirmation_closes_it_and_says_that_nothing_changed(begin: Begin) -> None:
    walk = begin("business")
    page = walk.page
    confirm_cancellation(walk)
    page.context.clear_cookies()
    page.get_by_role("button", name="Confirmer").click()
    expect(page.get_by_role("alert")).to_contain_text("Rien n’a été envoyé ni modifié.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("alert").get_by_role("link")).to_be_focused()
    assert walk.subscription()["changes"] == []
    assert faults_of(page) == []


def test_without_a_network_the_message_area_says_so_and_tries_again(begin: Begin, faults: list[str]) -> None:
    walk = begin("business")
    page = walk.page
    page.goto(f"{walk.sandbox.url}/subscriptions/{walk.account['subscriptions']['business']}/renew")
    page.context.set_offline(True)
    walk.button("Increase").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Le portail est injoignable. Rien n’a été modifié.")
    expect(walk.button("Increase")).to_be_focused()
    assert faults_of(page) == []
    page.context.set_offline(False)
    alert.get_by_role("button", name="Réessayer").click()
    expect(walk.cost()).to_contain_text("381,00")
    expect(alert).to_have_count(0)
    assert page.evaluate("document.activeElement.localName") != "body"
    faults.clear()  # the browser's own notes of the network


def test_a_confirmation_without_a_network_is_tried_again_and_done_once(begin: Begin, faults: list[str]) -> None:
    walk = begin("business")
    page = walk.page
    confirm_cancellation(walk)
    page.context.set_offline(True)
    page.get_by_role("button", name="Confirmer").click()
    again = page.get_by_role("button", name="Réessayer")
    expect(page.get_by_role("alert")).to_contain_text("On ne sait pas si votre demande est arrivée.")
    expect(again).to_be_focused()
    page.context.set_offline(False)
    page.keyboard.press("Enter")
    expect(walk.tile()).to_contain_text("Annulation demandée")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("document.activeElement.localName") != "body"
    assert [change["state"] for change in walk.subscription()["changes"]] == ["open"]
    faults.clear()


@pytest.mark.parametrize("status", [429, 502])
def test_a_page_of_a_server_in_front_never_lands_in_a_dialog(begin: Begin, faults: list[str], status: int) -> None:
    walk = begin("business")
    walk.page.route("**/manage", lambda route: route.fulfill(status=status, body="<h1>Bad gateway</h1>"))
    walk.tile().get_by_role("link", name=walk["Manage"]).click()
    expect(walk.page.get_by_role("alert")).to_contain_text("Le portail est injoignable.")
    expect(walk.page.get_by_role("dialog")).to_have_count(0)
    expect(walk.page.get_by_text("Bad gateway")).to_have_count(0)
    faults.clear()  # the browser's own note of the status


def test_on_paper_an_invoice_and_a_receipt_are_the_document_alone(begin: Begin) -> None:
    walk = begin("business", color_scheme="dark")
    page = walk.page
    next(story for story in STORIES if story.id == "renew").walk(walk)
    page.go_back()
    for heading in ("Reçu", "Facture"):
        page.emulate_media(media="print")
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        assert (
            page.locator("header.bar, body > footer, .actions, .back").evaluate_all(
                "all => all.filter(one => one.checkVisibility()).length"
            )
            == 0
        )
        ink = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
        assert ink == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
        assert len(page.pdf()) > 5000
        page.emulate_media(media="screen")
        if heading == "Reçu":
            page.get_by_role("link", name=re.compile("^MQ-")).click()


def confirm_cancellation(walk: Walk) -> None:
    walk.page.get_by_role("article", name=PRODUCT).get_by_role("link", name=walk["Manage"]).click()
    walk.page.get_by_role("dialog").get_by_role("link", name=walk["Cancel subscription"]).click()
    walk.page.get_by_label(walk["I understand"]).check()
