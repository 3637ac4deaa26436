"""The payment pages of renew and add: card, overview, Pay, 3-D Secure and receipt."""

from contextlib import suppress

from flask import Blueprint, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs, needs_proof
from ..domain import refusals
from ..domain import seats as seat_rules
from ..domain.money import Money
from ..domain.permissions import Procedure
from ..domain.refusals import BelowActiveUsers, PeriodPaid
from ..invoices import listing
from ..models.purchases import Payment, Quote
from ..ports import OutcomeUnknown, ports
from ..purchases import cards as account_cards
from ..purchases import payments, quotes, wallet
from ..sentences.declines import decline
from ..sentences.refusals import explain
from ..subscriptions import summary
from ..urls import return_url, step_url
from ..words import gettext, language
from .errors import refused

blueprint = Blueprint(
    "purchase", __name__, url_prefix="/subscriptions/<subscription_id>/<any(renew, add):procedure>/<quote_id>"
)
needs(Procedure.CHANGE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})


@blueprint.url_value_preprocessor
def _take_procedure(_endpoint: str | None, values: dict[str, str] | None) -> None:
    """Drops the procedure in the address, because the quote says which procedure it is."""
    if values:
        values.pop("procedure", None)


def _load_quote(subscription_id: str, quote_id: str) -> Quote:
    return quotes.load_quote(me().account_id, subscription_id, quote_id)


def _load_unpaid(subscription_id: str, quote_id: str) -> Quote:
    """Raises NotFound, or PeriodPaid if another payment has paid the same period: none is to be made any more."""
    quote = _load_quote(subscription_id, quote_id)
    facts = quote.subscription.facts
    if quote.kind == "renewal" and quote.unrefused is None and quote.ordinal <= facts.last_paid:
        raise PeriodPaid(facts.paid_until)
    return quote


@blueprint.get("/payment")
def payment(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    quote = _load_unpaid(subscription_id, quote_id)
    if quote.unrefused:
        return redirect(step_url("receipt", quote), 303)
    return _payment_page(quote)


@blueprint.post("/payment")
def choose_card(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    quote = _load_unpaid(subscription_id, quote_id)
    if quote.unrefused:
        return redirect(step_url("receipt", quote), 303)
    try:
        quotes.choose_card(me().account_id, subscription_id, quote_id, request.form.get("card"))
    except (refusals.CardMissing, refusals.CardExpired) as refusal:
        quote = _load_quote(subscription_id, quote_id)
        return _payment_page(quote, refusal.status, explain(refusal, quote.subscription).sentence)
    return redirect(step_url("overview", _load_quote(subscription_id, quote_id)), 303)


@blueprint.post("/payment/new-card")
@needs_proof
def new_card(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    """« Ajouter un nouveau mode de paiement »: redirects to the gateway's card page."""
    quote = _load_unpaid(subscription_id, quote_id)
    back = return_url("billing.card_return")
    return redirect(account_cards.begin_card_setup(me().account_id, quote.id, back, language()), 303)


@blueprint.get("/overview")
def overview(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    quote = _load_unpaid(subscription_id, quote_id)
    if quote.unrefused:
        return redirect(step_url("receipt", quote), 303)
    if quote.card is None:
        return redirect(step_url("payment", quote), 303)
    return _overview_page(quote)


@blueprint.post("/pay")
def pay(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    """« Payer ». A click that is sent twice has the same number of the attempt, and pays once."""
    quote = _load_quote(subscription_id, quote_id)
    attempt = _asked_attempt(quote)
    back, card_id = step_url("authenticated", quote, external=True), request.form.get("card")
    try:
        payment = payments.pay(me().account_id, subscription_id, quote_id, attempt, back, card_id)
    except refusals.QuoteMoved as moved:
        return _overview_page(_load_quote(subscription_id, moved.fresh), moved.status, moved.changes)
    except (refusals.CardMissing, refusals.CardExpired) as refusal:
        quote = _load_quote(subscription_id, quote_id)
        return _payment_page(quote, 409, explain(refusal, quote.subscription).sentence)
    except BelowActiveUsers as refusal:  # more users became active since the quote
        return refused(refusal, 409)
    return _redirect_to_outcome(payment)


def _asked_attempt(quote: Quote) -> int:
    """The number of the attempt that the form was shown for. 400 if it skips one that was never made."""
    attempt = max(request.form.get("attempt", 1, type=int), 1)
    if quote.unrefused is None and attempt > len(quote.payments) + 1:
        abort(400)
    return attempt


def _redirect_to_outcome(payment: Payment) -> ResponseReturnValue:
    """Redirects to the page that shows the outcome, which can be reloaded."""
    quote = payment.quote
    if payment.state in ("declined", "cancelled"):
        return redirect(step_url("payment", quote), 303)
    step = "authentication" if payment.state == "pending" and payment.action_url else "receipt"
    return redirect(step_url(step, quote), 303)


@blueprint.get("/authentication")
def authentication(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    """3-D Secure: a link to the bank's page, and a button to abandon the payment."""
    quote = _load_quote(subscription_id, quote_id)
    pending = quote.unrefused
    if pending is None or pending.state != "pending" or pending.action_url is None:
        return redirect(step_url("receipt", quote), 303)
    return render_template("purchase/authentication.html", quote=quote, pending=pending)


@blueprint.get("/authenticated")
def authenticated(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    """The return from the bank: asks the gateway for the outcome. It may be reloaded."""
    if request.method == "HEAD":
        abort(405)
    with suppress(OutcomeUnknown):
        payments.reconcile(me().account_id, subscription_id, quote_id)
    return redirect(step_url("receipt", _load_quote(subscription_id, quote_id)), 303)


@blueprint.post("/reconcile")
def reconcile(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    """« Vérifier maintenant », for a payment whose outcome is unknown."""
    return authenticated(subscription_id, quote_id)


@blueprint.post("/abandon")
def abandon(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    with suppress(OutcomeUnknown):
        payments.abandon(me().account_id, subscription_id, quote_id)
    return redirect(step_url("receipt", _load_quote(subscription_id, quote_id)), 303)


@blueprint.get("/receipt")
@needs(Procedure.SEE)
def receipt(subscription_id: str, quote_id: str) -> ResponseReturnValue:
    """The receipt, once the purchase is paid; else the step that it has reached."""
    quote = _load_quote(subscription_id, quote_id)
    payment = quote.unrefused
    if payment is None:
        return redirect(step_url("payment", quote), 303)
    if payment.state == "pending" and payment.action_url:
        return redirect(step_url("authentication", quote), 303)
    if payment.state == "pending":
        is_long = payments.waiting_time(payment, quote.subscription.account) >= payments.LONG_PENDING
        return render_template("purchase/pending.html", quote=quote, payment=payment, long=is_long)
    invoice = listing.invoice_of_payment(me().account_id, payment.key)
    period = quote.subscription.facts.period(quote.ordinal)
    return render_template(
        "purchase/receipt.html",
        quote=quote,
        payment=payment,
        invoice=invoice,
        period=period,
        tile=summary.summary(quote.subscription),
        pays_next=quote.card is None or quote.card.id == getattr(quote.subscription.default_card, "id", None),
    )


def _payment_page(quote: Quote, status: int = 200, refused: str = "") -> ResponseReturnValue:
    """The cards to choose from. `refused` is what to show as an error, by default why the last attempt failed."""
    cards = wallet.cards_of(me().account_id)
    failed = "" if refused else _why_last_attempt_failed(quote)
    return render_template(
        "purchase/payment.html",
        quote=quote,
        cards=cards,
        selected=quote.card_id or next((own.card.id for own in cards if own.is_default), None),
        refused=refused or failed,
        refused_token=quote.payments[-1].card_token if failed else None,
        today=ports().clock.now(quote.subscription.account).date(),
    ), status


def _why_last_attempt_failed(quote: Quote) -> str:
    """Why the last attempt failed; "" without one, or if another card has been chosen since."""
    last = quote.payments[-1] if quote.payments else None
    if last is None or (quote.card and quote.card.token != last.card_token):
        return ""
    reason = decline(last.decline_code) if last.state == "declined" else gettext("The payment was not completed.")
    advice = gettext("Nothing was charged. Try again, or choose another card.")
    return f"{reason} {advice}"


def _overview_page(
    quote: Quote, status: int = 200, changes: dict[str, tuple[object, object]] | None = None
) -> ResponseReturnValue:
    """The overview. `changes` are the values of the quote that differ from what was shown before: old and new."""
    facts = quote.subscription.facts
    return render_template(
        "purchase/overview.html",
        quote=quote,
        attempt=len(quote.payments) + 1,
        period=facts.period(quote.ordinal),
        facts=facts,
        caution_from=seat_rules.CAUTION_TIMES * facts.last_paid_seats,
        changes=changes,
        next_total=_next_total(quote),
    ), status


def _next_total(quote: Quote) -> Money | None:
    """What the next renewal will cost with the seats that are added; None for a renewal."""
    if quote.kind != "addition":
        return None
    seats = max(quote.seats, quote.subscription.facts.last_paid_seats)
    return summary.renewal_total(quote.subscription, seats=seats)
