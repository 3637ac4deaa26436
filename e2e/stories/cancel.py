"""Annulation de l'abonnement: at the end of the paid period."""

from playwright.sync_api import expect

from .steps import REVIEW, confirm, manage
from .story import story
from .walk import Walk


def cancel(walk: Walk) -> None:
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


DOCUMENTED = (story("cancel", "Annulation d’un abonnement", "Cancelling a subscription", "business", cancel),)
