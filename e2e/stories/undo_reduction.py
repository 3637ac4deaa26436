"""Annulation d'une réduction: the tile shows the original seats again; and Confirmer without « Je comprends »."""

from .steps import click_undo, confirm_button, see_refusal, undo
from .story import story
from .walk import Walk


def undo_reduction(walk: Walk) -> None:
    undo(walk, "Reduction undone")
    walk.see(
        "La vignette de l’abonnement se met à jour pour refléter le nombre initial de licences utilisateur.",
        "The subscription’s tile shows the original number of seats.",
        walk.tile(),
    )
    assert walk.subscription()["next_seats"] == 12


def unticked(walk: Walk) -> None:
    """Confirmer without « Je comprends »."""
    click_undo(walk)
    walk.click(
        "Cliquez sur Confirmer sans cocher Je comprends.",
        "Click Confirm without ticking I understand.",
        confirm_button(walk),
    )
    see_refusal(walk, "La case est à cocher.", "It is to be ticked.", walk.words("Cochez", "Tick"))
    assert [change["state"] for change in walk.subscription()["changes"]] == ["open"]


DOCUMENTED = (
    story(
        "undo-reduction",
        "Annulation d’une réduction",
        "Undoing a reduction",
        "business-reduction-pending",
        undo_reduction,
    ),
)
REFUSALS = (
    story(
        "refused-unticked",
        "Confirmer sans « Je comprends »",
        "Confirm without “I understand”",
        "business-reduction-pending",
        unticked,
    ),
)
