"""The HTML of a mail: in the frame of the sandbox panel, and by itself at the width of a phone."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .watcher import violations


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_a_mail_in_the_panel_and_on_a_phone(begin: Begin, faults: list[str], scheme: str) -> None:
    walk = begin("expiring-card", color_scheme=scheme)
    account = walk.account["account"]
    walk.sandbox.clock(account, to="2027-02-08T09:00:00")
    walk.page.goto(f"{walk.sandbox.url}/sandbox?account={account}")
    walk.page.get_by_text("Votre carte expire avant le renouvellement").click()
    mail = walk.page.frame_locator("iframe:visible")
    expect(mail.get_by_role("heading", name="Votre carte expire avant le renouvellement")).to_be_visible()
    with walk.page.context.expect_page() as opened:
        mail.get_by_role("link", name="Ajouter une carte de crédit").click()
    expect(opened.value).to_have_url(f"{walk.sandbox.url}/billing")

    walk.page.set_viewport_size({"width": 320, "height": 700})
    walk.page.goto(walk.sandbox.url + (walk.page.locator("iframe:visible").get_attribute("src") or ""))
    expect(walk.page.get_by_role("row", name="Carte Visa •••• 4242")).to_be_visible()
    assert walk.page.evaluate("document.documentElement.scrollWidth") == 320
    html = walk.page.content()
    blank = walk.page.context.new_page()  # the policy of the mail's own address allows no script, so no axe
    blank.set_content(html)
    landmarks = ("landmark-one-main", "region")  # these belong to the page of the mail program
    assert "<script" not in html
    faults[:] = [fault for fault in faults if "Blocked script execution" not in fault]  # of Playwright's recorder
    assert [fault for fault in violations(blank) if not fault.removeprefix("about:blank: ").startswith(landmarks)] == []
