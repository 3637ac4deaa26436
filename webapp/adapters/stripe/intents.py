"""What a PaymentIntent, as the API shows it, says of a payment."""

from datetime import UTC, datetime
from typing import Any

from ...domain.money import Money
from ...ports import ActionRequired, Cancelled, Capture, Captured, Declined, Outcome, OutcomeUnknown
from .words import BRANDS, decline_code

Intent = dict[str, Any]


def key_of(shown: dict[str, Any]) -> str | None:
    """The portal's key, which it has as metadata; None if another system made it."""
    key = (shown.get("metadata") or {}).get("key")
    return key if isinstance(key, str) else None


def money_of(intent: Intent) -> Money:
    return Money(intent["amount"], intent["currency"].upper())


def capture_of(intent: Intent) -> Capture:
    """The card's brand and digits are known where the charge is shown in full, too."""
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    return Capture(
        key=key_of(intent) or "",
        money=money_of(intent),
        metadata=intent.get("metadata") or {},
        captured_at=datetime.fromtimestamp(charge.get("created") or intent["created"], UTC),
        card_token=intent.get("payment_method") or "",
        card_brand=brand_name(card["brand"]) if card else "",
        card_last4=card.get("last4") or "",
    )


def brand_name(brand: str) -> str:
    return BRANDS.get(brand, brand.title())[:20]


def outcome_of(intent: Intent) -> Outcome | None:
    """None: made, and not yet charged, nor refused, nor is there a page to send the owner to."""
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
            asks = fault and fault.get("code") == "authentication_required"  # that of a card whose owner was absent
            return Declined(decline_code(fault)) if fault and not asks else None
        case "processing" | "requires_capture":
            raise OutcomeUnknown(intent["id"])
    return None
