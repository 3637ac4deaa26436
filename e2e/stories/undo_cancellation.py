"""Annulation d'une annulation: the subscription goes on as before."""

from .steps import undo
from .story import story
from .walk import Walk


def undo_cancellation(walk: Walk) -> None:
    undo(walk, "Cancellation undone")
    walk.see("L’abonnement continue comme avant.", "The subscription goes on as before.", walk.tile())
    assert walk.subscription()["status"] == "active"


DOCUMENTED = (
    story(
        "undo-cancellation",
        "Annulation d’une annulation",
        "Undoing a cancellation",
        "business-cancellation-pending",
        undo_cancellation,
    ),
)
