"""« Confirmez que c’est bien vous »: asks for the password or a factor, then carries out the form that waits for it."""

from io import BytesIO
from urllib.parse import unquote, unquote_to_bytes, urlencode, urlsplit

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from .. import formats
from ..access import local_passwords, passkeys, provider, second_factor, step_up
from ..access.identity import me, needs
from ..access.step_up import Held
from ..domain.permissions import Procedure
from ..purchases import quotes
from ..sentences.labels import WAITING
from ..words import gettext, lazy_gettext
from .forms import CodeForm, PortalForm, wrong_code

blueprint = Blueprint("step_up", __name__, url_prefix="/confirm/<held_id>")
needs(Procedure.OWN)(blueprint)


class PasswordForm(PortalForm):
    password = PasswordField(
        lazy_gettext("Password"),
        [InputRequired(lazy_gettext("Enter your password.")), Length(max=200)],
        render_kw={"autocomplete": "current-password"},
    )


@blueprint.get("")
def page(held_id: str) -> ResponseReturnValue:
    return _page(held_id, PortalForm(formdata=None))


@blueprint.post("")
def go_on(held_id: str) -> ResponseReturnValue:
    """After a proof at the provider, or in another tab: nothing is asked, and nothing typed."""
    if not step_up.is_proven(me()):
        return redirect(url_for("step_up.page", held_id=held_id), 303)
    return _carry_out(held_id)


@blueprint.post("/password")
def by_password(held_id: str) -> ResponseReturnValue:
    form = PasswordForm()
    if not form.validate():
        return _page(held_id, form, 422)
    step_up.find(me(), held_id)
    if not step_up.by_password(me(), form.password.data or ""):
        form.password.errors = [gettext("This is not your password.")]
        return _page(held_id, form, 422)
    return _carry_out(held_id)


@blueprint.post("/code")
def by_code(held_id: str) -> ResponseReturnValue:
    form = CodeForm()
    if not form.validate():
        return _page(held_id, form, 422)
    step_up.find(me(), held_id)
    if not step_up.by_app(me(), form.code.data or ""):
        form.code.errors = [wrong_code()]
        return _page(held_id, form, 422)
    return _carry_out(held_id)


@blueprint.post("/passkey")
def by_passkey(held_id: str) -> ResponseReturnValue:
    step_up.find(me(), held_id)
    if not step_up.by_passkey(me(), request.form.get("credential", "")):
        return _page(held_id, PortalForm(formdata=None), 422, gettext("This passkey was not accepted."))
    return _carry_out(held_id)


def _carry_out(held_id: str) -> ResponseReturnValue:
    """Answers the form that was held as if it had been sent now: each check is made again, and its view answers."""
    held = step_up.take(me(), held_id)
    request_ctx.request = current_app.request_class(_environment(held))
    request_ctx.url_adapter = current_app.create_url_adapter(request_ctx.request)
    request_ctx.match_request()
    answer = current_app.preprocess_request()
    return answer if answer is not None else current_app.dispatch_request()


def _environment(held: Held) -> dict[str, object]:
    """That of this request, with the address, the fields and the page of the held form; the answer is a whole page."""
    parts = urlsplit(held.path)
    body = urlencode([*((name, text) for name, text in held.fields), ("csrf_token", generate_csrf())]).encode()
    kept = {
        name: value
        for name, value in request.environ.items()
        if not name.startswith(("HTTP_HX_", "werkzeug.", "flask."))
        and name not in ("HTTP_REFERER", "HTTP_CONTENT_TYPE")
    }
    referrer = {"HTTP_REFERER": f"{request.scheme}://{request.host}{held.page}"} if held.page else {}
    return {
        **kept,
        **referrer,
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),  # as WSGI wants it
        "QUERY_STRING": parts.query,
        "REQUEST_URI": held.path,
        "RAW_URI": held.path,
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }


def _what_waits(held: Held) -> str:
    """What the form that waits will do: of a payment, its amount and card."""
    adapter = current_app.create_url_adapter(request_ctx.request)
    if adapter is None:
        raise RuntimeError("there is no request")
    endpoint, values = adapter.match(unquote(urlsplit(held.path).path), method="POST")
    if endpoint != step_up.PAY:
        return str(WAITING[endpoint.partition(".")[0]])
    quote = quotes.load_quote(me().account_id, values["subscription_id"], values["quote_id"])
    total, product = formats.money(quote.total, quote.currency), quote.subscription.product
    if quote.card is None:
        return gettext("Payment of %(total)s for %(product)s", total=total, product=product)
    card = formats.card_name(quote.card.brand, quote.card.last4)
    return gettext("Payment of %(total)s for %(product)s, by %(card)s", total=total, product=product, card=card)


def _page(held_id: str, form: PortalForm, status: int = 200, refused: str = "") -> ResponseReturnValue:
    held, factors = step_up.find(me(), held_id), second_factor.of_member(me())
    is_proven, local = step_up.is_proven(me()), local_passwords.are_on()
    return render_template(
        "step-up/page.html",
        held_id=held_id,
        what=_what_waits(held),
        back=held.page or url_for("subscriptions.index"),
        form=form,
        refused=refused,
        proven=is_proven,
        password=form if isinstance(form, PasswordForm) else PasswordForm(formdata=None),
        code=form if isinstance(form, CodeForm) else CodeForm(formdata=None),
        local=local,
        app=factors.app,
        passkeys=bool(factors.passkeys) and passkeys.relying_party() is not None,
        provider=provider.is_configured() and (me().by_provider or not local),
    ), status
