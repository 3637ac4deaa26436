"""`flask doctor` and outside services, each of which answers or is silent."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from tests.servers.mailserver import Post, running
from tests.servers.stripe_server import Stripe
from tests.servers.tenantserver import KEY, Tenant, people, serving
from tests.support.faces import provider
from tests.support.outgoing import mails_to
from webapp.adapters.qlik_cloud import QlikCloud
from webapp.operation import doctor
from webapp.ports import ports
from webapp.sandbox import scenarios


def said(part: str) -> str:
    return dict(doctor.CHECKS)[part]() or ""


@pytest.mark.parametrize(
    ("how", "sentence"),
    [("", ""), ("401", "Stripe refuses STRIPE_SECRET_KEY: copy it again"), ("500", "check that STRIPE_API_URL is")],
)
def test_the_key_of_stripe_is_tried(stripe_app: Flask, stripe: Stripe, how: str, sentence: str) -> None:
    if how:
        stripe.fail(how, times=5)
    assert said("payment gateway").startswith(sentence) or sentence in said("payment gateway")


def test_the_mail_server_is_greeted(app: Flask) -> None:
    with running(Post()) as port:
        mails_to(app, f"smtp://localhost:{port}")
        assert said("mail server") == ""
    assert said("mail server").startswith("SMTP_URL: the mail server was not reached")


def test_the_provider_is_asked_for_its_description(app: Flask) -> None:
    with provider(app, "http://127.0.0.1:9"):  # nothing listens there
        assert said("sign-in provider") == (
            "OIDC_ISSUER (http://127.0.0.1:9) does not describe itself (unreachable): check it."
        )
    assert said("sign-in provider") == ""


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    tenant = Tenant(people(5))
    with serving(tenant):
        yield tenant


@pytest.mark.parametrize(("key", "sentence"), [(KEY, ""), ("wrong", "Check QLIK_API_KEY")])
def test_a_tenant_is_asked_for_its_users(stripe_app: Flask, tenant: Tenant, key: str, sentence: str) -> None:
    scenarios.make("business")
    directory = QlikCloud({"": key}, ports().clock, origin=tenant.url)
    stripe_app.extensions["ports"] = replace(ports(), directory=directory)
    assert sentence in said("tenant directory")
    assert bool(said("tenant directory")) == bool(sentence)


def test_secrets_of_apps_that_no_key_opens_are_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    scenarios.make("two-factor")
    assert said("second factors") == ""
    before = app.config["SECRET_KEY"]
    monkeypatch.setitem(app.config, "SECRET_KEY", "another key, of thirty-two letters")
    assert said("second factors").startswith("1 authenticator apps cannot be read with SECRET_KEY")
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [before])
    assert said("second factors") == ""
