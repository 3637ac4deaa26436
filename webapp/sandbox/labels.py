"""What the panel calls scenarios, faults and states. Programs use the names themselves."""

from ..words import lazy_gettext

SCENARIO = {
    "business": lazy_gettext("Business, monthly, one card"),
    "team": lazy_gettext("Business, with a member of each role"),
    "no-card": lazy_gettext("Business without a card"),
    "business-annual": lazy_gettext("Business, billed once a year"),
    "business-two-cards": lazy_gettext("Business with two cards"),
    "business-backup-card": lazy_gettext("Business with a backup card"),
    "business-at-floor": lazy_gettext("Business, as many users as seats"),
    "business-reduction-pending": lazy_gettext("Business, fewer seats requested"),
    "business-cancellation-pending": lazy_gettext("Business, cancellation requested"),
    "business-renewed": lazy_gettext("Business, next period paid already"),
    "business-past-due": lazy_gettext("Business, payment overdue, the card is refused"),
    "business-lapsed": lazy_gettext("Business, lapsed after the last refusal"),
    "month-end": lazy_gettext("Business, begun on the 31st"),
    "expiring-card": lazy_gettext("Business, the card expires this month"),
    "many-invoices": lazy_gettext("Business with 120 invoices"),
    "third-party": lazy_gettext("Business, bought through a reseller"),
    "enterprise": lazy_gettext("Enterprise SaaS"),
    "both": lazy_gettext("Business and Enterprise SaaS"),
    "two-factor": lazy_gettext("Business, sign-in with an authenticator app"),
}
FAULT = {
    "decline": lazy_gettext("is refused"),
    "challenge": lazy_gettext("asks for 3-D Secure"),
    "timeout": lazy_gettext("is not made, without an answer"),
    "timeout_after_charge": lazy_gettext("is made, without an answer"),
    "error": lazy_gettext("fails with an error"),
    "down": lazy_gettext("has no answer until this is changed"),
}
STATE = {
    "active": lazy_gettext("Active"),
    "ending": lazy_gettext("Ending"),
    "past_due": lazy_gettext("Payment overdue"),
    "lapsed": lazy_gettext("Lapsed"),
    "ended": lazy_gettext("Ended"),
    "pending": lazy_gettext("pending"),
    "captured": lazy_gettext("charged"),
    "declined": lazy_gettext("refused"),
    "cancelled": lazy_gettext("cancelled"),
    "challenged": lazy_gettext("waits for 3-D Secure"),
}
