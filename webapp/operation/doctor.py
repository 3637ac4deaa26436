"""`flask doctor`: checks the settings and the configured outside services, and prints a line for each.

A check is a name and a function in CHECKS. The function returns None if all is well, else one sentence that names the
setting and says what to do. It runs in the application context and must not return a secret.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import or_, select, text
from stdnum.eu import vat
from stdnum.fr import siren
from werkzeug.sansio.utils import host_is_trusted

from .. import config, private_files
from ..access import local_passwords, provider, sealing
from ..db import Across, across, db
from ..invoices import issuing
from ..models.accounts import Issuer, Member
from ..models.second_factor import Totp
from ..models.subscriptions import SubscriptionRow
from ..ports import DirectoryUnavailable, Undelivered, ports
from ..purchases import hold, restores
from . import distribution, grants, health, lateness, restored, unfinished

Check = Callable[[], str | None]


def _secret_key() -> str | None:
    if len(current_app.config["SECRET_KEY"]) >= config.SHORTEST_KEY:
        return None
    return f"SECRET_KEY is shorter than {config.SHORTEST_KEY} characters: set it to what `openssl rand -hex 32` prints."


def _sealed() -> str | None:
    """The secrets of authenticator apps, which a lost SECRET_KEY makes useless."""
    if health.database_fault():
        return None
    secrets = db.session.scalars(across(select(Totp.secret).where(Totp.secret.is_not(None)), Across.DOCTOR)).all()
    db.session.rollback()
    lost = sum(sealing.unseal(secret or "") is None for secret in secrets)
    if not lost:
        return None
    return (
        f"{lost} authenticator apps cannot be read with SECRET_KEY: put the key that was there before into "
        "SECRET_KEY_FALLBACKS, or reset the factors of their members (reset-factor)."
    )


def _modes() -> str | None:
    loose = private_files.list_loose(current_app.config)
    return f"Others can read {', '.join(map(str, loose))}: chmod 600 each." if loose else None


def _debug() -> str | None:
    return (
        "FLASK_DEBUG is on: unset it, it shows the code to visitors."
        if _is_production() and current_app.debug
        else None
    )


def _test_accounts() -> str | None:
    """Whose passwords are published, or were shown in a sandbox's panel."""
    if not _is_production() or health.database_fault():
        return None
    known = or_(Member.email == config.DEMO_EMAIL, *(Member.email.endswith(f"{sign}example.test") for sign in "@."))
    emails = db.session.scalars(across(select(Member.email).where(known), Across.DOCTOR).order_by(Member.email)).all()
    db.session.rollback()
    if not emails:
        return None
    return f"{len(emails)} owners are of the sandbox, such as {emails[0]}: this database was one's. Use a new one."


def _local_passwords() -> str | None:
    if health.database_fault() or not provider.is_configured() or current_app.config["LOCAL_PASSWORDS"] is not None:
        return None
    if not local_passwords.are_kept():
        return None
    name = current_app.config["OIDC_NAME"]
    return (
        f"LOCAL_PASSWORDS is not set, so owners can still sign in without {name}: set it to 0, or to 1 to keep it so."
    )


def _public_url() -> str | None:
    address = urlsplit(current_app.config["PUBLIC_URL"])
    if _is_production() and address.scheme != "https":
        return f"PUBLIC_URL ({address.geturl()}) does not begin with https: set it to the address that owners type."
    return None


def _trusted_hosts() -> str | None:
    trusted, host = current_app.config["TRUSTED_HOSTS"], urlsplit(current_app.config["PUBLIC_URL"]).netloc
    if trusted is None:
        return f"TRUSTED_HOSTS is not set, so any host name is answered to: set it to {host}."
    if not host_is_trusted(host, trusted):
        return f"TRUSTED_HOSTS ({' '.join(trusted)}) does not name {host}, the host of PUBLIC_URL: add it."
    return None


def _server() -> str | None:
    from .cli import roll_over
    from .serving import serve

    try:
        for command in (serve, roll_over):
            command.make_context(command.name, [])
    except click.BadParameter as fault:
        return f"{fault.param.envvar if fault.param else 'A setting'} cannot be used: {fault.message}"
    return None


def _catalogues() -> str | None:
    for catalogue in (config.PACKAGE / "translations").glob("*/LC_MESSAGES/messages.po"):
        if not catalogue.with_suffix(".mo").exists():
            return f"The {catalogue.parts[-3]} sentences are not compiled. Run: pybabel compile -d webapp/translations"
    return None


def _files() -> str | None:
    for name in ("static/css/base.css", "static/app.js", "templates/base.html"):
        if not (config.ROOT / name).exists():
            return f"{config.ROOT / name} is missing: install the portal again."
    return None


def _tenant() -> str | None:
    if "{tenant}" in current_app.config["USER_ADMINISTRATION_URL"]:
        return None
    return "USER_ADMINISTRATION_URL does not contain {tenant}, which is replaced by the tenant's name: add it."


def _accessibility() -> str | None:
    if current_app.config["ACCESSIBILITY_EMAIL"]:
        return None
    return "ACCESSIBILITY_EMAIL is not set: the accessibility statement must say where to write."


def _issuers() -> str | None:
    """The particulars of the seller that a French invoice must show (Code de commerce, art. R123-237 and R123-238)."""
    if health.database_fault():
        return None  # the check of the database reports it
    for issuer in db.session.scalars(select(Issuer).order_by(Issuer.id)):
        if not (siren.is_valid(issuer.siren) and vat.is_valid(issuer.vat_number)):
            return f"The issuer {issuer.id} has no valid SIREN or VAT number: correct the table issuer."
        if not issuer.legal_form or issuer.share_capital is None or not issuer.register:
            return f"The issuer {issuer.id} lacks legal_form, share_capital or register: correct the table issuer."
    return None


def _proxies() -> str | None:
    """Whether the portal knows its clients. It cannot see what stands before it, but TLS is never its own."""
    if not _is_production() or current_app.config["TRUSTED_PROXIES"]:
        return None
    if urlsplit(current_app.config["PUBLIC_URL"]).scheme != "https":
        return None
    return (
        "PUBLIC_URL is https, so a proxy stands before the portal, but TRUSTED_PROXIES is 0: limits count all clients "
        "as one. Set it to the number of proxies."
    )


# Outside services, each called once as the portal uses it


def _gateway() -> str | None:
    return ports().gateway.fault()


def _mail() -> str | None:
    mailer = ports().mailer
    try:
        if mailer is not None:
            mailer.greet()
    except Undelivered as fault:
        return f"SMTP_URL: {fault}. Check the address, the port and the password."
    return None


def _provider() -> str | None:
    if not provider.is_configured():
        return None
    try:
        provider.check_description()
    except provider.SignInRefused as fault:
        return f"OIDC_ISSUER ({current_app.config['OIDC_ISSUER']}) does not describe itself ({fault.reason}): check it."
    return None


def _directory() -> str | None:
    if health.database_fault() or not _is_production():
        return None
    any_tenant = select(SubscriptionRow.tenant).order_by(SubscriptionRow.id).limit(1)
    tenant = db.session.scalars(across(any_tenant, Across.DOCTOR)).one_or_none()
    db.session.rollback()
    try:
        if tenant is not None:
            ports().directory.active_users(tenant)
    except DirectoryUnavailable as fault:
        return f"A tenant does not tell its users: {fault}. Check QLIK_API_KEY, or QLIK_CLIENT_ID and its secret."
    return None


def _restored_copy() -> str | None:
    if health.database_fault() or not hold.payments_held():
        return None
    return f"Payments are paused, because a copy of the database was restored. Run: {config.COMMAND} restored"


def _held_subscriptions() -> str | None:
    if health.database_fault():
        return None
    rows = restores.unreleased()
    return "Held: " + " Held: ".join(restored.described(row) for row in rows) if rows else None


def _invoice_numbers() -> str | None:
    if health.database_fault():
        return None
    missing = [f"{count} of issuer {issuer} in {year}" for issuer, year, count in issuing.missing_numbers()]
    if not missing:
        return None
    return f"Invoice numbers are missing ({', '.join(missing)}): no document has them, and none is recorded as spent."


def _lock_time() -> str | None:
    """The portal sets it for its own connections, but not through a pooler, nor on the workers of a cluster."""
    if health.database_fault() or db.engine.dialect.name != "postgresql":
        return None
    with db.engine.connect() as connection:
        times = [connection.scalar(text("SHOW lock_timeout"))]
        if distribution.citus_version(connection):
            times += connection.scalars(text("SELECT result FROM run_command_on_workers('SHOW lock_timeout')"))
        role = connection.scalar(text("SELECT current_user"))
    if "0" not in times:
        return None
    statement = f"ALTER ROLE {role} SET lock_timeout = '{round(current_app.config['LOCK_SECONDS'])}s'"
    return f"A statement may wait for a lock without end: run {statement} as a superuser, on each machine of a cluster."


def _rights() -> str | None:
    """Only outside the sandbox, where one role is enough."""
    if not _is_production() or health.database_fault() or db.engine.dialect.name != "postgresql":
        return None
    with db.engine.connect() as connection:
        tables = grants.too_open(connection)
    if not tables:
        return None
    return f"The role of DATABASE_URL may change too much ({', '.join(tables)}): run the portal as one of `grant` only."


def _is_production() -> bool:
    return not current_app.config["SANDBOX"]


CHECKS: list[tuple[str, Check]] = [
    ("secret key", _secret_key),
    ("files' modes", _modes),
    ("debugger", _debug),
    ("database", health.database_fault),
    ("database locks", _lock_time),
    ("database rights", _rights),
    ("second factors", _sealed),
    ("public address", _public_url),
    ("host names", _trusted_hosts),
    ("proxies", _proxies),
    ("server", _server),
    ("sentences", _catalogues),
    ("files", _files),
    ("tenant's users", _tenant),
    ("accessibility", _accessibility),
    ("test accounts", _test_accounts),
    ("local passwords", _local_passwords),
    ("issuers", _issuers),
    ("restored copy", _restored_copy),
    ("held", _held_subscriptions),
    ("invoice numbers", _invoice_numbers),
    ("sweep", lateness.sweep),
    ("sender of mails", lateness.sender),
    ("counts of users", lateness.counts_of_users),
    ("published prices", unfinished.prices),
    ("deactivated", unfinished.deactivated),
    ("payment gateway", _gateway),
    ("mail server", _mail),
    ("sign-in provider", _provider),
    ("tenant directory", _directory),
]


# The checks that a wrong setting makes pointless, by the beginning of what is said of it.
NEEDED = {
    "secret key": ("SECRET_KEY",),
    "database": ("DATABASE_URL",),
    "payment gateway": ("GATEWAY", "STRIPE_"),
    "mail server": ("SMTP_URL", "MAIL_FROM"),
    "sign-in provider": ("OIDC_",),
    "tenant directory": ("QLIK_", "Set QLIK_"),
}


@click.command("doctor")
@with_appcontext
def doctor() -> None:
    """Check every setting and every outside part: a line each; the status is 1 if one is at fault."""
    wrong: list[str] = current_app.config.get("FAULTS", [])
    for fault in wrong:
        click.echo(f"{'FAULT':<6}{'settings':<18}{fault}")
    if not wrong:
        click.echo(f"{'ok':<6}settings")
    fault_count = len(wrong)
    for name, check in CHECKS:
        if any(fault.startswith(NEEDED.get(name, ())) for fault in wrong):
            click.echo(f"{'-':<6}{name:<18}Not checked: its settings are wrong.")
            continue
        try:
            sentence = check()
        except Exception as error:  # counts as a fault; its message may contain a secret
            sentence = f"This could not be checked ({type(error).__name__})."
        if sentence is not None:
            fault_count += 1
        click.echo(f"{'ok' if sentence is None else 'FAULT':<6}{name:<18}{sentence or ''}".rstrip())
    if fault_count:
        raise SystemExit(1)
