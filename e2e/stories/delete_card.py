"""Suppression d'une carte de crédit; the default card stays until another takes its place."""

from playwright.sync_api import expect

from .steps import open_menu, to_billing
from .story import story
from .walk import Walk


def delete_card(walk: Walk) -> None:
    """Deletes the Mastercard, which is not the default."""
    to_billing(walk)
    item = open_menu(walk, "4444", "supprimer", "delete").get_by_role("link", name=walk["Delete"], exact=True)
    walk.click("Sélectionnez Supprimer.", "Select Delete.", item)
    walk.heading("Delete card?")
    walk.click(
        "Sur la page Supprimer la carte de crédit ?, cliquez sur Supprimer pour supprimer le mode de paiement.",
        "On the Delete credit card? page, click Delete to delete the payment method.",
        walk.button("Delete"),
    )
    walk.heading("Billing")
    expect(walk.card("4444")).to_have_count(0)
    walk.see("La carte de crédit n’y est plus.", "The credit card is no longer there.", walk.card("4242"))
    assert walk.cards() == [("4242", True)]


def delete_default_card(walk: Walk) -> None:
    """Refused in a dialog, or on a page without scripts, with a link to the remedy."""
    to_billing(walk)
    item = open_menu(walk, "4242", "supprimer", "delete").get_by_role("link", name=walk["Delete"], exact=True)
    walk.click("Sélectionnez Supprimer.", "Select Delete.", item)
    expect(walk.page.get_by_role("heading", name=walk["Delete card?"], exact=True)).to_be_visible()
    expect(walk.button("Delete")).to_have_count(0)
    walk.see(
        "Vous ne pouvez pas supprimer le mode de paiement par défaut. Définissez un autre mode de paiement par défaut.",
        "You cannot delete the default payment method. Make another one the default first.",
        walk.alert(),
    )
    walk.alert().locator("xpath=..").get_by_role("link").first.click()
    walk.heading("Billing")
    assert walk.cards() == [("4242", True), ("4444", False)]


DOCUMENTED = (
    story(
        "delete-card", "Suppression d’une carte de crédit", "Deleting a credit card", "business-two-cards", delete_card
    ),
)
REFUSALS = (
    story(
        "refused-default-card",
        "Suppression de la carte par défaut",
        "Deleting the default card",
        "business-two-cards",
        delete_default_card,
    ),
)
