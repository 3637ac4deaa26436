"""Without a network, or behind a server that fails: the message area says so, and trying again works."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .stories import Walk
from .watcher import page_faults


def open_confirmation(walk: Walk) -> None:
    """The cancellation's dialog, with « Je comprends » ticked."""
    walk.tile().get_by_role("link", name=walk["Manage"]).click()
    walk.page.get_by_role("dialog").get_by_role("link", name=walk["Cancel subscription"]).click()
    walk.page.get_by_label(walk["I understand"]).check()


def test_without_a_network_the_message_area_says_so_and_tries_again(begin: Begin, faults: list[str]) -> None:
    walk = begin("business")
    page = walk.page
    page.goto(walk.address("/renew"))
    page.context.set_offline(True)
    walk.button("Increase").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Le portail est injoignable. Rien n’a été modifié.")
    expect(walk.button("Increase")).to_be_focused()
    assert page_faults(page) == []
    page.context.set_offline(False)
    alert.get_by_role("button", name="Réessayer").click()
    expect(walk.cost()).to_contain_text("381,00")
    expect(alert).to_have_count(0)
    assert page.evaluate("document.activeElement.localName") != "body"
    faults.clear()  # the browser logs the failed requests


def test_a_confirmation_without_a_network_is_tried_again_and_done_once(begin: Begin, faults: list[str]) -> None:
    walk = begin("business")
    page = walk.page
    open_confirmation(walk)
    page.context.set_offline(True)
    page.get_by_role("button", name="Confirmer").click()
    again = page.get_by_role("button", name="Réessayer")
    expect(page.get_by_role("alert")).to_contain_text("Nous ne savons pas si votre demande nous est parvenue.")
    expect(again).to_be_focused()
    page.context.set_offline(False)
    page.keyboard.press("Enter")
    expect(walk.tile()).to_contain_text("Annulation demandée")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("document.activeElement.localName") != "body"
    assert [change["state"] for change in walk.subscription()["changes"]] == ["open"]
    faults.clear()  # the browser logs the failed requests


@pytest.mark.parametrize("status", [429, 502])
def test_a_page_of_a_server_in_front_never_lands_in_a_dialog(begin: Begin, faults: list[str], status: int) -> None:
    walk = begin("business")
    walk.page.route("**/manage", lambda route: route.fulfill(status=status, body="<h1>Bad gateway</h1>"))
    walk.tile().get_by_role("link", name=walk["Manage"]).click()
    expect(walk.page.get_by_role("alert")).to_contain_text("Le portail est injoignable.")
    expect(walk.page.get_by_role("dialog")).to_have_count(0)
    expect(walk.page.get_by_text("Bad gateway")).to_have_count(0)
    faults.clear()  # the browser logs the status
