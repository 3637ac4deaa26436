"""Words of the mails about automatic renewals. Each function is called in the reader's language."""

from datetime import date, datetime

from flask_babel import gettext

from ...domain.money import Money
from ...domain.pricing import monthly_cost
from ...formats import card_name, clock_time, last_day, money, ngettext, number
from ...formats import day as on
from ...models.purchases import Card, Payment
from ...models.subscriptions import Subscription
from ...urls import public_url
from ..layout import Mail, subscription_link


def renewal(subscription: Subscription, seats: int, total: Money, card: Card | None, day: date) -> Mail:
    """The next automatic renewal, some days before."""
    product = subscription.product
    told = ngettext(
        "On %(day)s your subscription to %(product)s is renewed by itself with %(n)s seat: %(total)s with tax.",
        "On %(day)s your subscription to %(product)s is renewed by itself with %(n)s seats: %(total)s with tax.",
        seats,
        day=on(day),
        product=product,
        total=money(*total),
    )
    if card is None:
        way_on = gettext("There is no card to charge: add one in My Qlik, under Payment & billing.")
        action = gettext("Payment & billing"), public_url("billing.page")
    else:
        way_on = gettext("You can change the number of seats or cancel before that day, in My Qlik.")
        action = subscription_link(subscription)
    return Mail(
        gettext("Your subscription is renewed on %(day)s", day=on(day)),
        product,
        [told, *_price_change(subscription, seats), way_on],
        [
            (gettext("Renewal"), on(day)),
            (gettext("Seats"), number(seats)),
            (gettext("Amount with tax"), money(*total)),
            (gettext("Card"), _card(card) if card else gettext("None")),
        ],
        action,
    )


def _price_change(subscription: Subscription, seats: int) -> list[str]:
    """A sentence where the next period has another price list than the last one that was paid, and costs otherwise."""
    before, after = (
        monthly_cost(prices.tiers, seats) for prices in (subscription.periods[-1].price_list, subscription.price_list)
    )
    if before == after:
        return []
    currency = subscription.price_list.currency
    return [
        gettext(
            "The price changes with this renewal: %(after)s a month before tax instead of %(before)s.",
            before=money(before, currency),
            after=money(after, currency),
        )
    ]


def card_expires(subscription: Subscription, total: Money, card: Card, day: date) -> Mail:
    """The default card will have expired when the renewal charges it."""
    shown = card_name(card.brand, card.last4)
    told = gettext(
        "%(card)s is the card that the renewal of %(product)s charges on %(day)s. "
        "It is no longer valid on that day: the payment would be refused.",
        card=shown,
        product=subscription.product,
        day=on(day),
    )
    return Mail(
        gettext("Your card expires before the renewal"),
        subscription.product,
        [told, gettext("Add another card and make it the default before that day.")],
        [
            (gettext("Card"), shown),
            (gettext("Expires"), _expiry(card)),
            (gettext("Renewal"), on(day)),
            (gettext("Amount with tax"), money(*total)),
        ],
        (gettext("Payment & billing"), public_url("billing.page")),
    )


def over_seats(subscription: Subscription, seats: int) -> Mail:
    """Renewed by itself with the confirmed seats, while more users are active."""
    told = ngettext(
        "%(product)s is renewed with %(n)s seat, the last number that you confirmed, and more users are active.",
        "%(product)s is renewed with %(n)s seats, the last number that you confirmed, and more users are active.",
        seats,
        product=subscription.product,
    )
    return Mail(
        gettext("More active users than seats"),
        subscription.product,
        [told, gettext("Add seats, or remove users from the tenant.")],
        [
            (gettext("Seats"), number(seats)),
            (gettext("Active users"), number(subscription.active_users)),
            (gettext("Tenant"), subscription.tenant),
        ],
        (gettext("Add seats"), public_url("add.stepper", subscription_id=subscription.id)),
    )


def refused(subscription: Subscription, payment: Payment, next_try: date | None) -> Mail:
    """An automatic payment was refused; `next_try` is None after the last."""
    from ...sentences.declines import decline  # which words the refusals of `purchase`, and that writes mails

    product, total = subscription.product, money(payment.amount, payment.currency)
    told = gettext("The renewal of %(product)s (%(total)s) could not be charged.", product=product, total=total)
    facts = [(gettext("Amount with tax"), total), (gettext("Reason"), decline(payment.decline_code))]
    if payment.card_last4:
        facts.insert(1, (gettext("Card"), card_name(payment.card_brand, payment.card_last4)))
    if next_try:
        then = gettext("We try again on %(day)s. Your seats stay available until then.", day=on(next_try))
        facts.append((gettext("Next try"), on(next_try)))
    else:
        then = gettext("It was the last try. Renew within 30 days in My Qlik to bring the subscription back.")
    return Mail(
        gettext("Your payment was refused"),
        product,
        [told, then, gettext("To pay with another card, sign in to My Qlik and click Renew.")],
        facts,
        (gettext("Renew"), public_url("renew.stepper", subscription_id=subscription.id)),
    )


def confirm(subscription: Subscription, payment: Payment, expires_at: datetime) -> Mail:
    """3-D Secure on an automatic payment; `expires_at` is at the account's place."""
    product, total = subscription.product, money(payment.amount, payment.currency)
    told = gettext(
        "Your bank asks you to confirm the payment of %(total)s that renews %(product)s.", total=total, product=product
    )
    until = gettext(
        "Confirm it by %(time)s. After that this payment is given up, and another is tried on a later day.",
        time=clock_time(expires_at),
    )
    step = {"subscription_id": subscription.id, "quote_id": payment.quote_id, "procedure": "renew"}
    return Mail(
        gettext("Your bank asks you to confirm a payment"),
        product,
        [told, until],
        [
            (gettext("Amount with tax"), total),
            (gettext("Card"), card_name(payment.card_brand, payment.card_last4)),
        ],
        (gettext("Confirm the payment"), public_url("purchase.authentication", **step)),
    )


def ended(subscription: Subscription, end: date) -> Mail:
    product, last = subscription.product, last_day(end)
    told = gettext(
        "Your subscription to %(product)s ended on %(day)s. No further payment is made.", product=product, day=last
    )
    return Mail(
        gettext("Your subscription has ended"),
        product,
        [told, gettext("Your invoices stay available in My Qlik.")],
        [(gettext("Last day"), last)],
        (gettext("See the invoices"), public_url("billing.invoices")),
    )


def _expiry(card: Card) -> str:
    return f"{card.exp_month:02d}/{card.exp_year}"


def _card(card: Card) -> str:
    return f"{card_name(card.brand, card.last4)} ({gettext('expires %(date)s', date=_expiry(card))})"
