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
        "Holder": "Nom du titulaire", "Receipt": "Reçu", "Payment": "Paiement",
        "Payment & billing": "Paiement et facturation", "Save": "Enregistrer", "Send": "Envoyer",
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
        "Payment & billing": "Payment & billing", "Save": "Save", "Send": "Send",
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
)
