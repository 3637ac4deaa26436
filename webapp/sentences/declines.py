"""Why a bank declined a payment, in words."""

from ..words import lazy_gettext

DECLINES = {
    "card_declined": lazy_gettext("The bank declined the card."),
    "insufficient_funds": lazy_gettext("The bank declined the card: insufficient funds."),
    "expired_card": lazy_gettext("The card has expired."),
    "no_card": lazy_gettext("There is no card to charge."),
    "authentication_failed": lazy_gettext("Your identity could not be confirmed with the bank."),
    "incorrect_card": lazy_gettext("The bank does not recognise the card’s details."),
    "limit_exceeded": lazy_gettext("The bank declined the card: its limit has been reached."),
    "card_not_supported": lazy_gettext("The card does not support this type of payment."),
    "call_issuer": lazy_gettext("The bank declined the card without giving a reason: please contact your bank."),
    "bank_unavailable": lazy_gettext("The bank could not process the payment."),
    "currency_refused": lazy_gettext("The payment cannot be made in this currency."),
    "amount_refused": lazy_gettext("The payment service does not accept this amount."),
}
DECLINED = lazy_gettext("The bank declined the payment.")


def decline(code: str | None) -> str:
    return str(DECLINES.get(code or "", DECLINED))
