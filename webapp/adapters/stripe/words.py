"""What Stripe calls things, in the portal's words: refusals, brands, currencies, notifications."""

from collections.abc import Mapping

# Stripe's code: one of `webapp.sentences.DECLINES`. A card reported lost or stolen is told like any other.
DECLINES = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "expired_card",
    "invalid_expiry_month": "incorrect_card",
    "invalid_expiry_year": "incorrect_card",
    "incorrect_number": "incorrect_card",
    "invalid_number": "incorrect_card",
    "incorrect_cvc": "incorrect_card",
    "invalid_cvc": "incorrect_card",
    "invalid_account": "incorrect_card",
    "new_account_information_available": "incorrect_card",
    "card_velocity_exceeded": "limit_exceeded",
    "withdrawal_count_limit_exceeded": "limit_exceeded",
    "invalid_amount": "limit_exceeded",
    "card_not_supported": "card_not_supported",
    "transaction_not_allowed": "card_not_supported",
    "service_not_allowed": "card_not_supported",
    "not_permitted": "card_not_supported",
    "currency_not_supported": "currency_refused",
    "call_issuer": "call_issuer",
    "do_not_honor": "call_issuer",
    "no_action_taken": "call_issuer",
    "revocation_of_all_authorizations": "call_issuer",
    "revocation_of_authorization": "call_issuer",
    "stop_payment_order": "call_issuer",
    "issuer_not_available": "bank_unavailable",
    "processing_error": "bank_unavailable",
    "reenter_transaction": "bank_unavailable",
    "try_again_later": "bank_unavailable",
    "approve_with_id": "bank_unavailable",
    "authentication_required": "authentication_failed",
    "authentication_not_handled": "authentication_failed",
    "payment_intent_authentication_failure": "authentication_failed",
    "mobile_device_authentication_required": "authentication_failed",
}

BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "eftpos",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}

# Currencies that Stripe counts in units or in thousandths, and two of which it takes no part of a unit (ISK, UGX).
OTHER_UNITS = {
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
    "BHD",
    "IQD",
    "JOD",
    "KWD",
    "LYD",
    "OMR",
    "TND",
    "ISK",
    "UGX",
}

REFUND_REFUSALS = frozenset({"charge_already_refunded", "charge_disputed", "refund_disputed_payment"})

# The notifications that make the portal ask, and what about; any other is of no concern.
TOPICS = {
    "payment_intent.succeeded": "payment",
    "payment_intent.payment_failed": "payment",
    "payment_intent.canceled": "payment",
    "payment_intent.requires_action": "payment",
    "checkout.session.completed": "card",
    "refund.created": "refund",
    "refund.updated": "refund",
    "refund.failed": "refund",
    "charge.refund.updated": "refund",
}


def decline_code(fault: object) -> str:
    """Why a bank said no, by the API's error object, of which the bank's own code says most."""
    told = fault if isinstance(fault, Mapping) else getattr(fault, "to_dict", dict)()
    codes = (DECLINES.get(str(told.get(name))) for name in ("decline_code", "code"))
    return next((code for code in codes if code), "card_declined")
