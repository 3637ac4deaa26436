"""Paiement et facturation: payment methods, billing information and invoices."""

from collections.abc import Callable

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from .. import billing, cards, documents, formats
from .. import invoices as invoice_list
from ..auth import me
from ..records import Invoice
from .purchase import step_url

blueprint = Blueprint("billing", __name__, url_prefix="/billing")


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template(
        "billing/page.html",
        account=billing.account_of(me().account_id),
        cards=cards.listed(me().account_id),
        invoices=invoice_list.listed(me().account_id, {}).invoices[:3],
    )


@blueprint.post("/cards/new")
def add_card() -> ResponseReturnValue:
    """« Ajouter une carte de crédit »: entered on the gateway's own page."""
    return_url = url_for("billing.card_return", _external=True)
    return redirect(billing.begin_card_setup(me().account_id, None, return_url, formats.language()), 303)


@blueprint.get("/cards/return")
def card_return() -> ResponseReturnValue:
    """Back from the gateway's card page; asked twice, it saves one card."""
    if request.method == "HEAD":
        abort(405)
    card, quote = billing.complete_card_setup(me().account_id, request.args.get("reference", ""))
    if card:
        flash(gettext("The card ending in %(last4)s is saved.", last4=card.last4))
    return redirect(step_url("payment", quote) if quote else url_for("billing.page"), 303)


@blueprint.get("/invoices")
def invoices() -> ResponseReturnValue:
    """« Factures », by year and subscription; what the address gets wrong is ignored."""
    return render_template("invoices/index.html", page=invoice_list.listed(me().account_id, request.args))


@blueprint.get("/invoices/<invoice_id>")
def invoice(invoice_id: str) -> ResponseReturnValue:
    return render_template("invoices/page.html", invoice=billing.find_invoice(me().account_id, invoice_id))


@blueprint.get("/invoices/<invoice_id>/download")
def download(invoice_id: str) -> ResponseReturnValue:
    """« Télécharger »: the PDF, made at the first download; HEAD only asks whether there is one, and makes none."""
    return _attached(invoice_id, "pdf", "application/pdf", documents.pdf_of)


@blueprint.get("/invoices/<invoice_id>/xml")
def download_xml(invoice_id: str) -> ResponseReturnValue:
    """The data that the PDF carries (Factur-X), for those whose program takes nothing else."""
    return _attached(invoice_id, "xml", "application/xml", documents.xml_of)


def _attached(invoice_id: str, ending: str, content_type: str, made: Callable[[Invoice], bytes]) -> Response:
    invoice = billing.find_invoice(me().account_id, invoice_id)
    disposition = f'attachment; filename="{documents.filename(invoice, ending)}"'
    body = b"" if request.method == "HEAD" else made(invoice)
    return Response(body, content_type=content_type, headers={"Content-Disposition": disposition})
