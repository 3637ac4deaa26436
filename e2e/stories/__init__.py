"""Each documented procedure, and each refusal, as a story: its steps in the words of the help page, and what the owner
does at each. Tests, recordings and the documentation all walk the same story.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import billing, changes, purchases, refusals
from .labels import ENTERPRISE, LABELS, PRODUCT
from .walk import Sentence, Step, Walk, sentence

__all__ = ["ENTERPRISE", "LABELS", "PRODUCT", "REFUSALS", "STORIES", "Sentence", "Step", "Story", "Walk"]


@dataclass(frozen=True)
class Story:
    """A procedure's id, its title, the scenario it starts from, and its walk."""

    id: str
    title: Sentence
    scenario: str
    walk: Callable[[Walk], None]


def _story(name: str, fr: str, en: str, scenario: str, walk: Callable[[Walk], None]) -> Story:
    return Story(name, sentence(fr, en), scenario, walk)


TWO_CARDS = "business-two-cards"
STORIES = (
    _story("renew", "Renouvellement d’un abonnement", "Renewing a subscription", "business", purchases.renew),
    _story("renew-new-card", "Renouvellement avec une nouvelle carte", "Renewing with a new card", "business",
           purchases.renew_with_a_new_card),
    _story("add", "Ajout de licences utilisateur", "Adding seats", "business", purchases.add),
    _story("reduce", "Réduction du nombre d’utilisateurs", "Reducing the number of users", "business", changes.reduce),
    _story("undo-reduction", "Annulation d’une réduction", "Undoing a reduction", "business-reduction-pending",
           changes.undo_reduction),
    _story("cancel", "Annulation d’un abonnement", "Cancelling a subscription", "business", changes.cancel),
    _story("undo-cancellation", "Annulation d’une annulation", "Undoing a cancellation",
           "business-cancellation-pending", changes.undo_cancellation),
    _story("add-card", "Ajout d’une carte de crédit", "Adding a credit card", "business", billing.add_card),
    _story("delete-card", "Suppression d’une carte de crédit", "Deleting a credit card", TWO_CARDS,
           billing.delete_card),
    _story("default-card", "Modification du mode de paiement par défaut", "Changing the default payment method",
           TWO_CARDS, billing.default_card),
    _story("billing-info", "Modification des informations de facturation", "Changing the billing information",
           "business", billing.billing_info),
    _story("invoices", "Consultation et téléchargement d’une facture", "Seeing and downloading an invoice",
           "business", billing.invoices),
    _story("contact", "Contact du responsable de compte", "Contacting the account manager", "enterprise",
           billing.contact),
)  # fmt: skip
REFUSALS = (
    _story("refused-floor", "Moins de licences que d’utilisateurs actifs", "Fewer seats than active users",
           "business-at-floor", refusals.floor),
    _story("refused-wait", "Avant que deux minutes soient écoulées", "Before two minutes are over",
           "business-at-floor", refusals.two_minutes),
    _story("refused-default-card", "Suppression de la carte par défaut", "Deleting the default card", TWO_CARDS,
           refusals.default_card),
    _story("refused-unticked", "Confirmer sans « Je comprends »", "Confirm without “I understand”",
           "business-reduction-pending", refusals.unticked),
    _story("refused-declined", "Carte refusée par la banque", "A card that the bank declines", TWO_CARDS,
           refusals.declined),
    _story("refused-3ds", "3-D Secure abandonné", "3-D Secure given up", "business", refusals.abandoned),
    _story("refused-price", "Prix qui change avant Payer", "A price that moves before Pay", "business",
           refusals.price_moved),
    _story("refused-enterprise", "Renouvellement d’un abonnement Enterprise", "Renewing an Enterprise subscription",
           "both", refusals.enterprise),
)  # fmt: skip
