"""Steps that several procedures share, each with its sentence of the help page."""

import re

from playwright.sync_api import Locator, expect

from .labels import LABELS
from .walk import Walk

RENEWAL_PERIOD = ("pour la période de renouvellement", "for the renewal period")
NEXT_PERIOD = ("pour la période d’abonnement suivante", "for the next subscription period")
FROM_NOW_ON = ("dès maintenant", "from now on")
REVIEW = (
    "Passez en revue la boîte de dialogue de confirmation, sélectionnez Je comprends et cliquez sur Confirmer.",
    "Review the confirmation dialog, select I understand and click Confirm.",
)
TICK = ("Cochez la case Je comprends et cliquez sur Confirmer.", "Tick I understand and click Confirm.")


def pick(walk: Walk, action: str) -> None:
    """Selects the subscription's tile and clicks one of its actions."""
    tile = walk.tile()
    walk.step("Accédez à My Qlik et sélectionnez l’abonnement.", "Go to My Qlik and select the subscription.", tile)
    walk.click(
        f"Cliquez sur {'Renouveler' if action == 'Renew' else 'Gérer'}.",
        f"Click {action}.",
        tile.get_by_role("link", name=walk[action]),
    )


def manage(walk: Walk, change: str) -> None:
    """Opens Gérer on the tile and clicks one of the changes that it lists."""
    pick(walk, "Manage")
    entry = walk.page.get_by_role("dialog").get_by_role("link", name=walk[change])
    walk.click(f"Cliquez sur {LABELS['fr'][change]}.", f"Click {LABELS['en'][change]}.", entry)


def set_seats(walk: Walk, seats: int, cost: str, period: tuple[str, str]) -> None:
    """Clicks + or − up to this number, checks the cost at the right, and continues; `period` is what it is for."""
    field = walk.labelled("seats")
    start = int(field.input_value())
    change = walk.button("Increase" if seats > start else "Decrease")
    walk.step(
        f"Cliquez sur + ou sur – pour spécifier le nombre d’utilisateurs payants {period[0]}.",
        f"Click + or – to set the number of paid users {period[1]}.",
        change,
    )
    by = 1 if seats > start else -1
    for number in range(start + by, seats + by, by):
        change.click()
        expect(field).to_have_value(str(number))
    expect(walk.cost()).to_contain_text(walk.words(cost.replace(".", ","), cost))
    walk.see(
        "Le coût mensuel basé sur le tarif progressif apparaît à droite.",
        "The monthly cost, based on tiered pricing, appears to the right.",
        walk.cost(),
    )
    walk.click("Cliquez sur Continuer.", "Click Continue.", walk.button("Continue"))


def to_overview(walk: Walk, card: str | None = None) -> None:
    """From the payment page to Vue d'ensemble, with the saved card, or with a new one of this number."""
    page = walk.page
    walk.heading("Payment")
    walk.see("La page de paiement apparaît.", "The payment page appears.")
    if card:
        walk.click(
            "Pour ajouter une nouvelle carte de crédit, cliquez sur Ajouter un nouveau mode de paiement.",
            "To add a new credit card, click Add new payment method.",
            walk.button("new card"),
        )
        walk.type_card(card)
        walk.click(
            "Saisissez les informations de la nouvelle carte de crédit.",
            "Enter the new credit card’s details.",
            walk.button("Continue"),
        )
        walk.heading("Payment")
    chosen = page.get_by_role("radio", checked=True)
    expect(chosen).to_have_count(1)
    expect(page.locator("label", has=page.locator("input:checked"))).to_contain_text((card or "4242")[-4:])
    walk.step(
        "Pour utiliser la carte de crédit enregistrée, vérifiez qu’elle est sélectionnée.",
        "To use the saved credit card, check that it is selected.",
        chosen,
    )
    walk.click("Cliquez sur Continuer.", "Click Continue.", walk.button("Continue"))
    walk.heading("Overview")
    walk.see("La page Vue d’ensemble affiche les sélections.", "The Overview page shows the selections.")


def pay(walk: Walk, card: str | None = None) -> None:
    """From the payment page to Payer. `card`: the number of a new card to enter; None: the saved card."""
    to_overview(walk, card)
    walk.click(
        "Confirmez la sélection et cliquez sur Payer.", "Confirm the selection and click Pay.", walk.button("Pay")
    )


def confirm_button(walk: Walk) -> Locator:
    return walk.page.get_by_role("dialog").get_by_role("button", name=walk["Confirm"])


def confirm(walk: Walk, title: str, fr: str, en: str) -> None:
    """Je comprends and Confirmer in the open dialog; `fr` and `en` are the help page's sentence for both."""
    walk.page.get_by_role("dialog", name=walk[title]).get_by_label(walk["I understand"]).check()
    walk.click(fr, en, confirm_button(walk))
    expect(walk.page.get_by_role("dialog")).to_have_count(0)


def undo_button(walk: Walk) -> Locator:
    return walk.tile().get_by_role("link", name=walk["Undo request"])


def click_undo(walk: Walk) -> None:
    walk.click(
        "Dans My Qlik, recherchez l’abonnement et cliquez sur Annuler la demande.",
        "In My Qlik, find the subscription and click Undo request.",
        undo_button(walk),
    )


def undo(walk: Walk, title: str) -> None:
    click_undo(walk)
    confirm(walk, title, *TICK)
    expect(undo_button(walk)).to_have_count(0)


def to_billing(walk: Walk) -> None:
    walk.click(
        "Dans My Qlik, accédez à la page Paiement et facturation.",
        "In My Qlik, go to the Payment & billing page.",
        walk.page.get_by_role("navigation").get_by_role("link", name=walk["Billing"], exact=True),
    )
    walk.heading("Billing")


def open_menu(walk: Walk, last4: str, fr: str, en: str) -> Locator:
    """Opens a card's menu; `fr` and `en` end the sentence: what the menu is opened for."""
    walk.click(
        f"Sous Modes de paiement, cliquez sur Plus d’actions au niveau de la carte de crédit à {fr}.",
        f"Under Payment methods, click More actions at the credit card to {en}.",
        walk.more_actions(last4),
    )
    return walk.card(last4)


def see_refusal(walk: Walk, fr: str, en: str, pattern: str) -> None:
    """The alert gives the reason, and has the focus, so that a screen reader reads it."""
    expect(walk.alert()).to_contain_text(re.compile(pattern))
    expect(walk.alert()).to_be_focused()
    walk.see(fr, en, walk.alert())
