"""Informations de facturation: verify and correct them."""

from playwright.sync_api import expect

from .steps import to_billing
from .story import story
from .walk import Walk


def billing_info(walk: Walk) -> None:
    """Another country and its VAT number, and a purchase order."""
    page = walk.page
    to_billing(walk)
    walk.click(
        "Vérifiez les informations de facturation et cliquez sur Modifier les informations de facturation.",
        "Verify the billing information and click Change billing information.",
        page.get_by_role("link", name=walk["Change billing information"]),
    )
    walk.heading("Change billing information")
    page.get_by_role("combobox", name=walk["Country"], exact=True).select_option("DE")
    walk.labelled("VAT number").fill("de 136 695 976")
    walk.labelled("Purchase order").fill("BC-2027-118")
    walk.click(
        "Corrigez les informations et cliquez sur Enregistrer.",
        "Correct the information and click Save.",
        walk.button("Save"),
    )
    walk.heading("Payment & billing")
    expect(walk.message()).to_contain_text(walk.words("mises à jour", "updated"))
    expect(page.get_by_text("DE136695976").first).to_be_visible()
    expect(page.get_by_text("BC-2027-118")).to_be_visible()
    walk.see(
        "Vos informations ont été mises à jour et figureront sur vos prochaines factures.",
        "Your information has been updated and will appear on future invoices.",
        walk.message(),
    )


DOCUMENTED = (
    story(
        "billing-info",
        "Modification des informations de facturation",
        "Changing the billing information",
        "business",
        billing_info,
    ),
)
