"""An invoice and a receipt on paper."""

import re

from playwright.sync_api import expect

from .conftest import Begin
from .stories import renew

VISIBLE = "elements => elements.filter(element => element.checkVisibility()).length"


def test_on_paper_an_invoice_and_a_receipt_are_the_document_alone(begin: Begin) -> None:
    walk = begin("business", color_scheme="dark")
    page = walk.page
    renew.renew(walk)
    page.go_back()
    for heading in ("Reçu", "Facture"):
        page.emulate_media(media="print")
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        assert page.locator("header.bar, body > footer, .actions, .back").evaluate_all(VISIBLE) == 0
        colours = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert colours == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
        assert len(page.pdf()) > 5000
        page.emulate_media(media="screen")
        if heading == "Reçu":
            page.get_by_role("link", name=re.compile("^MQ-")).click()
