"""Définir comme mode de paiement par défaut."""

from playwright.sync_api import expect

from .steps import open_menu, to_billing
from .story import story
from .walk import Walk


def default_card(walk: Walk) -> None:
    """The Mastercard takes the Visa's place."""
    to_billing(walk)
    menu = open_menu(walk, "4444", "définir par défaut", "make the default")
    walk.click(
        "Sélectionnez Définir comme mode de paiement par défaut.",
        "Select Set as default payment method.",
        menu.get_by_role("button", name=walk["Set default"], exact=True),
    )
    expect(walk.card("4444")).to_contain_text(walk["Default"])
    walk.see("La carte est désormais celle par défaut.", "The card is now the default.", walk.card("4444"))
    assert walk.cards() == [("4444", True), ("4242", False)]


DOCUMENTED = (
    story(
        "default-card",
        "Modification du mode de paiement par défaut",
        "Changing the default payment method",
        "business-two-cards",
        default_card,
    ),
)
