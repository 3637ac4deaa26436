"""My Qlik portal. `create_app` is the only place that chooses adapters, from `webapp.adapters`."""

from importlib import import_module
from typing import Any

from flask import Flask, Response, abort, current_app, g, request
from flask_babel import Babel
from flask_compress import Compress
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from . import (
    adapters,
    assets,
    auth,
    cli,
    config,
    db,
    formats,
    health,
    links,
    logs,
    models,
    sandbox,
    sentences,
    sso,
    wording,
)
from .views import errors, webhooks

__all__ = ["create_app", "models"]

PAGES = (
    "sign_in", "sso", "passwords", "sessions", "preferences", "subscriptions", "manage", "renew", "add", "reduce",
    "cancel", "undo", "purchase", "billing", "billing_info", "cards", "contact", "activity", "active_users",
    "accessibility", "offline",
)  # fmt: skip
csrf = CSRFProtect()


def choose_locale() -> str:
    """What the page was opened in, was chosen here or elsewhere, or the browser asks for; French first."""
    owner = g.get("owner")
    wished = g.get("page_locale") or request.cookies.get("locale") or (owner and owner.locale)
    return wished if wished in config.LOCALES else request.accept_languages.best_match(config.LOCALES) or "fr"


def create_app(settings: dict[str, Any] | None = None) -> Flask:
    """The application. `settings` are laid over those of the environment."""
    app = Flask(__name__, template_folder=config.ROOT / "templates", static_folder=config.ROOT / "static")
    app.config.from_mapping(config.DEFAULTS)
    app.config.from_mapping(config.from_environment())
    app.config.from_mapping(settings or {})
    config.check(app.config)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    db.init(app)
    logs.init(app)
    app.before_request(health.answer)
    Compress(app)
    Babel(app, locale_selector=choose_locale, default_translation_directories=str(config.PACKAGE / "translations"))
    app.before_request(_refuse_bodies_of_unknown_size)
    app.before_request(auth.identify)
    csrf.init_app(app)
    app.extensions["ports"] = adapters.chosen(app)
    sso.init(app)
    if proxies := app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    for name in PAGES:
        app.register_blueprint(import_module(f".views.{name}", __name__).blueprint)
    if app.config["SANDBOX"]:
        sandbox.register(app, csrf)
    if app.config["GATEWAY"] == "stripe":
        csrf.exempt(webhooks.blueprint)
        app.register_blueprint(webhooks.blueprint)
    errors.register(app)
    cli.register(app)
    _prepare_templates(app)
    app.after_request(_protect)
    assets.init(app)
    return app


def _refuse_bodies_of_unknown_size() -> None:
    """A chunked body would be cut at the limit and taken for whole."""
    if "Transfer-Encoding" in request.headers:
        abort(411)


def _prepare_templates(app: Flask) -> None:
    app.jinja_env.filters.update(formats.FILTERS, decline=sentences.decline)

    app.jinja_env.globals.update(
        language=formats.language, ngettext=formats.ngettext, card_name=formats.card_name,
        line_words=wording.line_words, tax_name=wording.tax_name,
    )  # fmt: skip
    links.init(app)


def _protect(response: Response) -> Response:
    """Headers of every answer; a view may set a policy of its own (the sandbox gateway's pages do)."""
    origin, frames = g.get("form_origin") or f"{_gateway_origin()} {sso.form_origin()}".strip(), g.get("frames")
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            f"form-action 'self'{origin and ' ' + origin}; base-uri 'none'; frame-ancestors 'none'"
            f"{(frames and '; frame-src ' + frames) or ''}"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if current_app.config["PUBLIC_URL"].startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static" or response.status_code >= 400:  # an error's page names the owner
        response.headers["Cache-Control"] = "no-store"
    return response


def _gateway_origin() -> str:
    settings = current_app.config
    return str(settings["GATEWAY_ORIGIN"] or config.GATEWAY_PAGES.get(settings["GATEWAY"], ""))
