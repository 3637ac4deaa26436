"""Each documented procedure as a story: its steps in the words of the help page, and what the owner does at each.

Tests, recordings and the documentation all walk the same story. Labels come from here, in both languages.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator, Page, expect

from .portal import Sandbox

LABELS = {
    "fr": {
        "Overview": "Vue d’ensemble", "Renew": "Renouveler", "Continue": "Continuer", "Pay": "Payer",
        "Increase": "Augmenter", "Decrease": "Diminuer", "seats": "Nombre d’utilisateurs payants",
        "cost": "Coût mensuel", "new card": "Ajouter un nouveau mode de paiement", "E-mail": "E-mail",
        "Password": "Mot de passe", "Sign in": "Se connecter", "Sign out": "Se déconnecter",
        "Card number": "Numéro de carte", "Expiry date": "Date d’expiration", "Security code": "Code de sécurité",
        "Holder": "Nom du titulaire", "Receipt": "Reçu", "Payment": "Paiement", "Manage": "Gérer",
        "Add seats": "Ajouter des licences utilisateur", "Reduce seats": "Réduire les licences utilisateur",
        "Cancel subscription": "Annuler l’abonnement", "Undo request": "Annuler la demande",
        "I understand": "Je comprends", "Confirm": "Confirmer",
        "Billing": "Paiement et facturation", "Payment methods": "Modes de paiement", "Default": "Par défaut",
        "Add card": "Ajouter une carte de crédit", "More actions": "Plus d’actions", "Delete": "Supprimer",
        "Set default": "Définir comme mode de paiement par défaut",
        "Delete card?": "Supprimer la carte de crédit\u00a0?",
        "Payment & billing": "Paiement et facturation", "Invoices": "Factures", "Download": "Télécharger",
        "All invoices": "Toutes les factures", "Year": "Année", "Filter": "Filtrer",
        "Save": "Enregistrer", "Send": "Envoyer",
        "Change billing information": "Modifier les informations de facturation",
        "Contact": "Contacter le responsable de votre compte Qlik", "Your message": "Votre message",
        "Subject": "Objet", "Country": "Pays", "VAT number": "Numéro de TVA",
        "Purchase order": "Numéro de bon de commande",
        "Billing e-mails": "E-mails de facturation", "Legal name": "Raison sociale",
    },
    "en": {
        "Overview": "Overview", "Renew": "Renew", "Continue": "Continue", "Pay": "Pay", "Increase": "Increase",
        "Decrease": "Decrease", "seats": "Number of paid users", "cost": "Monthly cost",
        "new card": "Add new payment method", "E-mail": "E-mail", "Password": "Password", "Sign in": "Sign in",
        "Sign out": "Sign out", "Card number": "Card number", "Expiry date": "Expiry date",
        "Security code": "Security code", "Holder": "Name on card", "Receipt": "Receipt", "Payment": "Payment",
        "Manage": "Manage", "Add seats": "Add seats", "Reduce seats": "Reduce seats",
        "Cancel subscription": "Cancel subscription", "Undo request": "Undo request", "I understand": "I understand",
        "Confirm": "Confirm",
        "Billing": "Payment & billing", "Payment methods": "Payment methods", "Default": "Default",
        "Add card": "Add credit card", "More actions": "More actions", "Delete": "Delete",
        "Set default": "Set as default payment method", "Delete card?": "Delete credit card?",
        "Payment & billing": "Payment & billing", "Invoices": "Invoices", "Download": "Download",
        "All invoices": "All invoices", "Year": "Year", "Filter": "Filter",
        "Save": "Save", "Send": "Send",
        "Change billing information": "Change billing information",
        "Contact": "Contact your Qlik account manager", "Your message": "Your message",
        "Subject": "Subject", "Country": "Country", "VAT number": "VAT number",
        "Purchase order": "Purchase order number",
        "Billing e-mails": "Billing e-mails", "Legal name": "Legal name",
    },
}  # fmt: skip
PRODUCT = "Qlik Sense Business"
ENTERPRISE = "Qlik Sense Enterprise SaaS"


@dataclass
class Walk:
    """One walk through a story: the page, the language, the account, and who watches each step."""

    page: Page
    sandbox: Sandbox
    locale: str
    account: dict[str, Any]
    scripts: bool = True
    watch: Callable[[str, Locator | None], None] = field(default=lambda _title, _acted: None)

    def __getitem__(self, name: str) -> str:
        return LABELS[self.locale][name]

    def step(self, fr: str, en: str, acted: Locator | None = None) -> None:
        """A documented step: shows the screen as it stands, with what is about to be acted on."""
        self.watch(fr if self.locale == "fr" else en, acted)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=self[name], exact=True)

    def labelled(self, name: str) -> Locator:
        return self.page.get_by_label(self[name])

    def heading(self, name: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self[name])

    def tile(self, product: str = PRODUCT) -> Locator:
        return self.page.get_by_role("article", name=product)

    def cost(self) -> Locator:
        return self.page.get_by_role("status", name=self["cost"])

    def card(self, last4: str) -> Locator:
        """A payment method's row on Paiement et facturation."""
        return (
            self.page.get_by_role("region", name=self["Payment methods"]).get_by_role("listitem").filter(has_text=last4)
        )

    def cards(self) -> list[tuple[str, bool]]:
        """The last digits of the saved cards, each with whether it is the default."""
        return [(card["last4"], card["default"]) for card in self.state()["cards"]]

    def state(self) -> Any:
        return self.sandbox.state(self.account["account"])

    def subscription(self) -> Any:
        return next(found for found in self.state()["subscriptions"] if found["plan"] == "business")

    def sign_in(self) -> None:
        self.page.goto(f"{self.sandbox.url}/subscriptions")
        self.labelled("E-mail").fill(self.account["email"])
        self.labelled("Password").fill(self.account["password"])
        self.button("Sign in").click()
        expect(self.page.get_by_role("article").first).to_be_visible()

    def enter_card(self, number: str) -> None:
        """The gateway's own page."""
        self.labelled("Card number").fill(number)
        self.labelled("Expiry date").fill("12/31")
        self.labelled("Security code").fill("123")
        self.labelled("Holder").fill("Camille Martin")
        self.button("Continue").click()


def renew(walk: Walk, card: str | None = None) -> None:
    """Two seats more for the next period, with the saved card or with a new one."""
    page = walk.page
    walk.step("Accédez à My Qlik et sélectionnez l’abonnement.", "In My Qlik, pick the subscription.", walk.tile())
    button = walk.tile().get_by_role("link", name=walk["Renew"])
    walk.step("Cliquez sur Renouveler.", "Click Renew.", button)
    button.click()
    more = walk.button("Increase")
    walk.step(
        "Cliquez sur + ou sur – pour spécifier le nombre d’utilisateurs payants pour la période de renouvellement.",
        "Click + or − to set the number of paid users for the renewal period.",
        more,
    )
    for seats in ("13", "14"):
        more.click()
        expect(walk.labelled("seats")).to_have_value(seats)
    expect(walk.cost()).to_contain_text("408,00" if walk.locale == "fr" else "408.00")
    walk.step(
        "Le coût mensuel basé sur le tarif progressif apparaît à droite.",
        "The monthly cost, from the tiered prices, appears at the right.",
        walk.cost(),
    )
    walk.step("Cliquez sur Continuer.", "Click Continue.", walk.button("Continue"))
    walk.button("Continue").click()
    walk.heading("Payment")
    if card:
        walk.step(
            "Cliquez sur Ajouter un nouveau mode de paiement et saisissez la carte.",
            "Click Add new payment method and enter the card.",
            walk.button("new card"),
        )
        walk.button("new card").click()
        walk.enter_card(card)
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    expect(page.locator("label", has=page.locator("input:checked"))).to_contain_text((card or "4242")[-4:])
    walk.step(
        "Vérifiez que la carte de crédit est sélectionnée.",
        "Check that the credit card is selected.",
        page.get_by_role("radio", checked=True),
    )
    walk.step("Cliquez sur Continuer.", "Click Continue.", walk.button("Continue"))
    walk.button("Continue").click()
    walk.heading("Overview")
    walk.step(
        "La page Vue d’ensemble affiche les sélections. Confirmez et cliquez sur Payer.",
        "The Overview page shows the selections. Confirm and click Pay.",
        walk.button("Pay"),
    )
    walk.button("Pay").click()
    walk.heading("Receipt")
    walk.step(
        "Le paiement est effectué : votre abonnement est renouvelé.",
        "The payment is done: your subscription is renewed.",
    )
    page.goto(f"{walk.sandbox.url}/subscriptions")
    until = "Renouvelé jusqu’au 14 mars 2027" if walk.locale == "fr" else "Renewed until 14 March 2027"
    expect(walk.tile()).to_contain_text(until)
    walk.step(
        "La vignette de l’abonnement indique le renouvellement.",
        "The subscription’s tile tells of the renewal.",
        walk.tile(),
    )
    assert walk.subscription()["next_seats"] == 14


def _manage(walk: Walk, what: str) -> None:
    """Gérer on the tile, and one of what it lists."""
    walk.step("Accédez à My Qlik et sélectionnez l’abonnement.", "In My Qlik, pick the subscription.", walk.tile())
    button = walk.tile().get_by_role("link", name=walk["Manage"])
    walk.step("Cliquez sur Gérer.", "Click Manage.", button)
    button.click()
    entry = walk.page.get_by_role("dialog").get_by_role("link", name=walk[what])
    walk.step(f"Cliquez sur {LABELS['fr'][what]}.", f"Click {LABELS['en'][what]}.", entry)
    entry.click()


def _confirm(walk: Walk, title: str) -> None:
    """Je comprends and Confirmer in the dialog that is open."""
    dialog = walk.page.get_by_role("dialog", name=title)
    expect(dialog).to_be_visible()
    tick = dialog.get_by_label(walk["I understand"])
    walk.step(
        "Passez en revue la boîte de dialogue et sélectionnez Je comprends.",
        "Read the dialog and tick I understand.",
        tick,
    )
    tick.check()
    confirm = dialog.get_by_role("button", name=walk["Confirm"])
    walk.step("Cliquez sur Confirmer.", "Click Confirm.", confirm)
    confirm.click()
    expect(walk.page.get_by_role("dialog")).to_have_count(0)


def _set_seats(walk: Walk, clicks: int, button: str, seats: str, cost: str) -> None:
    """+ or −, the cost at the right, and Continuer."""
    change = walk.button(button)
    walk.step(
        "Cliquez sur + ou sur – pour spécifier le nombre d’utilisateurs payants.",
        "Click + or − to set the number of paid users.",
        change,
    )
    start = int(walk.labelled("seats").input_value())
    for click in range(1, clicks + 1):
        change.click()
        expect(walk.labelled("seats")).to_have_value(str(start + (click if button == "Increase" else -click)))
    expect(walk.labelled("seats")).to_have_value(seats)
    expect(walk.cost()).to_contain_text(cost.replace(".", ",") if walk.locale == "fr" else cost)
    walk.step(
        "Le coût mensuel basé sur le tarif progressif apparaît à droite.",
        "The monthly cost, from the tiered prices, appears at the right.",
        walk.cost(),
    )
    walk.step("Cliquez sur Continuer.", "Click Continue.", walk.button("Continue"))
    walk.button("Continue").click()


def add(walk: Walk) -> None:
    """Two seats more, now: the stepper starts at one more."""
    _manage(walk, "Add seats")
    _set_seats(walk, 1, "Increase", "14", "408.00")
    walk.heading("Payment")
    walk.step("Vérifiez que la carte est sélectionnée, puis cliquez sur Continuer.",
              "Check that the card is selected, then click Continue.", walk.button("Continue"))  # fmt: skip
    walk.button("Continue").click()
    walk.heading("Overview")
    walk.step("La page Vue d’ensemble affiche le montant dû aujourd’hui. Cliquez sur Payer.",
              "The Overview page shows what is due today. Click Pay.", walk.button("Pay"))  # fmt: skip
    walk.button("Pay").click()
    walk.heading("Receipt")
    walk.step("Les licences sont ajoutées.", "The seats are added.")
    assert walk.subscription()["seats"] == 14


def reduce(walk: Walk) -> None:
    """From twelve seats to eight, from the next period on."""
    _manage(walk, "Reduce seats")
    _set_seats(walk, 4, "Decrease", "8", "240.00")
    _confirm(walk, walk["Reduce seats"])
    told = {
        "fr": "Réduction demandée : 12 → 8 licences utilisateur, à compter du 15 février 2027",
        "en": "Reduction requested: 12 → 8 seats, from 15 February 2027",
    }
    expect(walk.tile()).to_contain_text(told[walk.locale])
    walk.step("La vignette indique la réduction demandée et la date d’entrée en vigueur.",
              "The tile shows the requested reduction and the date it takes effect.", walk.tile())  # fmt: skip
    assert walk.subscription()["next_seats"] == 8


def _undo(walk: Walk, title: dict[str, str]) -> None:
    button = walk.tile().get_by_role("link", name=walk["Undo request"])
    walk.step("Dans My Qlik, recherchez l’abonnement et cliquez sur Annuler la demande.",
              "In My Qlik, find the subscription and click Undo request.", button)  # fmt: skip
    button.click()
    _confirm(walk, title[walk.locale])
    expect(walk.tile().get_by_role("link", name=walk["Undo request"])).to_have_count(0)


def undo_reduction(walk: Walk) -> None:
    _undo(walk, {"fr": "Annuler la réduction", "en": "Undo the reduction"})
    walk.step(
        "La vignette reflète de nouveau le nombre initial de licences.",
        "The tile shows the original seats.",
        walk.tile(),
    )
    assert walk.subscription()["next_seats"] == 12


def cancel(walk: Walk) -> None:
    """At the end of what is paid."""
    _manage(walk, "Cancel subscription")
    _confirm(walk, walk["Cancel subscription"])
    told = {
        "fr": "Annulation demandée : l’abonnement prend fin le 14 février 2027",
        "en": "Cancellation requested: the subscription ends on 14 February 2027",
    }
    expect(walk.tile()).to_contain_text(told[walk.locale])
    walk.step(
        "La vignette indique la demande et la date de fin.", "The tile shows the request and the end date.", walk.tile()
    )
    assert walk.subscription()["status"] == "ending"


def undo_cancellation(walk: Walk) -> None:
    _undo(walk, {"fr": "Lever l’annulation", "en": "Undo the cancellation"})
    walk.step("L’abonnement continue comme avant.", "The subscription goes on as before.", walk.tile())
    assert walk.subscription()["status"] == "active"


def to_billing(walk: Walk) -> None:
    link = walk.page.get_by_role("link", name=walk["Billing"], exact=True)
    walk.step(
        "Accédez à la page Paiement et facturation.", "Go to the Payment & billing page.", link.first
    )  # fmt: skip
    link.first.click()
    walk.heading("Billing")


def add_card(walk: Walk) -> None:
    """A Mastercard beside the Visa, which stays the default."""
    to_billing(walk)
    walk.step(
        "Sous Modes de paiement, cliquez sur Ajouter une carte de crédit.",
        "Under Payment methods, click Add credit card.",
        walk.button("Add card"),
    )
    walk.button("Add card").click()
    walk.step(
        "Saisissez les informations de paiement de votre carte de crédit et cliquez sur Continuer.",
        "Enter your credit card payment details and click Continue.",
        walk.button("Continue"),
    )
    walk.enter_card("5555555555554444")
    walk.heading("Billing")
    expect(walk.page.get_by_role("status").first).to_contain_text("4444")
    walk.step(
        "La nouvelle carte de crédit apparaît sous Modes de paiement.",
        "The new credit card appears under Payment methods.",
        walk.card("4444"),
    )
    expect(walk.card("4444")).to_be_visible()
    assert walk.cards() == [("4242", True), ("4444", False)]


def delete_card(walk: Walk) -> None:
    """The Mastercard, which is not the default."""
    to_billing(walk)
    more = walk.card("4444").get_by_role("button", name=walk["More actions"], exact=True)
    walk.step(
        "Sous Modes de paiement, cliquez sur Plus d’actions au niveau de la carte de crédit à supprimer.",
        "Under Payment methods, click More actions on the credit card that you want to delete.",
        more,
    )
    more.click()
    item = walk.card("4444").get_by_role("link", name=walk["Delete"], exact=True)
    walk.step("Sélectionnez Supprimer.", "Select Delete.", item)
    item.click()
    walk.heading("Delete card?")
    walk.step(
        "Sur la page Supprimer la carte de crédit ?, cliquez sur Supprimer pour supprimer le mode de paiement.",
        "On the Delete credit card? page, click Delete to delete the payment method.",
        walk.button("Delete"),
    )
    walk.button("Delete").click()
    walk.heading("Billing")
    expect(walk.card("4444")).to_have_count(0)
    assert walk.cards() == [("4242", True)]


def default_card(walk: Walk) -> None:
    """The Mastercard takes the Visa's place."""
    to_billing(walk)
    more = walk.card("4444").get_by_role("button", name=walk["More actions"], exact=True)
    walk.step(
        "Sous Modes de paiement, cliquez sur Plus d’actions au niveau de la carte de crédit à définir par défaut.",
        "Under Payment methods, click More actions on the credit card that you want as the default.",
        more,
    )
    more.click()
    item = walk.card("4444").get_by_role("button", name=walk["Set default"], exact=True)
    walk.step(
        "Sélectionnez Définir comme mode de paiement par défaut.", "Select Set as default payment method.", item
    )  # fmt: skip
    item.click()
    expect(walk.card("4444")).to_contain_text(walk["Default"])
    assert walk.cards() == [("4444", True), ("4242", False)]


def invoices(walk: Walk) -> None:
    """The newest invoice: from the menu to its PDF."""
    page, number = walk.page, walk.state()["invoices"][-1]["number"]
    link = page.get_by_role("navigation").get_by_role("link", name=walk["Payment & billing"])
    walk.step("Accédez à la page Paiement et facturation.", "Go to Payment & billing.", link)
    link.click()
    walk.heading("Payment & billing")
    link = page.get_by_role("link", name=walk["All invoices"])
    walk.step("Ouvrez Factures.", "Open Invoices.", link)
    link.click()
    walk.heading("Invoices")
    link = page.get_by_role("link", name=number, exact=True)
    walk.step("Ouvrez une facture.", "Open an invoice.", link)
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(number)
    link = page.get_by_role("link", name=walk["Download"], exact=True)
    walk.step("Cliquez sur Télécharger.", "Click Download.", link)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == f"facture-{number}.pdf"
    assert download.value.path().read_bytes().startswith(b"%PDF-")


def billing_info(walk: Walk) -> None:
    """Another VAT number, of another country, and a purchase order."""
    page = walk.page
    link = page.get_by_role("link", name=walk["Payment & billing"])
    walk.step("Accédez à la page Paiement et facturation.", "Go to the Payment & billing page.", link)
    link.click()
    change = page.get_by_role("link", name=walk["Change billing information"])
    walk.step("Cliquez sur Modifier les informations de facturation.", "Click Change billing information.", change)
    change.click()
    walk.heading("Change billing information")
    page.get_by_role("combobox", name=walk["Country"], exact=True).select_option("DE")
    walk.labelled("VAT number").fill("de 136 695 976")
    walk.labelled("Purchase order").fill("BC-2027-118")
    walk.step(
        "Corrigez les informations et cliquez sur Enregistrer.",
        "Correct the information and click Save.",
        walk.button("Save"),
    )
    walk.button("Save").click()
    walk.heading("Payment & billing")
    message = page.get_by_role("status").first
    expect(message).to_contain_text("à jour" if walk.locale == "fr" else "up to date")
    expect(page.get_by_text("DE136695976").first).to_be_visible()
    expect(page.get_by_text("BC-2027-118")).to_be_visible()
    walk.step(
        "Les informations sont à jour ; les factures à venir les utilisent.",
        "The information is up to date; future invoices use it.",
        message,
    )


def contact(walk: Walk) -> None:
    """A message about the enterprise subscription, from its tile."""
    page = walk.page
    link = walk.tile(ENTERPRISE).get_by_role("link", name=walk["Contact"])
    walk.step(
        "Sur la vignette, cliquez sur Contacter le responsable de votre compte Qlik.",
        "On the tile, click Contact your Qlik account manager.",
        link,
    )
    link.click()
    walk.heading("Contact")
    expect(walk.labelled("Subject")).to_have_value("renewal")
    text = "Nous souhaitons passer à 300 licences au renouvellement."
    walk.labelled("Your message").fill(text if walk.locale == "fr" else "We would like 300 seats from the renewal on.")
    walk.step(
        "Écrivez votre message et cliquez sur Envoyer.", "Write your message and click Send.", walk.button("Send")
    )
    walk.button("Send").click()
    message = page.get_by_role("status").first
    expect(message).to_contain_text(re.compile(r"C-[2-9A-Z]{8}"))
    walk.step("Un numéro de dossier vous est donné.", "You are given a case number.", message)
    assert len(walk.state()["messages"]) == 1


@dataclass(frozen=True)
class Story:
    """A procedure's id, its title in both languages, the scenario it starts from, and its walk."""

    id: str
    title: dict[str, str]
    scenario: str
    walk: Callable[[Walk], None]


STORIES = (
    Story("renew", {"fr": "Renouvellement d’un abonnement", "en": "Renewing a subscription"}, "business", renew),
    Story("add", {"fr": "Ajout de licences utilisateur", "en": "Adding seats"}, "business", add),
    Story("reduce", {"fr": "Réduction du nombre d’utilisateurs", "en": "Reducing seats"}, "business", reduce),
    Story(
        "undo-reduction", {"fr": "Annulation d’une réduction", "en": "Undoing a reduction"},
        "business-reduction-pending", undo_reduction,
    ),
    Story("cancel", {"fr": "Annulation d’un abonnement", "en": "Cancelling a subscription"}, "business", cancel),
    Story(
        "undo-cancellation", {"fr": "Annulation d’une annulation", "en": "Undoing a cancellation"},
        "business-cancellation-pending", undo_cancellation,
    ),
    Story("add-card", {"fr": "Ajout d’une carte de crédit", "en": "Adding a credit card"}, "business", add_card),
    Story(
        "delete-card", {"fr": "Suppression d’une carte de crédit", "en": "Deleting a credit card"},
        "business-two-cards", delete_card,
    ),
    Story(
        "default-card",
        {"fr": "Définition de la carte de crédit par défaut", "en": "Setting the default credit card"},
        "business-two-cards", default_card,
    ),
    Story("invoices", {"fr": "Téléchargement d’une facture", "en": "Downloading an invoice"}, "business", invoices),
    Story(
        "billing-info",
        {"fr": "Modification des informations de facturation", "en": "Changing the billing information"},
        "business",
        billing_info,
    ),
    Story(
        "contact",
        {"fr": "Contact du responsable de compte", "en": "Contacting the account manager"},
        "enterprise",
        contact,
    ),
)  # fmt: skip
