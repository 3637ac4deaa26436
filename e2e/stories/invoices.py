"""Factures: the list, one invoice, its PDF."""

from playwright.sync_api import expect

from .steps import to_billing
from .story import story
from .walk import Walk


def invoices(walk: Walk) -> None:
    """The newest invoice, from the list to its PDF."""
    page = walk.page
    number = next(bill["number"] for bill in reversed(walk.state()["invoices"]) if bill["kind"] == "invoice")
    to_billing(walk)
    walk.click("Ouvrez Factures.", "Open Invoices.", page.get_by_role("link", name=walk["All invoices"]))
    walk.heading("Invoices")
    walk.click("Consultez une facture.", "Open an invoice.", page.get_by_role("link", name=number, exact=True))
    expect(page.get_by_role("heading", level=1)).to_contain_text(number)
    link = page.get_by_role("link", name=walk["Download"], exact=True)
    with page.expect_download() as download:
        walk.click("Cliquez sur Télécharger.", "Click Download.", link)
    assert download.value.suggested_filename == f"facture-{number}.pdf"
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    walk.see("La facture est téléchargée.", "The invoice is downloaded.")


DOCUMENTED = (
    story(
        "invoices",
        "Consultation et téléchargement d’une facture",
        "Seeing and downloading an invoice",
        "business",
        invoices,
    ),
)
