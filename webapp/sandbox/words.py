"""What the panel calls the scenarios, the faults and the states that programs know by their names."""

from ..words import lazy_gettext

SCENARIOS = {
    "business": lazy_gettext("one monthly subscription"),
    "team": lazy_gettext("with a manager, an accountant and a viewer"),
    "no-card": lazy_gettext("without a card"),
    "business-annual": lazy_gettext("an annual subscription"),
    "business-two-cards": lazy_gettext("with a second card"),
    "business-backup-card": lazy_gettext("with a backup card"),
    "business-at-floor": lazy_gettext("all seats in use"),
    "business-reduction-pending": lazy_gettext("a reduction is requested"),
    "business-cancellation-pending": lazy_gettext("a cancellation is requested"),
    "business-renewed": lazy_gettext("the next period is paid"),
    "business-past-due": lazy_gettext("the renewal is unpaid, the card is declined"),
    "business-lapsed": lazy_gettext("all attempts were declined"),
    "month-end": lazy_gettext("renews on the last day of the month"),
    "expiring-card": lazy_gettext("the card expires before the renewal"),
    "many-invoices": lazy_gettext("with many invoices"),
    "third-party": lazy_gettext("bought through a reseller"),
    "enterprise": lazy_gettext("changed by the account manager only"),
    "both": lazy_gettext("a Business and an Enterprise subscription"),
    "two-factor": lazy_gettext("the owner has an authenticator app"),
}
FAULTS = {
    "decline": lazy_gettext("is declined"),
    "challenge": lazy_gettext("asks for a confirmation (3-D Secure)"),
    "timeout": lazy_gettext("has no answer, nothing is charged"),
    "timeout_after_charge": lazy_gettext("has no answer, but is charged"),
    "error": lazy_gettext("fails with an error"),
    "down": lazy_gettext("the gateway is down until this is changed"),
}
STATUSES = {
    "active": lazy_gettext("active"),
    "ending": lazy_gettext("ending"),
    "past_due": lazy_gettext("past due"),
    "lapsed": lazy_gettext("lapsed"),
    "ended": lazy_gettext("ended"),
}
STATES = {  # of payments, and of the gateway's charges and refunds
    "pending": lazy_gettext("pending"),
    "captured": lazy_gettext("captured"),
    "declined": lazy_gettext("declined"),
    "cancelled": lazy_gettext("cancelled"),
    "challenged": lazy_gettext("awaiting confirmation"),
    "refunded": lazy_gettext("refunded"),
}
