"""Ajout d'une carte de crédit."""

from playwright.sync_api import expect

from .steps import to_billing
from .story import story
from .walk import Walk


def add_card(walk: Walk) -> None:
    """A Mastercard beside the Visa, which stays the default."""
    to_billing(walk)
    walk.click(
        "Sous Modes de paiement, cliquez sur Ajouter une carte de crédit.",
        "Under Payment methods, click Add credit card.",
        walk.button("Add card"),
    )
    walk.type_card("5555555555554444")
    walk.click(
        "Saisissez les informations de paiement de votre carte de crédit et cliquez sur Continuer.",
        "Enter your credit card’s payment details and click Continue.",
        walk.button("Continue"),
    )
    walk.heading("Billing")
    expect(walk.message()).to_contain_text("4444")
    walk.see(
        "La nouvelle carte de crédit apparaît sous Modes de paiement.",
        "The new credit card appears under Payment methods.",
        walk.card("4444"),
    )
    assert walk.cards() == [("4242", True), ("4444", False)]


DOCUMENTED = (story("add-card", "Ajout d’une carte de crédit", "Adding a credit card", "business", add_card),)
