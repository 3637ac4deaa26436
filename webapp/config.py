"""Settings from the environment. A wrong setting is reported in one sentence, not a traceback."""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .domain import access
from .mail_server import LOOPBACK, parse_relay, parse_sender
from .misconfigured import Misconfigured as Misconfigured
from .misconfigured import default_if_wrong

LOCALES = ("fr", "en")
PACKAGE = Path(__file__).resolve().parent
# The directory of templates/ and static/: the package if it is installed, else the checkout.
ROOT = PACKAGE if (PACKAGE / "templates").is_dir() else PACKAGE.parent


COMMAND = "my-qlik-portal" if ROOT == PACKAGE else "flask --app webapp"  # the one that is installed
SECRETS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "DATABASE_URL",
    "SMTP_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "QLIK_API_KEY",
    "QLIK_CLIENT_SECRET",
    "OIDC_CLIENT_SECRET",
    "METRICS_TOKEN",
)
SHORTEST_KEY = 32  # characters
SHORTEST_TOKEN = 16


def _secret(name: str) -> str:
    """A setting of SECRETS: its value, or what is in the file that NAME_FILE names."""
    return default_if_wrong("", lambda: _read_secret(name))


def _read_secret(name: str) -> str:
    given, file = os.environ.get(name, ""), os.environ.get(f"{name}_FILE", "")
    if not file:
        return given
    if given:
        raise Misconfigured(f"Both {name} and {name}_FILE are set: unset one of them.")
    try:
        found = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "it is not text"
        raise Misconfigured(f"{name}_FILE ({file}) cannot be read: {reason}.") from None
    if not found:
        raise Misconfigured(f"{name}_FILE ({file}) is empty.")
    return found


def signing_keys(config: Mapping[str, Any]) -> list[str]:
    """The keys that verify what was signed, the old ones first: the last one signs."""
    return [*(config["SECRET_KEY_FALLBACKS"] or []), config["SECRET_KEY"]]


def _secret_key(instance: Path, sandbox: bool) -> str:
    """SECRET_KEY. The sandbox makes one if it is not set, and stores it in a file."""
    try:
        instance.mkdir(parents=True, exist_ok=True)
        return _kept_secret_key(instance, sandbox)
    except OSError as fault:
        raise Misconfigured(f"INSTANCE_DIR ({instance}) cannot be written: {fault.strerror}.") from fault


def _kept_secret_key(instance: Path, sandbox: bool) -> str:
    secret_key = _read_secret("SECRET_KEY")
    if secret_key:
        return secret_key
    if not sandbox:
        raise Misconfigured("SECRET_KEY is not set: outside the sandbox, set it to a long random string.")
    path = instance / "secret_key"
    try:
        with path.open("x") as file:
            file.write(secrets.token_hex(32))
        path.chmod(0o600)
    except FileExistsError:
        pass
    return path.read_text()


def _trusted_hosts(setting: str, host: str) -> list[str] | None:
    """The host names that the portal answers to; None for any. By default loopback names, if it listens there."""
    if setting:
        return setting.replace(",", " ").split()
    return ["localhost", "127.0.0.1", "[::1]"] if host in LOOPBACK else None


def _public_url(setting: str, host: str, port: str) -> str:
    """The address that links in mails begin with, without a final slash."""
    if not setting:
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        parts = urlsplit(setting)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or parts.port is None)
    except ValueError:
        is_valid = False
    if not is_valid or re.search(r"[\s?#@]", setting):
        raise Misconfigured(
            f"PUBLIC_URL ({setting}) is not an http or https address such as https://my-qlik.example.test."
        )
    return setting.rstrip("/")


def _identity(public_url: str) -> dict[str, Any]:
    """The settings of sign-in. If PUBLIC_URL is https, cookies are sent over https only, and to this host only."""
    env, secure = os.environ, public_url.startswith("https:")
    longest_idle = access.SESSION_LIFETIME // timedelta(minutes=1)
    return {
        "OIDC_ISSUER": env.get("OIDC_ISSUER", "").rstrip("/"),
        "OIDC_CLIENT_ID": env.get("OIDC_CLIENT_ID", ""),
        "OIDC_CLIENT_SECRET": _secret("OIDC_CLIENT_SECRET"),
        "OIDC_NAME": env.get("OIDC_NAME") or urlsplit(env.get("OIDC_ISSUER", "")).hostname or "",
        "LOCAL_PASSWORDS": env["LOCAL_PASSWORDS"] == "1" if env.get("LOCAL_PASSWORDS") else None,
        "SESSION_IDLE_MINUTES": _whole_number("SESSION_IDLE_MINUTES", "60", 1, longest_idle),
        "TRUSTED_PROXIES": _whole_number("TRUSTED_PROXIES", "0", 0, 9),
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_NAME": "__Host-my_qlik" if secure else "my_qlik",
    }


def _whole_number(name: str, default: str, least: int, most: int) -> int:
    return default_if_wrong(int(default), lambda: _read_whole_number(name, os.environ.get(name, default), least, most))


def _read_whole_number(name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not least <= int(text) <= most:
        raise Misconfigured(f"{name} ({text}) is not a whole number from {least} to {most}.")
    return int(text)


def from_environment() -> dict[str, Any]:
    """The settings, each described in docs/operate.md."""
    env = os.environ
    instance = Path(env.get("INSTANCE_DIR", (Path.cwd() if ROOT == PACKAGE else ROOT) / "instance"))
    sandbox = env.get("SANDBOX", "0") == "1"
    secret_key = default_if_wrong("", lambda: _secret_key(instance, sandbox))
    host, port = env.get("HOST", "127.0.0.1"), env.get("PORT", "8000")
    public_url = default_if_wrong(
        _public_url("", host, port), lambda: _public_url(env.get("PUBLIC_URL", ""), host, port)
    )
    return {
        **_identity(public_url),
        "SANDBOX": sandbox,
        "INSTANCE_DIR": str(instance),
        "SECRET_KEY": secret_key,
        "SECRET_KEY_FALLBACKS": _secret("SECRET_KEY_FALLBACKS").replace(",", " ").split(),
        "SQLALCHEMY_DATABASE_URI": _secret("DATABASE_URL") or f"sqlite:///{instance / 'portal.sqlite3'}",
        "DATABASE_POOLER": env.get("DATABASE_POOLER", "0") == "1",
        "TRUSTED_HOSTS": _trusted_hosts(env.get("TRUSTED_HOSTS", ""), env.get("HOST", "127.0.0.1")),
        "PUBLIC_URL": public_url,
        "USER_ADMINISTRATION_URL": env.get(
            "USER_ADMINISTRATION_URL", "/sandbox/tenants/{tenant}" if sandbox else "https://{tenant}/console/users"
        ),
        "ACCESSIBILITY_EMAIL": env.get("ACCESSIBILITY_EMAIL", "accessibility@example.test" if sandbox else ""),
        "FONTS_DIR": env.get("FONTS_DIR", ""),
        "SMTP_URL": _secret("SMTP_URL"),
        "MAIL_FROM": env.get("MAIL_FROM", "My Qlik <my-qlik@example.test>" if sandbox else ""),
        "QLIK_API_KEY": _secret("QLIK_API_KEY"),
        "QLIK_API_URL": env.get("QLIK_API_URL", "https://{tenant}"),
        "QLIK_CLIENT_ID": env.get("QLIK_CLIENT_ID", ""),
        "QLIK_CLIENT_SECRET": _secret("QLIK_CLIENT_SECRET"),
        "QLIK_COUNT_BOTS": env.get("QLIK_COUNT_BOTS", "0") == "1",
        "KEEP_QUOTES_DAYS": _whole_number("KEEP_QUOTES_DAYS", "30", 1, 9999),
        "KEEP_MAIL_DAYS": _whole_number("KEEP_MAIL_DAYS", "90", 1, 9999),
        "KEEP_CASES_YEARS": _whole_number("KEEP_CASES_YEARS", "5", 1, 99),
        "KEEP_ACTIVITY_YEARS": _whole_number("KEEP_ACTIVITY_YEARS", "10", 1, 99),
        "KEEP_SECURITY_YEARS": _whole_number("KEEP_SECURITY_YEARS", "1", 1, 99),
        "LOG_FORMAT": env.get("LOG_FORMAT", "text" if sandbox else "json"),
        "METRICS_TOKEN": _secret("METRICS_TOKEN"),
        "REQUEST_ID_HEADER": env.get("REQUEST_ID_HEADER", ""),
        "GATEWAY": env.get("GATEWAY", "sandbox"),
        "GATEWAY_ORIGIN": env.get("GATEWAY_ORIGIN", ""),
        "STRIPE_SECRET_KEY": _secret("STRIPE_SECRET_KEY"),
        "STRIPE_WEBHOOK_SECRET": _secret("STRIPE_WEBHOOK_SECRET"),
        "STRIPE_API_URL": env.get("STRIPE_API_URL", "https://api.stripe.com"),
    }


DEMO_EMAIL, DEMO_PASSWORD = "camille.martin@example.test", "my-qlik-demo"

DEFAULTS: dict[str, Any] = {
    "WORKER_THREADS": 0,  # of a web process
    "LOCK_SECONDS": 10,  # that a statement waits for a lock of the database
    "MAX_CONTENT_LENGTH": 64 * 1024,
    "MAX_FORM_MEMORY_SIZE": 64 * 1024,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SEND_FILE_MAX_AGE_DEFAULT": 31536000,
    "WTF_CSRF_TIME_LIMIT": None,
    "BABEL_DEFAULT_LOCALE": "fr",
    "COMPRESS_MIN_SIZE": 1500,
    "COMPRESS_ALGORITHM": ["br", "gzip"],
    "COMPRESS_BR_LEVEL": 9,
}


def _secret_key_faults(config: Mapping[str, Any]) -> Iterator[str]:
    if not config["SANDBOX"] and 0 < len(config["SECRET_KEY"]) < SHORTEST_KEY:
        yield (
            f"SECRET_KEY is shorter than {SHORTEST_KEY} characters: set it to what `openssl rand -hex 32` prints. "
            "Put the old key into SECRET_KEY_FALLBACKS, so that nobody is signed out."
        )


def _mail_faults(config: Mapping[str, Any]) -> Iterator[str]:
    if not config["SMTP_URL"] and not config["SANDBOX"]:
        yield ("SMTP_URL is not set: outside the sandbox, set it to the mail server's address.")
    if config["SMTP_URL"]:
        try:
            parse_relay(config["SMTP_URL"])
            parse_sender(config["MAIL_FROM"])
        except ValueError as fault:
            yield str(fault)  # the cause may contain the password


def _directory_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """The credentials for Qlik Cloud, which the sandbox does not need."""
    key, client, secret = (bool(config[f"QLIK_{name}"]) for name in ("API_KEY", "CLIENT_ID", "CLIENT_SECRET"))
    if client != secret or key == client:
        yield (
            "Set QLIK_API_KEY, or QLIK_CLIENT_ID and QLIK_CLIENT_SECRET, and not both: "
            "outside the sandbox, the tenants are asked for their active users."
        )
    if config["QLIK_API_KEY"].startswith("{"):
        try:
            keys = json.loads(config["QLIK_API_KEY"])
        except ValueError:
            keys = {"": None}
        if not all(tenant and isinstance(key, str) and key for tenant, key in keys.items()):
            yield ('QLIK_API_KEY is not a key, nor a JSON object such as {"acme.eu.qlikcloud.com": "key"}.')
    if _sent_in_clear(config["QLIK_API_URL"].replace("{tenant}", "tenant")):
        yield f"QLIK_API_URL ({config['QLIK_API_URL']}) is not https: the key would be sent in clear."


def _identity_faults(config: Mapping[str, Any]) -> Iterator[str]:
    issuer = config["OIDC_ISSUER"]
    if not issuer:
        if config["LOCAL_PASSWORDS"] is False:
            yield ("LOCAL_PASSWORDS is not 1 and OIDC_ISSUER is not set: nobody could sign in. Set one.")
        return
    address = urlsplit(issuer)
    is_local = address.hostname in LOOPBACK
    if not address.hostname or address.scheme not in ("https", "http") or (address.scheme == "http" and not is_local):
        yield (f"OIDC_ISSUER ({issuer}) is not an https address such as https://id.example.test.")
    if config["SANDBOX"] and not is_local:
        yield (f"SANDBOX=1 with OIDC_ISSUER={issuer}: the sandbox asks no provider but one on loopback.")
    for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"):
        if not config[name]:
            yield (f"{name} is not set: the provider at OIDC_ISSUER gives it with the client.")


def _sent_in_clear(address: str) -> bool:
    """Whether what is sent there could be read on its way."""
    url = urlsplit(address)
    return url.scheme != "https" and url.hostname not in LOOPBACK


GATEWAY_PAGES = {"stripe": "https://checkout.stripe.com https://hooks.stripe.com"}  # origins that forms may redirect to


def _gateway_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """The settings of the real gateway. No sentence repeats a secret."""
    if config["GATEWAY"] not in GATEWAY_PAGES:
        yield (
            f"GATEWAY is {config['GATEWAY']} and SANDBOX is not 1: set GATEWAY=stripe, or SANDBOX=1 to try the portal."
        )
    if not re.fullmatch(r"(sk|rk)_\w{5,}", config["STRIPE_SECRET_KEY"], re.ASCII):
        yield (
            "STRIPE_SECRET_KEY is not set or not a secret key: copy the one that begins with sk_ (or rk_, where it is "
            "restricted) from Stripe's dashboard, Developers, API keys."
        )
    if not re.fullmatch(r"whsec_\S{5,}", config["STRIPE_WEBHOOK_SECRET"], re.ASCII):
        yield (
            "STRIPE_WEBHOOK_SECRET is not set or not a signing secret: copy the one that begins with whsec_ from "
            f"Stripe's dashboard, Developers, Webhooks, of the endpoint {config['PUBLIC_URL']}/webhooks/stripe."
        )
    if _sent_in_clear(config["STRIPE_API_URL"]):
        yield (f"STRIPE_API_URL ({config['STRIPE_API_URL']}) is not https: the key would be sent in clear.")
    if os.environ.get("STRIPE_LOG"):
        yield ("STRIPE_LOG makes Stripe's library print all that it sends and receives: unset it.")


def faults(config: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the settings, or contradicts: a sentence for each."""
    if config["FONTS_DIR"] and not Path(config["FONTS_DIR"]).is_dir():
        yield f"FONTS_DIR ({config['FONTS_DIR']}) is not a folder."
    if config["LOG_FORMAT"] not in ("json", "text"):
        yield f"LOG_FORMAT ({config['LOG_FORMAT']}) is neither json nor text."
    if config["METRICS_TOKEN"] and len(config["METRICS_TOKEN"]) < SHORTEST_TOKEN:
        yield f"METRICS_TOKEN is shorter than {SHORTEST_TOKEN} characters: set it to a longer one."
    yield from _secret_key_faults(config)
    yield from _identity_faults(config)
    if config["SANDBOX"] and config["GATEWAY"] != "sandbox":
        yield f"SANDBOX=1 with GATEWAY={config['GATEWAY']}: the sandbox never runs on a real gateway. Unset one."
    if not config["SANDBOX"]:
        yield from _gateway_faults(config)
        yield from _directory_faults(config)
    yield from _mail_faults(config)


def check(config: Mapping[str, Any]) -> None:
    """Raises Misconfigured for the first setting that is wrong."""
    for fault in faults(config):
        raise Misconfigured(fault)
