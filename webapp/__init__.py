"""My Qlik portal. `create_app` is the only place that chooses adapters, from `webapp.adapters`."""

import hashlib
from functools import cache
from importlib import import_module
from typing import Any

import brotli
from flask import Flask, Response, abort, current_app, g, request, url_for
from flask_babel import Babel
from flask_compress import Compress
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from . import adapters, auth, cli, config, db, formats, guard, health, logs, models, sandbox, sentences, sso
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
    guard.register(app, guard.ARCHIVES, (), guard.Busy)
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
    app.after_request(_press)
    return app


def _refuse_bodies_of_unknown_size() -> None:
    """A chunked body would be cut at the limit and taken for whole."""
    if "Transfer-Encoding" in request.headers:
        abort(411)


def _prepare_templates(app: Flask) -> None:
    app.jinja_env.filters.update(formats.FILTERS, decline=sentences.decline)

    @cache
    def version(filename: str) -> str:
        return hashlib.sha256((config.ROOT / "static" / filename).read_bytes()).hexdigest()[:12]

    def static_url(filename: str) -> str:
        """A file's address changes with its content, so that browsers keep it for a year."""
        return url_for("static", filename=filename, v=version(filename))

    def users_url(subscription: models.Subscription) -> str:
        """Where the users of its tenant are administered."""
        return str(app.config["USER_ADMINISTRATION_URL"].format(tenant=subscription.tenant))

    app.jinja_env.globals.update(
        users_url=users_url, static_url=static_url, language=formats.language, ngettext=formats.ngettext,
        card_name=formats.card_name,
    )  # fmt: skip


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


def _press(response: Response) -> Response:
    """A static file is read and closed here (Flask-Compress leaves it open), and compressed as far as it goes."""
    if request.endpoint == "static" and response.status_code == 200:
        response.direct_passthrough = False
        whole = response.get_data()
        response.vary.add("Accept-Encoding")
        for needless in ("Accept-Ranges", "Content-Disposition", "ETag", "Expires", "Last-Modified"):
            response.headers.pop(needless, None)  # 200 bytes of each file, whose address changes with it
        if request.path.endswith("/worker.js"):
            response.headers["Service-Worker-Allowed"] = "/"
        if request.accept_encodings.best_match(["br"]):
            response.set_data(_pressed(whole))
            response.content_encoding = "br"
    return response


@cache
def _pressed(whole: bytes) -> bytes:
    return brotli.compress(whole)


def _gateway_origin() -> str:
    settings = current_app.config
    return str(settings["GATEWAY_ORIGIN"] or config.GATEWAY_PAGES.get(settings["GATEWAY"], ""))
