"""Paiement et facturation: payment methods, billing information and invoices."""

from collections.abc import Callable
from urllib.parse import parse_qsl

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

from ..access.identity import me, needs, needs_proof
from ..accounts.billing_information import account_of
from ..domain.permissions import Procedure
from ..formats import card_name
from ..invoices import archives, documents, listing
from ..invoices.spans import Span
from ..mail import documents_again
from ..models.invoices import Invoice
from ..purchases import cards
from ..purchases.overview import overview
from ..urls import current_page, return_url, step_url
from ..words import gettext, language
from .downloads import send_archive
from .fragments import FRAGMENT_HEADERS, wants_fragment

blueprint = Blueprint("billing", __name__, url_prefix="/billing")
needs(Procedure.SEE)(blueprint)
blueprint.context_processor(lambda: {"section": "billing"})


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template("billing/page.html", **overview(me().account_id)._asdict())


@blueprint.post("/cards/new")
@needs(Procedure.BILLING)
@needs_proof
def add_card() -> ResponseReturnValue:
    """« Ajouter une carte de crédit »: redirects to the gateway's card page."""
    back = return_url("billing.card_return")
    return redirect(cards.begin_card_setup(me().account_id, None, back, language()), 303)


@blueprint.get("/cards/return")
@needs(Procedure.BILLING)
def card_return() -> ResponseReturnValue:
    """The return from the gateway's card page. It may be reloaded: the card is saved once."""
    if request.method == "HEAD":
        abort(405)
    entered = cards.complete_card_setup(me().account_id, request.args.get("reference", ""))
    if entered.was_saved:
        flash(gettext("This card was already saved: it has been updated."))
    elif entered.card:
        flash(gettext("%(card)s has been saved.", card=card_name(entered.card.brand, entered.card.last4)))
    return redirect(step_url("payment", entered.quote) if entered.quote else url_for("billing.page"), 303)


@blueprint.get("/invoices")
def invoices() -> ResponseReturnValue:
    """« Factures », filtered, searched and sorted. Query parameters that are not valid are ignored.

    With scripts, the filters ask for the list alone. The browser then shows the address of the whole page.
    """
    page, fragment = listing.list_invoices(me().account_id, request.args), wants_fragment()
    response = make_response(render_template("invoices/_listed.html" if fragment else "invoices/index.html", page=page))
    response.vary.update(FRAGMENT_HEADERS)
    if fragment:
        # Letters that are typed are no steps to go back to.
        shown = dict(parse_qsl(current_page().query)) | {"search": page.search}
        same = shown == {**{name: str(value) for name, value in page.chosen.items() if value}, "search": page.search}
        header = "HX-Replace-Url" if same else "HX-Push-Url"
        response.headers[header] = url_for("billing.invoices", **page.chosen)
    return response


@blueprint.get("/invoices/<invoice_id>")
def invoice(invoice_id: str) -> ResponseReturnValue:
    invoice = listing.find_invoice(me().account_id, invoice_id)
    return render_template(
        "invoices/page.html",
        invoice=invoice,
        credit_notes=listing.credit_notes_of(invoice),
        mails=documents_again.mails_of(invoice),
        billing_emails=account_of(me().account_id).billing_emails,
    )


@blueprint.post("/invoices/<invoice_id>/send")
@needs(Procedure.BILLING)
def send_again(invoice_id: str) -> ResponseReturnValue:
    """« Renvoyer par e-mail »: to the billing e-mails. A form that is sent twice sends one mail to each."""
    addresses = documents_again.send_again(me().account_id, invoice_id, request.form.get("shown", ""))
    if addresses:
        flash(gettext("The document is on its way to %(addresses)s.", addresses=", ".join(addresses)))
    else:
        flash(gettext("Nothing was sent: this document was already sent again. See the e-mails below."))
    return redirect(url_for("billing.invoice", invoice_id=invoice_id), 303)


@blueprint.get("/invoices/<invoice_id>/download")
def download(invoice_id: str) -> ResponseReturnValue:
    """« Télécharger »: the PDF, which is made at the first download. HEAD makes none."""
    return _download(invoice_id, "pdf", "application/pdf", documents.pdf_of)


@blueprint.get("/invoices/<invoice_id>/xml")
def download_xml(invoice_id: str) -> ResponseReturnValue:
    """The XML that is embedded in the PDF (Factur-X), for programs that cannot read it from the PDF."""
    return _download(invoice_id, "xml", "application/xml", documents.xml_of)


def _download(invoice_id: str, ending: str, content_type: str, make_body: Callable[[Invoice], bytes]) -> Response:
    invoice = listing.find_invoice(me().account_id, invoice_id)
    disposition = f'attachment; filename="{documents.filename(invoice, ending)}"'
    body = b"" if request.method == "HEAD" else make_body(invoice)
    return Response(body, content_type=content_type, headers={"Content-Disposition": disposition})


@blueprint.get("/invoices/<int(fixed_digits=4):year>.zip")
def year_archive(year: int) -> ResponseReturnValue:
    """« Télécharger l’année »: a ZIP of the year's documents. Missing ones are made first; HEAD makes none."""
    span = Span.of_year(year)
    archives.check(me().account_id, span)
    return send_archive(span)


@blueprint.get("/invoices/year/<int(fixed_digits=4):year>")
def year(year: int) -> ResponseReturnValue:
    """How many of the year's documents have been made."""
    return _year_page("invoices/year.html", year)


@blueprint.post("/invoices/year/<int(fixed_digits=4):year>")
def prepare_year(year: int) -> ResponseReturnValue:
    """Makes some of the missing documents. With scripts, the page repeats this until none is missing."""
    archives.prepare(me().account_id, Span.of_year(year))
    if not wants_fragment():
        return redirect(url_for("billing.year", year=year), 303)
    return _year_page("invoices/_progress.html", year, going_on=True)


def _year_page(template: str, year: int, going_on: bool = False) -> Response:
    span = Span.of_year(year)
    shown = {
        "progress": archives.progress(me().account_id, span),
        "archive": url_for("billing.year_archive", year=year),
        "label": gettext("Download the year %(year)s", year=year),
        "prepare": url_for("billing.prepare_year", year=year),
        "fields": {},
    }
    response = make_response(render_template(template, year=year, going_on=going_on, **shown))
    response.vary.update(FRAGMENT_HEADERS)
    return response
