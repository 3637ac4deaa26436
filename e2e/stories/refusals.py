"""What the portal refuses, and the way on that it shows."""

import re

from playwright.sync_api import expect

from .billing import open_menu, to_billing
from .changes import NEXT_PERIOD, confirm_button, manage, undo_button
from .labels import ENTERPRISE
from .purchases import RENEWAL_PERIOD, pay, pick, set_seats, to_overview
from .walk import Walk

UNRENEWED = "2027-02-15"


def _refused(walk: Walk, fr: str, en: str, told: str) -> None:
    """The alert that says why, for a reader of the screen too: it has the focus."""
    expect(walk.alert()).to_contain_text(re.compile(told))
    expect(walk.alert()).to_be_focused()
    walk.see(fr, en, walk.alert())


def _unpaid(walk: Walk) -> None:
    assert walk.subscription()["periods"][-1]["end"] == UNRENEWED
    assert "captured" not in [charge["state"] for charge in walk.state()["gateway"]["charges"]]


def floor(walk: Walk) -> None:
    """Twelve users are active: eleven seats are not enough."""
    pick(walk, "Renew")
    set_seats(walk, 11, "327.00", RENEWAL_PERIOD)
    _refused(
        walk,
        "Vous ne pouvez pas réduire le nombre de licences utilisateur en deçà du nombre d’utilisateurs actifs "
        "du client.",
        "You cannot reduce the number of seats below the number of active users in the tenant.",
        walk.words("12 utilisateurs actifs.*attendez au moins deux minutes", "12 active users.*at least two minutes"),
    )
    expect(walk.page).to_have_title(re.compile(walk.words("^Erreur", "^Error")))
    _unpaid(walk)


def two_minutes(walk: Walk) -> None:
    """Three users are removed; the portal counts nine of them only two minutes later."""
    account, button = walk.account["account"], walk.button("Continue")
    manage(walk, "Reduce seats")
    set_seats(walk, 9, "270.00", NEXT_PERIOD)
    told = walk.words("12 utilisateurs actifs", "12 active users")
    _refused(walk, "12 utilisateurs sont actifs.", "12 users are active.", told)
    walk.sandbox.users(account, 9)
    walk.sandbox.clock(account, advance="PT1M")
    walk.click(
        "Retirez des utilisateurs, et poursuivez après une minute seulement.",
        "Remove users, and go on after one minute only.",
        button,
    )
    _refused(walk, "Deux minutes ne sont pas écoulées.", "Two minutes are not over.", told)
    assert walk.subscription()["changes"] == []
    walk.sandbox.clock(account, advance="PT1M")
    walk.click("Attendez au moins deux minutes avant de poursuivre.", "Wait at least two minutes, then go on.", button)
    walk.see("La boîte de dialogue de confirmation s’ouvre.", "The confirmation dialog opens.", confirm_button(walk))


def default_card(walk: Walk) -> None:
    """The default card stays until another takes its place."""
    to_billing(walk)
    item = open_menu(walk, "4242", "supprimer", "delete").get_by_role("link", name=walk["Delete"], exact=True)
    walk.click("Sélectionnez Supprimer.", "Select Delete.", item)
    walk.heading("Delete card?")
    expect(walk.button("Delete")).to_have_count(0)
    walk.see(
        "Vous ne pouvez pas supprimer le mode de paiement par défaut. Définissez un autre mode de paiement par défaut.",
        "You cannot delete the default payment method. Make another one the default first.",
        walk.alert(),
    )
    walk.alert().locator("xpath=..").get_by_role("link").first.click()
    walk.heading("Billing")
    assert walk.cards() == [("4242", True), ("4444", False)]


def unticked(walk: Walk) -> None:
    """Confirmer without « Je comprends »."""
    walk.click(
        "Dans My Qlik, recherchez l’abonnement et cliquez sur Annuler la demande.",
        "In My Qlik, find the subscription and click Undo request.",
        undo_button(walk),
    )
    walk.click("Cliquez sur Confirmer sans cocher Je comprends.", "Click Confirm without ticking I understand.",
               confirm_button(walk))  # fmt: skip
    _refused(walk, "La case est à cocher.", "It is to be ticked.", walk.words("Cochez", "Tick"))
    assert [change["state"] for change in walk.subscription()["changes"]] == ["open"]


def declined(walk: Walk) -> None:
    """The bank refuses one card, and takes the other."""
    walk.sandbox.gateway(walk.account["account"], "decline")
    pick(walk, "Renew")
    set_seats(walk, 14, "408.00", RENEWAL_PERIOD)
    pay(walk)
    walk.heading("Payment")
    expect(walk.alert()).to_contain_text(walk.words("Rien n’a été débité", "Nothing was charged"))
    walk.see("La banque a refusé la carte ; rien n’a été débité.", "The bank refused the card; nothing was charged.",
             walk.alert())  # fmt: skip
    _unpaid(walk)
    walk.step("Sélectionnez une autre carte.", "Select another card.",
              walk.page.get_by_role("radio", name="4444")).check()  # fmt: skip
    walk.click("Cliquez sur Continuer.", "Click Continue.", walk.button("Continue"))
    walk.click("Cliquez sur Payer.", "Click Pay.", walk.button("Pay"))
    walk.heading("Receipt")
    walk.see("Cette carte est acceptée.", "This card is accepted.")
    assert walk.payments() == ["declined", "captured"]


def abandoned(walk: Walk) -> None:
    """3-D Secure, and the owner goes no further."""
    walk.sandbox.gateway(walk.account["account"], "challenge")
    pick(walk, "Renew")
    set_seats(walk, 14, "408.00", RENEWAL_PERIOD)
    pay(walk)
    walk.heading("Challenge")
    walk.see("La banque demande une confirmation (3-D Secure).", "The bank asks for a confirmation (3-D Secure).",
             walk.page.get_by_role("link", name=walk["To the bank"]))  # fmt: skip
    walk.click("Cliquez sur Abandonner ce paiement.", "Click Cancel payment.", walk.button("Abandon"))
    expect(walk.alert()).to_be_visible()
    walk.see("Le paiement n’a pas abouti.", "The payment did not go through.", walk.alert())
    assert walk.payments() == ["cancelled"]
    _unpaid(walk)


def price_moved(walk: Walk) -> None:
    """The overview is from before midnight: there is a day less to pay for."""
    account = walk.account["account"]
    walk.sandbox.clock(account, to="2027-01-20T23:45:00")
    manage(walk, "Add seats")
    set_seats(walk, 14, "408.00", ("dès maintenant", "from now on"))
    to_overview(walk)
    walk.sandbox.clock(account, advance="PT20M")
    walk.click("Confirmez la sélection et cliquez sur Payer, après minuit.", "Confirm and click Pay, after midnight.",
               walk.button("Pay"))  # fmt: skip
    walk.heading("Overview")
    _refused(
        walk,
        "Le prix a changé entre-temps : rien n’est débité, et la vue d’ensemble dit ce qui est nouveau.",
        "The price has moved: nothing is charged, and the overview says what is new.",
        walk.words("Le total passe de", "The total goes from"),
    )
    assert walk.payments() == []
    walk.click("Confirmez et cliquez sur Payer.", "Confirm and click Pay.", walk.button("Pay"))
    walk.heading("Receipt")
    walk.see("Le nouveau prix est payé.", "The new price is paid.")
    assert walk.payments() == ["captured"]


def enterprise(walk: Walk) -> None:
    """The plan forbids it: 403, and the account manager."""
    page = walk.page
    tile = walk.tile(ENTERPRISE)
    expect(tile.get_by_role("link", name=walk["Renew"])).to_have_count(0)
    walk.see("La vignette ne propose pas de renouveler.", "The tile does not offer to renew.", tile)
    address = f"{walk.sandbox.url}/subscriptions/{walk.account['subscriptions']['enterprise']}/renew"
    answer = page.goto(address)
    assert answer
    assert answer.status == 403
    walk.heading("Refused")
    walk.click(
        "Pour renouveler votre abonnement, contactez le responsable de votre compte Qlik.",
        "To renew your subscription, contact your Qlik account manager.",
        page.get_by_role("main").get_by_role("link", name=walk["Contact"]),
    )
    walk.heading("Contact")
    walk.see("Son nom, son e-mail et son téléphone sont là.", "The manager’s name, e-mail and phone are there.",
             page.get_by_role("link", name="sophie.laurent@example.test"))  # fmt: skip
    assert walk.state()["messages"] == []
