"""What can be copied, and that nothing offers it without scripts."""

import re

from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import invoice_of, pay, quoted, subscription
from webapp.sandbox.scenarios import Made


def offered(page: str) -> list[str]:
    buttons = re.findall(r'<button type="button" class="link" data-copy="([^"]+)"([^>]*)>\s*Copy</button>', page)
    for _, attributes in buttons:
        assert attributes.endswith(" hidden")
        assert 'data-done="' in attributes
        assert 'aria-label="Copy' in attributes
    assert page.count("data-copy") == len(buttons)
    assert '<p id="said" class="visually-hidden" role="status"></p>' in page
    return [text for text, _ in buttons]


def test_the_number_and_the_payment_reference_of_an_invoice(app: Flask, client: FlaskClient, business: Made) -> None:
    first = invoice_of(business)
    assert offered(client.get(f"/billing/invoices/{first.id}").text) == [first.number]
    assert pay(app, business, quoted(app, business)) == "captured"
    paid = invoice_of(business)
    page = client.get(f"/billing/invoices/{paid.id}").text
    assert offered(page) == [paid.number, paid.payment_key]
    assert "Payment reference" in page


def test_the_tenant_and_the_number_of_a_case(client: FlaskClient, business: Made) -> None:
    (tenant,) = offered(client.get(f"/subscriptions/{subscription(business)}").text)
    assert tenant.endswith(".example.test")
    client.post("/contact", data={"subject": "billing", "message": "A question of mine."})
    listed = re.search(r'href="(/contact/C-\w{8})"', client.get("/contact").text)
    assert listed
    (case,) = offered(client.get(listed[1]).text)
    assert re.fullmatch(r"C-\w{8}", case)
