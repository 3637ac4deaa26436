"""Renew and add: a number of paid users, a card, the overview, Payer."""

from playwright.sync_api import expect

from .walk import Walk


def pick(walk: Walk, action: str) -> None:
    """The subscription's tile, and one of its actions."""
    tile = walk.tile()
    walk.step("Accédez à My Qlik et sélectionnez l’abonnement.", "Go to My Qlik and select the subscription.", tile)
    walk.click(
        f"Cliquez sur {'Renouveler' if action == 'Renew' else 'Gérer'}.",
        f"Click {action}.",
        tile.get_by_role("link", name=walk[action]),
    )


def set_seats(walk: Walk, seats: int, cost: str, period: tuple[str, str]) -> None:
    """+ or − until there are so many, the cost at the right, and Continuer; `period` is what they are for."""
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


def pay(walk: Walk, card: str | None = None) -> None:
    """From the payment page to Payer, with the saved card or with a new one."""
    to_overview(walk, card)
    walk.click("Confirmez la sélection et cliquez sur Payer.", "Confirm the selection and click Pay.",
               walk.button("Pay"))  # fmt: skip


def to_overview(walk: Walk, card: str | None = None) -> None:
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


RENEWAL_PERIOD = ("pour la période de renouvellement", "for the renewal period")


def renew(walk: Walk, card: str | None = None) -> None:
    """Two seats more for the next period."""
    pick(walk, "Renew")
    set_seats(walk, 14, "408.00", RENEWAL_PERIOD)
    pay(walk, card)
    walk.heading("Receipt")
    walk.see(
        "Une fois le paiement effectué, votre abonnement est renouvelé.",
        "Once the payment is made, your subscription is renewed.",
    )
    walk.page.goto(f"{walk.sandbox.url}/subscriptions")
    expect(walk.tile()).to_contain_text(
        walk.words("Renouvelé jusqu’au 14 mars 2027", "Renewed until 14 March 2027")
    )  # fmt: skip
    walk.see("La vignette de l’abonnement le dit.", "The subscription’s tile says so.", walk.tile())
    assert walk.subscription()["next_seats"] == 14
    assert walk.payments() == ["captured"]


def renew_with_a_new_card(walk: Walk) -> None:
    """The new card is saved, and the default stays the default."""
    renew(walk, "5555555555554444")
    assert walk.cards() == [("4242", True), ("4444", False)]


def add(walk: Walk) -> None:
    """Two seats more, now: the stepper starts at one more."""
    pick(walk, "Manage")
    walk.click(
        "Cliquez sur Ajouter des licences utilisateur.",
        "Click Add seats.",
        walk.page.get_by_role("dialog").get_by_role("link", name=walk["Add seats"]),
    )
    set_seats(walk, 14, "408.00", ("dès maintenant", "from now on"))
    pay(walk)
    walk.heading("Receipt")
    walk.see(
        "Les licences sont ajoutées ; le montant au prorata est payé.",
        "The seats are added; the prorated amount is paid.",
    )
    assert walk.subscription()["seats"] == 14
    assert walk.payments() == ["captured"]
