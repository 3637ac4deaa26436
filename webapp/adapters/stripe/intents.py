"""Reads a PaymentIntent: whether it has the portal's key, which outcome it stands for, and what it captured."""

from datetime import UTC, datetime
from typing import Any

from ...domain.money import Money
from ...ports import ActionRequired, Cancelled, Capture, Captured, Declined, Outcome, OutcomeUnknown
from .words import BRANDS, decline_code

Intent = dict[str, Any]  # a PaymentIntent, as the API returns it


def has_key(stripe_object: dict[str, Any], key: str) -> bool:
    """Whether the portal's key is in the metadata of an intent or a refund."""
    return (stripe_object.get("metadata") or {}).get("key") == key


def money_of(intent: Intent) -> Money:
    return Money(intent["amount"], intent["currency"].upper())


def capture_of(intent: Intent) -> Capture:
    """The brand and last digits of the card are known only if the intent shows its charge in full."""
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    metadata = intent.get("metadata") or {}
    return Capture(
        key=metadata.get("key", ""),
        money=money_of(intent),
        metadata=metadata,
        captured_at=datetime.fromtimestamp(charge.get("created") or intent["created"], UTC),
        card_token=intent.get("payment_method") or "",
        card_brand=brand_name(card["brand"]) if card else "",
        card_last4=card.get("last4") or "",
    )


def brand_name(brand: str) -> str:
    return BRANDS.get(brand, brand.title())[:20]


def outcome_of(intent: Intent) -> Outcome | None:
    """The outcome of an intent; None if it is created, but not yet charged or declined, and has no page for the owner.

    Raises OutcomeUnknown while Stripe is processing it.
    """
    match intent["status"]:
        case "succeeded":
            return Captured(capture_of(intent))
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
