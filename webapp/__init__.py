"""My Qlik portal. `create_app` wires the parts together: nothing else chooses an adapter."""

from dataclasses import replace
from functools import cache
from typing import Any, cast

from babel import Locale
from flask import Flask, abort, g, request
from flask_babel import Babel
from flask_compress import Compress
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from . import (
    assets,
    config,
    db,
    formats,
    guard,
    headers,
    locale_cookie,
    misconfigured,
    models,
    operation,
    private_files,
    sandbox,
    urls,
    views,
)
from .access import permission, post_limits, provider, recognition, step_up
from .adapters.smtp import Smtp
from .invoices import wording
from .mail_server import parse_relay
from .operation import health, logs
from .operation import metrics as scraping
from .portal import Portal
from .ports import (
    Clock,
    DirectoryUnavailable,
    GatewaySilent,
    OutcomeUnknown,
    PaymentGateway,
    Ports,
    TenantDirectory,
)
from .sentences import amounts, declines
from .views import errors, webhooks
from .words import language

__all__ = ["create_app", "models"]

csrf = CSRFProtect()


def create_app(settings: dict[str, Any] | None = None) -> Flask:
    """The application. `settings` override those of the environment."""
    private_files.begin()
    app = Portal(__name__, template_folder=config.ROOT / "templates", static_folder=config.ROOT / "static")
    app.config.from_mapping(config.DEFAULTS)
    _read_settings(app, settings or {})
    private_files.tighten(app.config)
    app.config["WTF_CSRF_SECRET_KEY"] = config.signing_keys(app.config)

    app.url_map.merge_slashes = False  # the redirect that it makes begins with whatever host name was asked for
    app.extensions["make_app"] = create_app  # for a command that works in several processes
    db.init(app)
    logs.init(app)
    app.before_request(health.answer)
    scraping.init(app)
    Compress(app)
    Babel(
        app,
        locale_selector=lambda: _locale(choose_locale()),
        default_translation_directories=str(config.PACKAGE / "translations"),
    )
    app.before_request(_refuse_bodies_of_unknown_size)
    app.before_request(recognition.require_sign_in)
    permission.init(app)
    csrf.init_app(app)
    app.before_request(app.reuse_form_token)
    post_limits.init(app)
    step_up.init(app)
    app.extensions["ports"] = choose_adapters(app)
    provider.init(app)
    guard.register(app, guard.ARCHIVES, (), guard.Busy)
    if proxies := app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    _register_pages(app)
    operation.register(app)
    _prepare_templates(app)
    headers.init(app)
    locale_cookie.init(app, config.LOCALES)
    assets.init(app)
    return app


def _read_settings(app: Flask, settings: dict[str, Any]) -> None:
    """Raises Misconfigured. But some commands work with any settings: `doctor` tells all that are wrong."""
    if not misconfigured.is_tolerant():
        app.config.from_mapping(config.from_environment())
        app.config.from_mapping(settings)
        config.check(app.config)
        return
    with misconfigured.collecting() as faults:
        app.config.from_mapping(config.from_environment())
    app.config.from_mapping(settings)
    faults += config.faults(app.config)
    if fault := db.address_fault(app.config["SQLALCHEMY_DATABASE_URI"]):
        faults.append(fault)
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    misconfigured.tolerated(app.config, faults)


def choose_locale() -> str:
    """The language of the open page, else the one chosen here or elsewhere, else the browser's; French first."""
    member = g.get("member") or g.get("halfway")
    wished = g.get("page_locale") or locale_cookie.chosen() or (member and member.locale)
    return wished if wished in config.LOCALES else request.accept_languages.best_match(config.LOCALES) or "fr"


_locale = cache(Locale.parse)


def choose_adapters(app: Flask) -> Ports:
    """The adapters that the settings ask for. Mail is sent wherever SMTP_URL is set, in the sandbox too."""
    settings = app.config
    if settings["SANDBOX"]:
        ports = sandbox.adapters(app)
    else:
        ports = _guarded(_real_adapters(settings), settings["WORKER_THREADS"])
    if settings["SMTP_URL"]:
        ports = replace(ports, mailer=Smtp(parse_relay(settings["SMTP_URL"]), settings["MAIL_FROM"]))
    return ports


def _real_adapters(settings: dict[str, Any]) -> Ports:
    """Imported here, because the sandbox needs none of their libraries."""
    from .adapters.clock import MachineClock
    from .adapters.stripe.gateway import StripeGateway

    clock = MachineClock()
    keys = settings["STRIPE_SECRET_KEY"], settings["STRIPE_WEBHOOK_SECRET"]
    gateway = StripeGateway(*keys, settings["STRIPE_API_URL"])
    return Ports(gateway, tenant_directory(settings, clock), clock, gateway_events=gateway)


def _guarded(ports: Ports, threads: int) -> Ports:
    """In a web process, a silent service occupies only some of the threads. No web process sends mail."""
    if not threads:
        return ports
    most = guard.allowed_to_wait(threads)
    gateway = guard.Guard("the payment gateway", most, (GatewaySilent,), OutcomeUnknown)
    directory = guard.Guard("the tenant directory", most, (DirectoryUnavailable,), DirectoryUnavailable)
    return replace(
        ports,
        gateway=cast(PaymentGateway, guard.Guarded(ports.gateway, gateway)),
        directory=cast(TenantDirectory, guard.Guarded(ports.directory, directory, lambda tenant: str(tenant))),
    )


def tenant_directory(settings: dict[str, Any], clock: Clock) -> TenantDirectory:
    from .adapters.qlik_cloud import QlikCloud, credentials_of

    credentials, count_bots, origin = credentials_of(settings), settings["QLIK_COUNT_BOTS"], settings["QLIK_API_URL"]
    return QlikCloud(credentials, clock, count_bots=count_bots, origin=origin)


def _refuse_bodies_of_unknown_size() -> None:
    """A chunked body would be cut at the limit and mistaken for a whole one."""
    if "Transfer-Encoding" in request.headers:
        abort(411)


def _register_pages(app: Flask) -> None:
    views.register(app)
    if app.config["SANDBOX"]:
        sandbox.register(app, csrf)
    if app.config["GATEWAY"] == "stripe":
        csrf.exempt(webhooks.blueprint)
        app.register_blueprint(webhooks.blueprint)
    errors.register(app)


def _prepare_templates(app: Flask) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(formats.FILTERS, decline=declines.decline)
    app.jinja_env.globals.update(
        language=language,
        ngettext=formats.ngettext,
        card_name=formats.card_name,
        line_words=wording.line_words,
        tax_name=wording.tax_name,
        total_label=amounts.total_label,
        vat_included=amounts.vat_included,
    )
    urls.init(app)
