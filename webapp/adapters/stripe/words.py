"""Translates Stripe's codes for declines, card brands, currencies and events into the portal's."""

from collections.abc import Mapping

# Stripe's code: a code in `webapp.sentences.declines`. Codes that are not listed, such as that of a stolen card, become
# `card_declined`.
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

# Currencies that Stripe does not count in hundredths: it counts them in units or in thousandths, or (ISK and UGX)
# accepts whole units only.
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

# The events after which the portal asks Stripe, and what it asks about. Other events are ignored.
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
    """The portal's code for a decline, from Stripe's error object. The bank's own code is the most precise."""
    error = fault if isinstance(fault, Mapping) else getattr(fault, "to_dict", dict)()
    codes = (DECLINES.get(str(error.get(name))) for name in ("decline_code", "code"))
    return next((code for code in codes if code), "card_declined")
