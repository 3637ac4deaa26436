"""Every page, fragment, mail and document: sound markup, one language, and each language's typography."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import flask_babel
import pytest
from babel.dates import get_month_names
from babel.support import NullTranslations
from flask import Flask
from flask_babel import force_locale
from html5lib import HTMLParser as StrictParser
from sqlalchemy import select

from tests.support.faces import gets, walk
from tests.support.visitors import HX, Face
from tests.support.world import dump, signed_in, subscription
from webapp import formats, words
from webapp.db import db
from webapp.invoices.bill import bill_of
from webapp.invoices.wording import page_of
from webapp.models.invoices import Invoice
from webapp.models.mail import Message
from webapp.sandbox.scenarios import Made
from webapp.views import stepper
from webapp.views.errors import error_page

READ = ("alt", "aria-label", "aria-description", "placeholder", "title")  # attributes that screen readers read
# Text of no language: names, codes and addresses of the scenarios.
DATA = re.compile(
    r"[\w.+-]+@[\w.-]+|[\w-]+\.example\.test|\b[A-Z]+-[\w-]*\d[\w-]*|\bC-\w{8}\b|\b[A-Z]{2}\d{11}\b|\(FR\)|"
    r"My Qlik Démonstration SAS|Ateliers Beaumont SARL|8 quai des Analyses|12 rue de la Facture|\d{5} (Paris|Lyon)|"
    r"Qlik Sense (Business|Enterprise SaaS)|My Qlik|"
    r"\bCM\b|Camille Martin|Sophie Laurent|"
    r"Nordlys Data|SIREN|Visa|Mastercard|English|Français|EUR|Bonjour, une question\."
)
WRONG = {
    "fr": r" [:;?!»%€]|« |\w['‘]\w|[^\s\d/:][:;?!»](\s|$)|[^\s]«\w|\d{4},\d\d|\d[.]\d\d\s€|[€$]\s?\d|“|”|\.\.\.",
    "en": r"\s[:;?!]|[«»]|\d\s?€|\d{4}\.\d\d\b|\w['‘]\w|\.\.\.",
}


class Marks(NullTranslations):
    """A language that puts every translated sentence between ⟦ and ⟧, so untranslated ones stand out."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"

    ugettext, ungettext = gettext, ngettext


class Words(HTMLParser):
    """The words of a page, block by block: text and the attributes that are read out, without code."""

    INLINE = frozenset({"a", "strong", "small", "span", "em", "option", "label", "code"}) - {"option", "label"}

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.texts = [""]
        self.silent: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script", "code", "pre"):
            self.silent.append(tag)
        if tag not in self.INLINE:
            self.texts.append("")
        self.texts[:0] = [value for name, value in attrs if name in READ and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.silent:
            self.silent.remove(tag)
        if tag not in self.INLINE:
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.texts[-1] += re.sub(r"[ \n]+", " ", data)


@pytest.fixture(params=["fr", "en"])
def locale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_page_and_fragment_is_sound_and_reads_as_its_language_does(app: Flask, locale: str) -> None:
    faces, seen = walk(app, locale)
    assert gets(app) - seen == set(), "not walked"
    assert [fault for face in faces for fault in _unsound(face)] == []
    faces = [
        face for face in faces if "/sandbox" not in face.what
    ]  # the sandbox's pages show codes, and mails in any language
    texts = [(face.what, text) for face in faces for text in Words(face.text).texts] + list(_written(locale))
    assert len(texts) > 10_000
    assert {fault for what, text in texts for fault in _mistypeset(what, text, locale)} == set()


def _unsound(face: Face) -> Iterator[str]:
    """The errors of a strict HTML parser, and duplicate ids."""
    # Bare table rows are valid where they are inserted: in a table's body.
    rows = r'<hx-partial hx-target="#(?:tiers|then)">(.*?)</hx-partial>'
    markup = re.sub(rows, r"<table><tbody>\1</table>", face.text, flags=re.DOTALL)
    reader = StrictParser()
    (reader.parse if face.whole else reader.parseFragment)(markup)
    ids = re.findall(r'\sid="([^"]*)"', face.text)
    yield from (f"{face.what}: {code} {details} at {where}" for where, code, details in reader.errors)
    yield from (f"{face.what}: {name} stands twice" for name in {name for name in ids if ids.count(name) > 1})
    htmx, fragments = "htmx.min.js" in face.text, "hx-target=" in face.text
    if face.whole and fragments and not htmx:
        yield f"{face.what}: htmx is missing"
    if htmx and not fragments and 'class="tile' not in face.text:  # a tile that somebody else manages has none
        yield f"{face.what}: htmx is sent without need"


def _written(locale: str) -> Iterator[tuple[str, str]]:
    """The subjects, texts and HTML of all mails in a member's own language, and every string of some invoices' PDFs."""
    for mail in db.session.scalars(
        select(Message).where(~Message.about.regexp_match("^(document|case|invitation|handover)"))
    ):
        yield from ((f"mail {mail.about}", text) for text in (mail.subject, *mail.body.split("\n")))
        yield from ((f"mail {mail.about}", text) for text in Words(mail.html).texts)
    for invoice in db.session.scalars(
        select(Invoice).where(Invoice.credits_id.is_(None)).order_by(Invoice.id).limit(20)
    ):
        with force_locale(locale):
            page = page_of(bill_of(invoice, None))
        texts = re.findall(r'"((?:[^"\\]|\\.)*)"', json.dumps(page, ensure_ascii=False))
        yield from (("invoice", text) for text in texts)


def _mistypeset(what: str, text: str, locale: str) -> Iterator[str]:
    bare = re.sub(r"https?://\S+|[\w.+-]+@[\w.-]+|\d\d:\d\d", "0", text)
    if re.search(WRONG[locale], bare):
        yield f"{what}: {text!r}"


def test_every_sentence_is_translated_or_is_data(app: Flask) -> None:
    with app.test_request_context():
        cache = flask_babel.get_domain().cache
    _forget_sentences(app)
    try:
        cache.update({(locale, "messages"): Marks() for locale in ("fr", "en")})
        words.catalogues.update({locale: Marks() for locale in ("fr", "en")})
        faces = [face for face in walk(app, "fr")[0] if "/sandbox?" not in face.what]  # the sandbox's pages show codes
    finally:
        cache.clear()
        _forget_sentences(app)
    with app.test_request_context(headers={"Cookie": "locale=fr"}):
        names = set(formats.countries().values()) | set(get_month_names("wide", locale="fr").values())
        names |= {name.rstrip(".") for name in get_month_names("abbreviated", locale="fr").values()}
    left = {(face.what, text, word) for face in faces for text in Words(face.text).texts for word in _unmarked(text)}
    assert any("⟦" in face.text for face in faces)
    assert {fault for fault in left if fault[2] not in names and fault[1].strip() not in names} == set()


def _forget_sentences(app: Flask) -> None:
    """Compiled templates contain them, and so do remembered fragments."""
    words.catalogues.clear()
    app.jinja_env.by_language.clear()  # type: ignore[attr-defined]
    stepper._rendered.cache_clear()


def _unmarked(text: str) -> list[str]:
    """Words of two letters or more that are neither translated nor data."""
    while (outside := re.sub(r"⟦[^⟦⟧]*⟧", "", text)) != text:
        text = outside
    return re.findall(r"[^\W\d_]{2,}", DATA.sub("", text))


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 411, 413, 422, 429, 500, 503])
def test_an_error_says_what_happened_whether_anything_changed_and_a_way_on(
    app: Flask, locale: str, status: int
) -> None:
    assurance = {"fr": r"[Rr]ien n’a été modifié|Aucun débit", "en": r"[Nn]othing was (changed|charged)"}
    for headers in ({}, HX):
        with app.test_request_context("/sign-in", headers={"Cookie": f"locale={locale}", **headers}):
            app.preprocess_request()
            answer = error_page(status)
        assert answer.status_code == status
        assert re.search(assurance[locale], answer.get_data(as_text=True))
        way_on = (
            r'href="/subscriptions"' if not headers else r'href="/subscriptions">(Recharger la page|Reload the page)'
        )
        assert re.search(way_on, answer.get_data(as_text=True))
        assert answer.headers.get("HX-Retarget") == ("#flash" if headers else None)


def test_an_error_that_passes_offers_to_try_again_at_the_same_address(app: Flask) -> None:
    for status in (429, 500, 503):
        with app.test_request_context("/sign-in?next=/billing", headers={"Cookie": "locale=en"}):
            app.preprocess_request()
            assert 'href="/sign-in?next=/billing">Try again' in error_page(status).get_data(as_text=True)


def test_a_fragment_after_the_session_ended_is_a_message_that_leads_back(app: Flask, business: Made) -> None:
    stranger = app.test_client()
    for form in (None, {"understood": "y"}):
        address = f"/subscriptions/{subscription(business)}/cancel"
        before = dump()
        answer = stranger.open(address, method="POST" if form else "GET", data=form, headers=HX)
        assert (answer.status_code, answer.headers["HX-Retarget"], answer.headers["HX-Reswap"]) == (
            401,
            "#flash",
            "innerHTML",
        )
        assert "Rien n’a été envoyé ni modifié." in answer.text
        assert 'href="/sign-in?next=/subscriptions"' in answer.text
        assert "<form" not in answer.text
        assert dump() == before


@pytest.mark.parametrize(
    ("sent_from", "back"),
    [
        ("http://localhost/contact?a=1", "/contact?a%3D1"),
        ("http://evil.example/contact", "/contact"),
        ("", "/contact"),
        ("http://localhost//evil.example", "/contact"),
    ],
)
def test_a_form_sent_after_the_session_ended_is_not_lost_without_a_word(
    app: Flask, business: Made, sent_from: str, back: str
) -> None:
    browser, before = app.test_client(), dump()
    browser.set_cookie("locale", "en")
    answer = browser.post("/contact", data={"message": "x" * 20}, headers={"Referer": sent_from})
    assert answer.headers["Location"] == f"/sign-in?next={back}"
    assert "nothing was sent or changed" in browser.get(answer.headers["Location"]).text
    assert dump() == before


def test_a_page_asked_for_after_the_session_ended_says_why_it_is_the_sign_in(app: Flask, business: Made) -> None:
    thief, owner = app.test_client(), signed_in(app, business)
    cookie = owner.get_cookie("my_qlik")
    assert cookie
    thief.set_cookie("my_qlik", cookie.value)
    owner.post("/sign-out")
    answer = thief.get("/billing", headers={"Accept-Language": "en"})
    assert answer.headers["Location"] == "/sign-in?next=/billing"
    assert "Your session has ended" in thief.get("/sign-in", headers={"Accept-Language": "en"}).text
    assert "Your session has ended" not in app.test_client().get("/sign-in", headers={"Accept-Language": "en"}).text


def test_the_accessibility_statement_is_linked_from_every_page(app: Flask, business: Made) -> None:
    for browser in (app.test_client(), signed_in(app, business)):
        for path in ("/sign-in", "/subscriptions", "/never", "/accessibility"):
            answer = browser.get(path, headers={"Accept-Language": "fr"})
            assert answer.status_code == 303 or 'href="/accessibility"' in answer.text
    statement = app.test_client().get("/accessibility").text
    for text in (
        "non conforme (non auditée)",
        "23\u00a0novembre\u00a02026",
        "mailto:",
        "Défenseur des droits",
        "axe-core",
    ):
        assert text in statement
