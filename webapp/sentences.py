"""Every refusal as a sentence that says what is wrong and what to do, and links it where a page does it."""

from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import url_for
from flask_babel import gettext, lazy_gettext

from . import formats
from .domain import subscription as rules
from .formats import ngettext
from .models import Subscription
from .service import CardExpired, CardMissing

DECLINES = {
    "card_declined": lazy_gettext("The bank declined the card."),
    "insufficient_funds": lazy_gettext("The bank declined the card: insufficient funds."),
    "expired_card": lazy_gettext("The card has expired."),
    "authentication_failed": lazy_gettext("Your identity was not confirmed with the bank."),
}
DECLINED = lazy_gettext("The bank declined the payment.")


class Explained(NamedTuple):
    """`label` and `url` are the way on, if a page offers one."""

    sentence: str
    label: str = ""
    url: str = ""


def _below_active_users(refusal: rules.BelowActiveUsers, subscription: Subscription) -> Explained:
    sentence = ngettext(
        "The tenant has %(n)s active user: you cannot go below it. "
        "Remove users first, then wait at least two minutes before you continue.",
        "The tenant has %(n)s active users: you cannot go below that number. "
        "Remove users first, then wait at least two minutes before you continue.",
        refusal.active,
    )
    if refusal.as_of is not None:
        local = refusal.as_of.astimezone(ZoneInfo(subscription.account.zone))
        sentence += " " + gettext("Counted at %(time)s.", time=formats.clock_time(local))
    return Explained(sentence)


def explain(refusal: rules.Refusal, subscription: Subscription) -> Explained:
    page = url_for("subscriptions.page", subscription_id=subscription.id)
    contact = gettext("Contact your Qlik account manager"), url_for("contact.page")
    cards = gettext("Payment & billing"), url_for("billing.page")
    match refusal:
        case rules.BelowActiveUsers():
            return _below_active_users(refusal, subscription)
        case rules.PlanForbids():
            return Explained(gettext("This plan is changed by your account manager, not here."), *contact)
        case rules.ResellerManages():
            return Explained(
                gettext(
                    "This subscription was bought through %(name)s, who makes every change.", name=refusal.reseller
                ),
                *contact,
            )
        case rules.SubscriptionEnded():
            return Explained(
                gettext("This subscription has ended. A new one is arranged with your account manager."), *contact
            )
        case rules.CancellationOpen():
            return Explained(
                gettext(
                    "A cancellation was requested: the subscription ends on %(day)s. Undo that request first.",
                    day=formats.last_day(refusal.ends_on),
                ),
                gettext("See the subscription"),
                page,
            )
        case rules.AlreadyRenewed():
            return Explained(
                gettext(
                    "The subscription is already renewed until %(day)s: one period at most is paid ahead.",
                    day=formats.last_day(refusal.until),
                ),
                gettext("See the subscription"),
                page,
            )
        case rules.PaymentPending():
            return Explained(
                gettext("A payment is still in progress: wait for its outcome before any other change."),
                gettext("See the subscription"),
                page,
            )
        case CardMissing():
            return Explained(gettext("Choose a payment method. If there is none, add one first."))
        case CardExpired():
            return Explained(gettext("This card has expired. Choose another one or add a new one."), *cards)
    raise refusal


def decline(code: str | None) -> str:
    return str(DECLINES.get(code or "", DECLINED))
