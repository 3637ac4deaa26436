"""Paiement et facturation: cards, billing information, invoices; and the account manager."""

import re

from playwright.sync_api import Locator, expect

from .labels import ENTERPRISE
from .walk import Walk


def to_billing(walk: Walk) -> None:
    walk.click(
        "Dans My Qlik, accédez à la page Paiement et facturation.",
        "In My Qlik, go to the Payment & billing page.",
        walk.page.get_by_role("navigation").get_by_role("link", name=walk["Billing"], exact=True),
    )
    walk.heading("Billing")


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
    expect(walk.page.get_by_role("status").first).to_contain_text("4444")
    walk.see(
        "La nouvelle carte de crédit apparaît sous Modes de paiement.",
        "The new credit card appears under Payment methods.",
        walk.card("4444"),
    )
    assert walk.cards() == [("4242", True), ("4444", False)]


def open_menu(walk: Walk, last4: str, fr: str, en: str) -> Locator:
    """The icon button at the card; `fr` and `en` are what for."""
    walk.click(
        f"Sous Modes de paiement, cliquez sur Plus d’actions au niveau de la carte de crédit à {fr}.",
        f"Under Payment methods, click More actions at the credit card to {en}.",
        walk.card(last4).get_by_role("button", name=walk["More actions"], exact=True),
    )
    return walk.card(last4)


def delete_card(walk: Walk) -> None:
    """The Mastercard, which is not the default."""
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


def invoices(walk: Walk) -> None:
    """The newest invoice: from the menu to its PDF."""
    page = walk.page
    number = next(found["number"] for found in reversed(walk.state()["invoices"]) if found["kind"] == "invoice")
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


def billing_info(walk: Walk) -> None:
    """Another VAT number, of another country, and a purchase order."""
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
    message = page.get_by_role("status").first
    expect(message).to_contain_text(walk.words("à jour", "up to date"))
    expect(page.get_by_text("DE136695976").first).to_be_visible()
    expect(page.get_by_text("BC-2027-118")).to_be_visible()
    walk.see(
        "Les informations sont à jour ; les factures à venir les utilisent.",
        "The information is up to date; future invoices use it.",
        message,
    )


def contact(walk: Walk) -> None:
    """A message about the enterprise subscription, from its tile."""
    walk.click(
        "Sur la vignette, cliquez sur Contacter le responsable de votre compte Qlik.",
        "On the tile, click Contact your Qlik account manager.",
        walk.tile(ENTERPRISE).get_by_role("link", name=walk["Contact"]),
    )
    walk.heading("Contact")
    expect(walk.labelled("Subject")).to_have_value("renewal")
    walk.labelled("Your message").fill(
        walk.words(
            "Nous souhaitons passer à 300 licences au renouvellement.", "We would like 300 seats from the renewal on."
        )
    )
    walk.click("Écrivez votre message et cliquez sur Envoyer.", "Write your message and click Send.",
               walk.button("Send"))  # fmt: skip
    message = walk.page.get_by_role("status").first
    expect(message).to_contain_text(re.compile(r"C-[2-9A-Z]{8}"))
    walk.see("Un numéro de dossier vous est donné.", "You are given a case number.", message)
    assert len(walk.state()["messages"]) == 1
