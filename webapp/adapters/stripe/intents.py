"""Reads a PaymentIntent: whether it has the portal's key, and which outcome it stands for."""

from typing import Any

from ...ports import ActionRequired, Cancelled, Captured, Declined, Outcome, OutcomeUnknown
from .words import decline_code

Intent = dict[str, Any]  # a PaymentIntent, as the API returns it


def has_key(stripe_object: dict[str, Any], key: str) -> bool:
    """Whether the portal's key is in the metadata of an intent or a refund."""
    return (stripe_object.get("metadata") or {}).get("key") == key


def outcome_of(intent: Intent) -> Outcome | None:
    """The outcome of an intent; None if it is created, but not yet charged or declined, and has no page for the owner.

    Raises OutcomeUnknown while Stripe is processing it.
    """
    match intent["status"]:
        case "succeeded":
            return Captured()
        case "canceled":
            refusal = (intent.get("metadata") or {}).get("refused")
            return Declined(refusal) if refusal else Cancelled()
        case "requires_action":
            page = ((intent.get("next_action") or {}).get("redirect_to_url") or {}).get("url")
            return ActionRequired(page) if page else None
        case "requires_payment_method":
            fault = intent.get("last_payment_error")
            if not fault or fault.get("code") == "authentication_required":  # the owner was absent
                return None
            return Declined(decline_code(fault))
        case "processing" | "requires_capture":
            raise OutcomeUnknown(intent["id"])
    return None
