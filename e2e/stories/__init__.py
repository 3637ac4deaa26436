"""Each documented procedure, and each refusal, as a story: its steps in the words of the help page, and what the owner
does at each step. The tests and the recordings walk the same stories. A module holds one procedure.
"""

from . import (
    add,
    add_card,
    billing_info,
    cancel,
    contact,
    default_card,
    delete_card,
    invoices,
    own_email,
    reduce,
    renew,
    second_factor,
    team,
    undo_cancellation,
    undo_reduction,
)
from .labels import ENTERPRISE, LABELS, PRODUCT
from .story import Story
from .walk import Sentence, Step, Walk, sentence

__all__ = ["ENTERPRISE", "LABELS", "PRODUCT", "REFUSALS", "STORIES", "Sentence", "Step", "Story", "Walk", "sentence"]

STORIES = (
    *renew.DOCUMENTED,
    *add.DOCUMENTED,
    *reduce.DOCUMENTED,
    *undo_reduction.DOCUMENTED,
    *cancel.DOCUMENTED,
    *undo_cancellation.DOCUMENTED,
    *add_card.DOCUMENTED,
    *delete_card.DOCUMENTED,
    *default_card.DOCUMENTED,
    *billing_info.DOCUMENTED,
    *invoices.DOCUMENTED,
    *contact.DOCUMENTED,
    *team.DOCUMENTED,
    *second_factor.DOCUMENTED,
    *own_email.DOCUMENTED,
)
REFUSALS = (
    *renew.REFUSALS,
    *add.REFUSALS,
    *reduce.REFUSALS,
    *undo_reduction.REFUSALS,
    *delete_card.REFUSALS,
)
