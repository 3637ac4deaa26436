"""Templates are compiled for each language, with what does not change as a constant part of them."""

from collections.abc import Iterator

import pytest
from flask import Flask, render_template_string
from flask_babel import force_locale

DATA = {"name": "<b>", "chosen": {"year": 2026}}


@pytest.fixture(autouse=True)
def _in_a_request(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        yield


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ _('Subscriptions') }}", "Abonnements"),
        ("{{ _('100 %% & more') }}", "100 % & more"),
        ("{{ _('no such sentence & %(name)s', name=name) }}", "no such sentence & &lt;b&gt;"),
        ("{{ _('Error:') ~ ' < ' ~ _('A & b') }}", "Erreur\u00a0: &lt; A & b"),
        ("{{ url_for('billing.invoices') }}", "/billing/invoices"),
        ("{{ url_for('billing.invoices', status='paid') }}", "/billing/invoices?status=paid"),
        ("{{ url_for('billing.invoices', status='paid', **chosen) }}", "/billing/invoices?status=paid&amp;year=2026"),
        ("{{ url_for('billing.invoices', search=name) }}", "/billing/invoices?search=%3Cb%3E"),
    ],
)
def test_a_constant_part_is_what_it_would_be_at_each_request(source: str, shown: str) -> None:
    with force_locale("fr"):
        assert render_template_string("{% set x = 1 %}" + source, **DATA) == shown


def test_each_language_has_its_own_templates() -> None:
    for locale, title in (("fr", "Abonnements"), ("en", "Subscriptions"), ("fr", "Abonnements")):
        with force_locale(locale):
            assert render_template_string("{{ _('Subscriptions') }} {{ language() }}") == f"{title} {locale}"
