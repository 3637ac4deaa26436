"""Every refusal as a sentence that says what is wrong and what to do, and links it where a page does it."""

from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import url_for

from .. import formats
from ..domain import access as access_rules
from ..domain import permissions
from ..domain import refusals as rules
from ..domain import subscription as subscription_rules
from ..domain import team as team_rules
from ..domain.permissions import Procedure
from ..domain.refusals import CardExpired, CardInUse, CardMissing, DefaultCardKept, DefaultIsNoBackup
from ..formats import ngettext
from ..models.subscriptions import Subscription
from ..urls import step_url
from ..words import gettext, lazy_gettext


class Explained(NamedTuple):
    """`label` and `url` link the page that helps, if there is one; `title` replaces the title of the HTTP status."""

    sentence: str
    label: str = ""
    url: str = ""
    title: str = ""


def _below_active_users(refusal: rules.BelowActiveUsers, zone: str) -> str:
    sentence = ngettext(
        "The tenant has %(n)s active user: you cannot go below it. "
        "Remove users first, then wait at least %(wait)s before you continue.",
        "The tenant has %(n)s active users: you cannot go below that number. "
        "Remove users first, then wait at least %(wait)s before you continue.",
        refusal.active,
        wait=formats.minutes(subscription_rules.ACTIVE_USERS_LAG),
    )
    if refusal.as_of is not None:
        local = refusal.as_of.astimezone(ZoneInfo(zone))
        sentence += " " + gettext("Counted at %(time)s.", time=formats.clock_time(local))
    return sentence


def _active_users(refusal: rules.BelowActiveUsers | rules.ActiveUsersUnknown, subscription: Subscription) -> Explained:
    """More users are active than the seats asked for, or their number is not known."""
    zone = subscription.account.zone
    if isinstance(refusal, rules.BelowActiveUsers):
        way_on = url_for("renew.stepper", subscription_id=subscription.id, seats=refusal.active)
        return Explained(_below_active_users(refusal, zone), gettext("Change the number of paid users"), way_on)
    local = refusal.as_of.astimezone(ZoneInfo(zone))
    sentence = ngettext(
        "The tenant is not responding, so its active users cannot be counted at the moment. Last known count: "
        "%(n)s active user, on %(day)s at %(time)s. Nothing was changed: try again in a few minutes.",
        "The tenant is not responding, so its active users cannot be counted at the moment. Last known count: "
        "%(n)s active users, on %(day)s at %(time)s. Nothing was changed: try again in a few minutes.",
        refusal.active,
        day=formats.day(local),
        time=formats.clock_time(local),
    )
    label, title = gettext("Contact your Qlik account manager"), gettext("The tenant is not responding")
    return Explained(sentence, label, url_for("contact.page"), title)


def at_least(active_users: int) -> str:
    """The smallest number of seats that can be chosen, and why."""
    return ngettext(
        "At least %(n)s: the tenant has %(n)s active user.",
        "At least %(n)s: the tenant has %(n)s active users.",
        active_users,
    )


def enter_more(paid_seats: int) -> str:
    return ngettext(
        "You already pay for %(n)s seat: enter a higher number.",
        "You already pay for %(n)s seats: enter a higher number.",
        paid_seats,
    )


def enter_fewer(paid_seats: int) -> str:
    return ngettext(
        "You pay for %(n)s seat: enter a lower number.",
        "You pay for %(n)s seats: enter a lower number.",
        paid_seats,
    )


CLOSED = {
    "applied": lazy_gettext("This request has already taken effect: it can no longer be undone."),
    "superseded": lazy_gettext("This request was replaced by a later one: it can no longer be undone."),
    "withdrawn": lazy_gettext("This request has already been undone, and another one is now open."),
    None: lazy_gettext("This request is now due to take effect: it can no longer be undone."),
}


CardRefusal = CardMissing | CardExpired | DefaultCardKept | DefaultIsNoBackup | CardInUse


def _explain_card(refusal: CardRefusal) -> Explained:
    match refusal:
        case CardMissing():
            return Explained(gettext("Choose a payment method, or add one first."))
        case CardExpired():
            return Explained(gettext("This card has expired. Choose another one or add a new one."))
        case DefaultCardKept(only=True):
            sentence = gettext(
                "Your default card is also your only card, so it cannot be deleted. Add another card and make "
                "it the default first."
            )
            return Explained(sentence, gettext("Add credit card"), url_for("billing.page"))
        case DefaultCardKept():
            sentence = gettext("The default card cannot be deleted: make another card the default first.")
            return Explained(sentence, gettext("Choose another default card"), url_for("billing.page"))
        case DefaultIsNoBackup():
            sentence = gettext("The default card cannot be the backup card, too: choose another card.")
            return Explained(sentence, gettext("Payment & billing"), url_for("billing.page"))
        case CardInUse(subscription_id=charged):
            sentence = gettext(
                "A payment with this card is still in progress. You can delete the card once it is complete."
            )
            way_on = url_for("subscriptions.page", subscription_id=charged)
            return Explained(sentence, gettext("See the subscription"), way_on)


def _who_may(procedure: Procedure, owner: str) -> str:
    """Which members may do what this one may not."""
    match len(permissions.ALLOWED[procedure]):
        case 1:
            return gettext("Only the account owner (%(name)s) can do this. Nothing was changed.", name=owner)
        case 2:
            return gettext(
                "Only the account owner (%(name)s) or a manager can do this. Nothing was changed.", name=owner
            )
        case _:
            return gettext(
                "Only the account owner (%(name)s), a manager or an accountant can do this. Nothing was changed.",
                name=owner,
            )


def _explain_members(refusal: rules.Refusal) -> Explained:
    way_on = gettext("See the team"), url_for("team.page")
    match refusal:
        case rules.OwnerStays():
            sentence = gettext(
                "An account always has an owner. Hand the account over to another member first; nothing was changed."
            )
        case rules.RoleMoved():
            sentence = gettext("The role of this member was changed meanwhile: check it, then decide again.")
        case rules.AlreadyMember():
            sentence = gettext("This address already belongs to a member of the team.")
        case rules.AddressTaken():
            return Explained(
                gettext("This address is already used to sign in to My Qlik and cannot be invited. Use another one.")
            )
        case rules.InvitationOver():
            sentence = ngettext(
                "This invitation no longer works: it was accepted, withdrawn or replaced by a newer one, or is more "
                "than %(n)s day old. Ask whoever invited you for a new one.",
                "This invitation no longer works: it was accepted, withdrawn or replaced by a newer one, or is more "
                "than %(n)s days old. Ask whoever invited you for a new one.",
                team_rules.INVITATION_LIFETIME.days,
            )
            title = gettext("This invitation no longer works")
            return Explained(sentence, gettext("Sign in"), url_for("sign_in.page"), title)
        case rules.HandoverOpen():
            sentence = gettext(
                "The account is already offered to a member. Cancel that proposal first, or wait for the answer."
            )
        case rules.HandoverOver():
            sentence = gettext(
                "This proposal is no longer open: it was answered or cancelled, or has expired. Nothing was changed."
            )
            return Explained(sentence)
        case rules.LastFactorKept():
            sentence = gettext("It is your only second factor, and the account requires one. Set up another one first.")
            return Explained(sentence, gettext("Second factor"), url_for("second_factor.page"))
        case _:
            return _explain_own_access(refusal)
    return Explained(sentence, *way_on)


def _explain_own_access(refusal: rules.Refusal) -> Explained:
    match refusal:
        case rules.EmailTaken():
            return Explained(gettext("This address is already used to sign in to My Qlik. Use another one."))
        case rules.SameEmail():
            return Explained(gettext("This is already your e-mail address. Enter the new one."))
        case rules.EmailChangeOver():
            sentence = ngettext(
                "This link no longer confirms an e-mail address: it was used, withdrawn or replaced by a newer one, is "
                "more than %(n)s hour old, or was sent to another member. Nothing was changed.",
                "This link no longer confirms an e-mail address: it was used, withdrawn or replaced by a newer one, is "
                "more than %(n)s hours old, or was sent to another member. Nothing was changed.",
                int(access_rules.EMAIL_CHANGE_LIFETIME.total_seconds() // 3600),
            )
            title = gettext("This link no longer works")
            return Explained(sentence, gettext("Change the e-mail address"), url_for("own_email.page"), title)
        case rules.AlarmOver():
            days = access_rules.ALARM_LIFETIME.days
            sentence = ngettext(
                "This link no longer works: it has already been used or is more than %(n)s day old. If somebody else "
                "may have access to My Qlik with your address, set a new password and contact your Qlik account "
                "manager.",
                "This link no longer works: it has already been used or is more than %(n)s days old. If somebody else "
                "may have access to My Qlik with your address, set a new password and contact your Qlik account "
                "manager.",
                days,
            )
            title = gettext("This link no longer works")
            return Explained(sentence, gettext("Sign in"), url_for("sign_in.page"), title)
        case _:
            raise refusal


def explain(refusal: rules.Refusal, subscription: Subscription | None = None) -> Explained:
    """The sentence of a refusal; `subscription` is the one that the request was about, if any."""
    match refusal:
        case CardMissing() | CardExpired() | DefaultCardKept() | DefaultIsNoBackup() | CardInUse():
            return _explain_card(refusal)
        case rules.NotPermitted(procedure=procedure, owner=owner):
            return Explained(_who_may(procedure, owner))
        case (
            rules.OwnerStays()
            | rules.RoleMoved()
            | rules.AlreadyMember()
            | rules.AddressTaken()
            | rules.InvitationOver()
            | rules.HandoverOpen()
            | rules.HandoverOver()
            | rules.LastFactorKept()
            | rules.EmailTaken()
            | rules.SameEmail()
            | rules.EmailChangeOver()
            | rules.AlarmOver()
        ):
            return _explain_members(refusal)
        case rules.PaymentsHeld():
            sentence = gettext(
                "Payments are paused while we check data restored from a backup. Nothing was charged. Try again later."
            )
            return Explained(sentence, title=gettext("Payments are paused"))
        case rules.PlanForbids():
            sentence = gettext("This plan cannot be changed here: contact your account manager.")
        case rules.ResellerManages(reseller=name):
            sentence = gettext(
                "This subscription was bought through %(name)s, who manages any changes to it.", name=name
            )
        case rules.SubscriptionHeld():
            sentence = gettext(
                "We are checking a payment for this subscription. Nothing will be changed or charged until that "
                "is done."
            )
        case rules.SubscriptionEnded():
            sentence = gettext("This subscription has ended. To start a new one, contact your account manager.")
        case _ if subscription is not None:
            return _explain_on(refusal, subscription)
        case _:
            raise refusal
    return Explained(sentence, gettext("Contact your Qlik account manager"), url_for("contact.page"))


def _renewed(refusal: rules.AlreadyRenewed | rules.PeriodPaid, label: str, url: str) -> Explained:
    day = formats.last_day(refusal.until)
    if isinstance(refusal, rules.AlreadyRenewed):
        sentence = gettext(
            "The subscription is already renewed until %(day)s: only one period can be paid in advance.", day=day
        )
        return Explained(sentence, label, url)
    sentence = gettext(
        "This renewal has already been paid: the subscription is renewed until %(day)s. Nothing more was charged.",
        day=day,
    )
    return Explained(sentence, label, url, gettext("Already paid"))


def _explain_on(refusal: rules.Refusal, subscription: Subscription) -> Explained:
    """The refusals that link to a page of the subscription."""
    here = subscription.id
    way_on = gettext("See the subscription"), url_for("subscriptions.page", subscription_id=here)
    match refusal:
        case rules.BelowActiveUsers() | rules.ActiveUsersUnknown():
            return _active_users(refusal, subscription)
        case rules.NotMoreSeats(seats=seats):
            reduce_url = url_for("reduce.stepper", subscription_id=here)
            return Explained(enter_more(seats), gettext("Reduce seats"), reduce_url)
        case rules.NotFewerSeats(seats=seats):
            return Explained(enter_fewer(seats), gettext("Add seats"), url_for("add.stepper", subscription_id=here))
        case rules.RenewalDue():
            sentence = gettext("The next period has not been paid yet: renew first.")
            way_on = gettext("Renew"), url_for("renew.stepper", subscription_id=here)
        case rules.CancellationOpen(ends_on=day):
            sentence = gettext(
                "Cancellation has been requested: the subscription ends on %(day)s. Undo that request first.",
                day=formats.last_day(day),
            )
        case rules.ReductionOpen(seats=seats, effective_on=day):
            sentence = ngettext(
                "A reduction to %(n)s seat from %(day)s has been requested. Undo that request first.",
                "A reduction to %(n)s seats from %(day)s has been requested. Undo that request first.",
                seats,
                day=formats.day(day),
            )
        case rules.ChangeClosed(closed_as=closed_as):
            sentence = str(CLOSED[closed_as])
        case rules.AlreadyRenewed() | rules.PeriodPaid():
            return _renewed(refusal, *way_on)
        case rules.PaymentPending():
            return _payment_pending(subscription, *way_on)
        case _:
            raise refusal
    return Explained(sentence, *way_on)


def _payment_pending(subscription: Subscription, label: str, url: str) -> Explained:
    """`label` and `url` lead to the subscription, and a challenge has a page of its own."""
    challenged = next((payment for payment in subscription.pending_payments if payment.challenged), None)
    if challenged is None:
        sentence = gettext("A payment is still in progress. Wait until it is complete before making any other change.")
        return Explained(sentence, label, url)
    sentence = gettext(
        "Your bank is waiting for you to confirm a payment, until %(deadline)s. Confirm it before making any "
        "other change.",
        deadline=formats.last_minute(subscription.account.local(challenged.quote.expires_at)),
    )
    return Explained(sentence, gettext("Confirm the payment"), step_url("authentication", challenged.quote))
