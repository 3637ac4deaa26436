"""Reduce, cancel, and the undoing of either: a dialog, Je comprends, Confirmer."""

from playwright.sync_api import Locator, expect

from .labels import LABELS
from .purchases import pick, set_seats
from .walk import Walk


def manage(walk: Walk, what: str) -> None:
    """Gérer on the tile, and one of what it lists."""
    pick(walk, "Manage")
    entry = walk.page.get_by_role("dialog").get_by_role("link", name=walk[what])
    walk.click(f"Cliquez sur {LABELS['fr'][what]}.", f"Click {LABELS['en'][what]}.", entry)


def confirm(walk: Walk, title: str, fr: str, en: str) -> None:
    """Je comprends and Confirmer in the dialog that is open: one step of the help page, `fr` and `en`."""
    walk.page.get_by_role("dialog", name=walk[title]).get_by_label(walk["I understand"]).check()
    walk.click(fr, en, confirm_button(walk))
    expect(walk.page.get_by_role("dialog")).to_have_count(0)


REVIEW = (
    "Passez en revue la boîte de dialogue de confirmation, sélectionnez Je comprends et cliquez sur Confirmer.",
    "Review the confirmation dialog, select I understand and click Confirm.",
)
TICK = ("Cochez la case Je comprends et cliquez sur Confirmer.", "Tick I understand and click Confirm.")


def confirm_button(walk: Walk) -> Locator:
    return walk.page.get_by_role("dialog").get_by_role("button", name=walk["Confirm"])


NEXT_PERIOD = ("pour la période d’abonnement suivante", "for the next subscription period")


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


def undo_button(walk: Walk) -> Locator:
    return walk.tile().get_by_role("link", name=walk["Undo request"])


def _undo(walk: Walk, title: str) -> None:
    walk.click(
        "Dans My Qlik, recherchez l’abonnement et cliquez sur Annuler la demande.",
        "In My Qlik, find the subscription and click Undo request.",
        undo_button(walk),
    )
    confirm(walk, title, *TICK)
    expect(undo_button(walk)).to_have_count(0)


def undo_reduction(walk: Walk) -> None:
    _undo(walk, "Reduction undone")
    walk.see(
        "La vignette de l’abonnement se met à jour pour refléter le nombre initial de licences utilisateur.",
        "The subscription’s tile shows the original number of seats.",
        walk.tile(),
    )
    assert walk.subscription()["next_seats"] == 12


def cancel(walk: Walk) -> None:
    """At the end of what is paid."""
    manage(walk, "Cancel subscription")
    confirm(walk, "Cancel subscription", *REVIEW)
    expect(walk.tile()).to_contain_text(
        walk.words(
            "Annulation demandée : l’abonnement prend fin le 14 février 2027",
            "Cancellation requested: the subscription ends on 14 February 2027",
        )
    )
    walk.see(
        "L’annulation s’appliquera à la fin de votre période d’abonnement actuelle.",
        "The cancellation applies at the end of your current subscription period.",
        walk.tile(),
    )
    assert walk.subscription()["status"] == "ending"


def undo_cancellation(walk: Walk) -> None:
    _undo(walk, "Cancellation undone")
    walk.see("L’abonnement continue comme avant.", "The subscription goes on as before.", walk.tile())
    assert walk.subscription()["status"] == "active"
