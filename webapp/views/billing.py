"""Paiement et facturation: payment methods, billing information and invoices."""

from collections.abc import Callable

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from .. import billing, cards, documents, formats, throttle
from .. import invoices as invoice_list
from .. import year as accounting_year
from ..auth import me
from ..records import Invoice
from . import FRAGMENT_HEADERS, wants_fragment
from .purchase import step_url

blueprint = Blueprint("billing", __name__, url_prefix="/billing")


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template(
        "billing/page.html",
        account=billing.account_of(me().account_id),
        cards=cards.listed(me().account_id),
        invoices=invoice_list.newest(me().account_id, 3),
    )


@blueprint.post("/cards/new")
def add_card() -> ResponseReturnValue:
    """« Ajouter une carte de crédit »: entered on the gateway's own page."""
    throttle.count("card", me().account_id)
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
    """« Factures », narrowed, searched and in either order; what the address gets wrong is ignored."""
    return render_template("invoices/index.html", page=invoice_list.listed(me().account_id, request.args))


@blueprint.get("/invoices/<invoice_id>")
def invoice(invoice_id: str) -> ResponseReturnValue:
    invoice = billing.find_invoice(me().account_id, invoice_id)
    return render_template("invoices/page.html", invoice=invoice, credit_notes=billing.credit_notes_of(invoice))


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


@blueprint.get("/invoices/<int(fixed_digits=4):year>.zip")
def year_archive(year: int) -> ResponseReturnValue:
    """« Télécharger l’année »: documents that are not made yet are made first; HEAD makes none."""
    accounting_year.check(me().account_id, year)
    name = gettext("invoices-%(year)s.zip", year=year)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if request.method == "HEAD":
        return Response(content_type="application/zip", headers=headers)
    archive = accounting_year.spooled(me().account_id, year)
    headers["Content-Length"] = str(archive.size)
    return Response(archive, content_type="application/zip", headers=headers, direct_passthrough=True)


@blueprint.get("/invoices/year/<int(fixed_digits=4):year>")
def year(year: int) -> ResponseReturnValue:
    """How many of the year's documents are made."""
    return _year_page("invoices/year.html", year)


@blueprint.post("/invoices/year/<int(fixed_digits=4):year>")
def prepare_year(year: int) -> ResponseReturnValue:
    """Makes some more of them; with scripts the page asks again until all are made."""
    accounting_year.prepare(me().account_id, year)
    if not wants_fragment():
        return redirect(url_for("billing.year", year=year), 303)
    return _year_page("invoices/_year.html", year, going_on=True)


def _year_page(template: str, year: int, going_on: bool = False) -> Response:
    progress = accounting_year.progress(me().account_id, year)
    response = make_response(render_template(template, year=year, progress=progress, going_on=going_on))
    response.vary.update(FRAGMENT_HEADERS)
    return response
