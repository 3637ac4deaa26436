"""Renouvellement: the seats of the next period, a card, Vue d'ensemble, Payer; and what is refused on the way."""

import re

from playwright.sync_api import expect

from .labels import ENTERPRISE
from .steps import RENEWAL_PERIOD, pay, pick, see_refusal, set_seats
from .story import story
from .walk import Walk

END_WITHOUT_RENEWAL = "2027-02-15"


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
    expect(walk.tile()).to_contain_text(walk.words("Renouvelé jusqu’au 14 mars 2027", "Renewed until 14 March 2027"))
    walk.see("La vignette de l’abonnement le dit.", "The subscription’s tile says so.", walk.tile())
    assert walk.subscription()["next_seats"] == 14
    assert walk.payments() == ["captured"]


def renew_with_a_new_card(walk: Walk) -> None:
    """The new card is saved, and the default card does not change."""
    renew(walk, "5555555555554444")
    assert walk.cards() == [("4242", True), ("4444", False)]


def _assert_not_renewed(walk: Walk) -> None:
    assert walk.subscription()["periods"][-1]["end"] == END_WITHOUT_RENEWAL
    assert "captured" not in [charge["state"] for charge in walk.state()["gateway"]["charges"]]


def below_active_users(walk: Walk) -> None:
    """Twelve users are active: eleven seats are not enough."""
    pick(walk, "Renew")
    set_seats(walk, 11, "327.00", RENEWAL_PERIOD)
    see_refusal(
        walk,
        "Vous ne pouvez pas réduire le nombre de licences utilisateur en deçà du nombre d’utilisateurs actifs "
        "du client.",
        "You cannot reduce the number of seats below the number of active users in the tenant.",
        walk.words("12 utilisateurs actifs.*attendez au moins deux minutes", "12 active users.*at least two minutes"),
    )
    expect(walk.page).to_have_title(re.compile(walk.words("^Erreur", "^Error")))
    _assert_not_renewed(walk)


def declined_card(walk: Walk) -> None:
    """The bank declines one card and accepts the other."""
    walk.sandbox.gateway(walk.account["account"], "decline")
    pick(walk, "Renew")
    set_seats(walk, 14, "408.00", RENEWAL_PERIOD)
    pay(walk)
    walk.heading("Payment")
    expect(walk.alert()).to_contain_text(walk.words("Rien n’a été débité", "Nothing was charged"))
    walk.see(
        "La banque a refusé la carte ; rien n’a été débité.",
        "The bank refused the card; nothing was charged.",
        walk.alert(),
    )
    _assert_not_renewed(walk)
    other_card = walk.page.get_by_role("radio", name="4444")
    walk.step("Sélectionnez une autre carte.", "Select another card.", other_card).check()
    walk.click("Cliquez sur Continuer.", "Click Continue.", walk.button("Continue"))
    walk.click("Cliquez sur Payer.", "Click Pay.", walk.button("Pay"))
    walk.heading("Receipt")
    walk.see("Cette carte est acceptée.", "This card is accepted.")
    assert walk.payments() == ["declined", "captured"]


def abandoned_3d_secure(walk: Walk) -> None:
    """The bank asks for a confirmation (3-D Secure), and the owner cancels the payment."""
    walk.sandbox.gateway(walk.account["account"], "challenge")
    pick(walk, "Renew")
    set_seats(walk, 14, "408.00", RENEWAL_PERIOD)
    pay(walk)
    walk.heading("Challenge")
    walk.see(
        "La banque demande une confirmation (3-D Secure).",
        "The bank asks for a confirmation (3-D Secure).",
        walk.page.get_by_role("link", name=walk["To the bank"]),
    )
    walk.click("Cliquez sur Abandonner ce paiement.", "Click Cancel payment.", walk.button("Abandon"))
    expect(walk.alert()).to_be_visible()
    walk.see("Le paiement n’a pas abouti.", "The payment did not go through.", walk.alert())
    assert walk.payments() == ["cancelled"]
    _assert_not_renewed(walk)


def enterprise_plan(walk: Walk) -> None:
    """The plan does not allow it: a crafted request gets 403 and the way to the account manager."""
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
    walk.see(
        "Son nom, son e-mail et son téléphone sont là.",
        "The manager’s name, e-mail and phone are there.",
        page.get_by_role("link", name="sophie.laurent@example.test"),
    )
    assert walk.state()["messages"] == []


DOCUMENTED = (
    story("renew", "Renouvellement d’un abonnement", "Renewing a subscription", "business", renew),
    story(
        "renew-new-card",
        "Renouvellement avec une nouvelle carte",
        "Renewing with a new card",
        "business",
        renew_with_a_new_card,
    ),
)
REFUSALS = (
    story(
        "refused-floor",
        "Moins de licences que d’utilisateurs actifs",
        "Fewer seats than active users",
        "business-at-floor",
        below_active_users,
    ),
    story(
        "refused-declined",
        "Carte refusée par la banque",
        "A card that the bank declines",
        "business-two-cards",
        declined_card,
    ),
    story("refused-3ds", "3-D Secure abandonné", "3-D Secure given up", "business", abandoned_3d_secure),
    story(
        "refused-enterprise",
        "Renouvellement d’un abonnement Enterprise",
        "Renewing an Enterprise subscription",
        "both",
        enterprise_plan,
    ),
)
