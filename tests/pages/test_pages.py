"""What holds for every page: headers, errors as pages and fragments, invoices, and the weight of a first visit."""

import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import pay, quoted, signed_in, state, subscription
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

PAGES = (
    "/sign-in",
    "/subscriptions",
    "/billing",
    "/billing/information",
    "/billing/invoices",
    "/contact",
    "/never",
    "/sandbox",
)
HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Outline(HTMLParser):
    """The ids, headings and forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.h1 = 0
        self.forms: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if attributes.get("id") else []  # type: ignore[list-item]
        self.h1 += tag == "h1"
        if tag == "form":
            self.forms.append(attributes)


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers_of_a_strict_portal(client: FlaskClient, path: str) -> None:
    for method in (client.get, client.post):
        headers = method(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_one_h1_unique_ids_and_no_form_without_a_method(
    app: Flask, client: FlaskClient, path: str
) -> None:
    outline = Outline((app.test_client() if path == "/sign-in" else client).get(path).text)
    assert outline.h1 == 1
    assert len(outline.ids) == len(set(outline.ids))
    assert all("method" in form for form in outline.forms)


def test_an_error_is_a_page_with_a_way_on_or_a_message_in_the_message_area(client: FlaskClient) -> None:
    page = client.get("/never")
    assert (page.status_code, "Page not found" in page.text, 'href="/subscriptions"' in page.text) == (404, True, True)
    fragment = client.get("/never", headers=HX)
    assert fragment.status_code == 404
    assert fragment.headers["HX-Retarget"] == "#flash"
    assert "<html" not in fragment.text
    assert all(value.isascii() for value in fragment.headers.values())


def test_a_fault_of_ours_is_a_500_page_without_a_trace_of_it(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> str:
        raise RuntimeError("a secret")

    monkeypatch.setitem(app.view_functions, "contact.page", broken)
    answer = client.get("/contact")
    assert (answer.status_code, "a secret" in answer.text, "Something went wrong" in answer.text) == (500, False, True)


@pytest.mark.parametrize("body", ["[1]", '"x"', '{"seats": 12}', '{"email": 5}'])
def test_a_body_that_is_no_form_is_an_empty_form(app: Flask, client: FlaskClient, business: Made, body: str) -> None:
    for path in (f"/subscriptions/{subscription(business)}/renew", "/sign-in"):
        assert client.post(path, data=body, content_type="application/json").status_code == 422
    upload = {"seats": (BytesIO(b"12"), "seats.txt")}
    assert client.post(f"/subscriptions/{subscription(business)}/renew", data=upload).status_code == 422


@pytest.mark.parametrize("host", ["evil.example", "..", "[", "localhost:99999999"])
def test_a_host_that_is_not_ours_is_refused(app: Flask, host: str) -> None:
    answer = app.test_client().get("/sign-in", headers={"Host": host})
    assert (answer.status_code, "evil" in answer.text) == (400, False)


def test_a_body_of_unknown_size_is_refused(client: FlaskClient, business: Made) -> None:
    answer = client.post(f"/subscriptions/{subscription(business)}/renew", headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 411


def test_a_method_that_does_not_fit_is_405(client: FlaskClient) -> None:
    answer = client.post("/subscriptions")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_the_first_view_is_light(client: FlaskClient) -> None:
    """At most 30 kB and five requests, as a browser transfers them."""
    squeezed = {"Accept-Encoding": "br, gzip"}
    page = client.get("/subscriptions", headers=squeezed)
    linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/subscriptions").text)
    files = [client.get(path, headers=squeezed, buffered=True) for path in linked]
    assert all(file.headers.get("Content-Encoding") == "br" or len(file.data) < 1500 for file in files)
    assert all("max-age=31536000" in file.headers["Cache-Control"] for file in files)
    assert 1 + len(files) <= 5
    assert len(page.data) + sum(len(file.data) for file in files) <= 30_000


def test_an_invoice_page_shows_what_was_charged(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business, 14)
    pay(app, business, quote)
    receipt = client.get(f"/subscriptions/{subscription(business)}/renew/{quote}/receipt").text
    number = state(app, business)["invoices"][-1]["number"]
    link = re.search(r'href="(/billing/invoices/\w+)">' + number, receipt)
    assert link
    page = client.get(link[1]).text
    for text in (
        number,
        "€408.00",
        "€81.60",
        "€489.60",
        "Ateliers Beaumont SARL",
        "Visa ••••\u00a04242",
        "FR83900100207",
    ):
        assert text in page
    assert number in client.get("/billing/invoices").text


def test_the_tile_offers_what_the_plan_allows(app: Flask) -> None:
    page = signed_in(app, scenarios.make("both")).get("/subscriptions").text
    business, enterprise = page.split("<article")[1:]
    assert "/renew" in business
    assert "/contact" not in business
    assert "/renew" not in enterprise
    assert "Contact your Qlik account manager" in enterprise
    assert "€424.80" in business


@pytest.mark.parametrize(
    ("locale", "money", "period"),
    [
        ("fr", "424,80\u00a0€", "15\u00a0janvier\u00a02027 – 14\u00a0février\u00a02027"),
        ("en", "€424.80", "15\u00a0January\u00a02027 – 14\u00a0February\u00a02027"),
    ],
)
def test_money_and_dates_read_as_the_language_does(
    app: Flask, business: Made, locale: str, money: str, period: str
) -> None:
    client = signed_in(app, business)
    client.post("/language", data={"locale": locale})
    page = client.get("/subscriptions").text
    assert money in page
    assert period in page
