"""Réduction: fewer seats from the next period on; and the two minutes after users are removed."""

from playwright.sync_api import expect

from .steps import NEXT_PERIOD, REVIEW, confirm, confirm_button, manage, see_refusal, set_seats
from .story import story
from .walk import Walk


def reduce(walk: Walk) -> None:
    """From twelve seats to eight, from the next period on."""
    manage(walk, "Reduce seats")
    set_seats(walk, 8, "240.00", NEXT_PERIOD)
    confirm(walk, "Reduce seats", *REVIEW)
    expect(walk.tile()).to_contain_text(
        walk.words(
            "Réduction demandée : 12 → 8 licences utilisateur, à compter du 15 février 2027",
            "Reduction requested: 12 → 8 seats, from 15 February 2027",
        )
    )
    walk.see(
        "La vignette de l’abonnement est mise à jour pour indiquer la réduction demandée "
        "et la date d’entrée en vigueur.",
        "The subscription’s tile shows the requested reduction and the date it takes effect.",
        walk.tile(),
    )
    assert (walk.subscription()["seats"], walk.subscription()["next_seats"]) == (12, 8)


def before_two_minutes(walk: Walk) -> None:
    """Three users are removed; the portal counts nine of them only two minutes later."""
    account, button = walk.account["account"], walk.button("Continue")
    manage(walk, "Reduce seats")
    set_seats(walk, 9, "270.00", NEXT_PERIOD)
    twelve_active = walk.words("12 utilisateurs actifs", "12 active users")
    see_refusal(walk, "12 utilisateurs sont actifs.", "12 users are active.", twelve_active)
    walk.sandbox.users(account, 9)
    walk.sandbox.clock(account, advance="PT1M")
    walk.click(
        "Retirez des utilisateurs, et poursuivez après une minute seulement.",
        "Remove users, and go on after one minute only.",
        button,
    )
    see_refusal(walk, "Deux minutes ne sont pas écoulées.", "Two minutes are not over.", twelve_active)
    assert walk.subscription()["changes"] == []
    walk.sandbox.clock(account, advance="PT1M")
    walk.click("Attendez au moins deux minutes avant de poursuivre.", "Wait at least two minutes, then go on.", button)
    walk.see("La boîte de dialogue de confirmation s’ouvre.", "The confirmation dialog opens.", confirm_button(walk))


DOCUMENTED = (
    story("reduce", "Réduction du nombre d’utilisateurs", "Reducing the number of users", "business", reduce),
)
REFUSALS = (
    story(
        "refused-wait",
        "Avant que deux minutes soient écoulées",
        "Before two minutes are over",
        "business-at-floor",
        before_two_minutes,
    ),
)
