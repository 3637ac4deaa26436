"""Words of the mails about automatic renewals. Each function is called in the reader's language."""

from collections.abc import Sequence
from datetime import date, datetime

from flask_babel import gettext

from ...domain.money import Money
from ...domain.pricing import monthly_cost
from ...formats import card_name, last_day, last_minute, money, ngettext, number
from ...formats import day as on
from ...models.cards import Card
from ...models.purchases import Payment
from ...models.subscriptions import Subscription
from ...sentences.amounts import amount_label, with_vat
from ...sentences.declines import decline
from ...urls import public_url
from ..layout import Mail, subscription_link


def renewal(subscription: Subscription, seats: int, total: Money, card: Card | None, day: date) -> Mail:
    """Announces the next automatic renewal, some days ahead."""
    backup = _usable_backup(subscription, day)
    product, rate = subscription.product, subscription.account.tax_terms.rate
    opening = ngettext(
        "Your subscription to %(product)s renews automatically on %(day)s with %(n)s seat: %(total)s.",
        "Your subscription to %(product)s renews automatically on %(day)s with %(n)s seats: %(total)s.",
        seats,
        day=on(day),
        product=product,
        total=with_vat(money(*total), rate),
    )
    if card is None:
        way_on = gettext("There is no card to charge: add one in My Qlik, under Payment & billing.")
        action = gettext("Payment & billing"), public_url("billing.page")
    else:
        way_on = gettext("You can change the number of seats or cancel in My Qlik before then.")
        action = subscription_link(subscription)
    return Mail(
        gettext("Your subscription renews on %(day)s", day=on(day)),
        product,
        [opening, *_price_change(subscription, seats), way_on],
        [
            (gettext("Renewal"), on(day)),
            (gettext("Seats"), number(seats)),
            (amount_label(rate), money(*total)),
            (gettext("Card"), _card(card) if card else gettext("None")),
            *([(gettext("Backup card, if that one is declined"), _card(backup))] if backup else []),
        ],
        action,
    )


def _usable_backup(subscription: Subscription, day: date) -> Card | None:
    """The backup card, if it can be charged on that day."""
    backup = subscription.backup_card
    return backup if backup is not None and not backup.expired(day) else None


def _price_change(subscription: Subscription, seats: int) -> list[str]:
    """A sentence where the next period has another price list than the last one that was paid, and costs otherwise."""
    before, after = (
        monthly_cost(prices.tiers, seats) for prices in (subscription.periods[-1].price_list, subscription.price_list)
    )
    if before == after:
        return []
    currency = subscription.currency
    return [
        gettext(
            "The price changes with this renewal: %(after)s a month before tax instead of %(before)s.",
            before=money(before, currency),
            after=money(after, currency),
        )
    ]


def card_expires(subscription: Subscription, total: Money, card: Card, day: date) -> Mail:
    """The default card expires before the renewal charges it."""
    shown, backup = card_name(card.brand, card.last4), _usable_backup(subscription, day)
    opening = gettext(
        "The renewal of %(product)s will be charged to %(card)s on %(day)s, but the card will have expired by "
        "then and the payment would be declined.",
        card=shown,
        product=subscription.product,
        day=on(day),
    )
    instead = (
        gettext("Your backup card, %(card)s, would then be charged.", card=card_name(backup.brand, backup.last4))
        if backup
        else ""
    )
    return Mail(
        gettext("Your card expires before the renewal"),
        subscription.product,
        [opening, *filter(None, [instead]), gettext("Add another card and make it your default before then.")],
        [
            (gettext("Card"), shown),
            (gettext("Expires"), _expiry(card)),
            (gettext("Renewal"), on(day)),
            (amount_label(subscription.account.tax_terms.rate), money(*total)),
        ],
        (gettext("Payment & billing"), public_url("billing.page")),
    )


def over_seats(subscription: Subscription, seats: int) -> Mail:
    """An automatic renewal kept the confirmed number of seats, although more users are active."""
    opening = ngettext(
        "%(product)s has been renewed with %(n)s seat, the last number you confirmed, but you have more active "
        "users than that.",
        "%(product)s has been renewed with %(n)s seats, the last number you confirmed, but you have more active "
        "users than that.",
        seats,
        product=subscription.product,
    )
    return Mail(
        gettext("More active users than seats"),
        subscription.product,
        [opening, gettext("Add seats, or remove users from the tenant.")],
        [
            (gettext("Seats"), number(seats)),
            (gettext("Active users"), number(subscription.active_users)),
            (gettext("Tenant"), subscription.tenant),
        ],
        (gettext("Add seats"), public_url("add.stepper", subscription_id=subscription.id)),
    )


def refused(
    subscription: Subscription, declined: Sequence[Payment], next_try: date | None, lapse_end: date | None
) -> Mail:
    """An automatic payment was declined; after the last attempt, `lapse_end` is set instead of `next_try`.

    `declined` is that payment, or those of the default card and of the backup card.
    """
    payment = declined[-1]
    product, total = subscription.product, money(payment.amount, payment.currency)
    paragraphs = [gettext("We could not charge the renewal of %(product)s (%(total)s).", product=product, total=total)]
    facts = [(amount_label(payment.quote.tax_rate), total)]
    if len(declined) > 1:
        paragraphs.append(gettext("Your default card and your backup card were both declined."))
        labels = gettext("Default card"), gettext("Backup card")
        facts += [(label, _declined(tried)) for label, tried in zip(labels, declined, strict=True)]
    else:
        if payment.card_last4:
            facts.append((gettext("Card"), card_name(payment.card_brand, payment.card_last4)))
        facts.append((gettext("Reason"), decline(payment.decline_code)))
    if next_try:
        paragraphs.append(
            gettext("We will try again on %(day)s. Your seats stay available until then.", day=on(next_try))
        )
        facts.append((gettext("Next attempt"), on(next_try)))
    elif lapse_end:
        paragraphs.append(
            gettext(
                "That was the last attempt. Renew in My Qlik by %(day)s to restore the subscription.",
                day=last_day(lapse_end),
            )
        )
    paragraphs.append(gettext("To pay with another card, sign in to My Qlik and click Renew."))
    return Mail(
        gettext("Your payment was declined"),
        product,
        paragraphs,
        facts,
        (gettext("Renew"), public_url("renew.stepper", subscription_id=subscription.id)),
    )


def _declined(payment: Payment) -> str:
    """A card and why it was declined."""
    return f"{card_name(payment.card_brand, payment.card_last4)} · {decline(payment.decline_code)}"


def confirm(subscription: Subscription, payment: Payment, expires_at: datetime, next_try: date | None) -> Mail:
    """The bank asks to confirm an automatic payment (3-D Secure). `next_try` is None for the last attempt."""
    product, total = subscription.product, money(payment.amount, payment.currency)
    opening = gettext(
        "Your bank asks you to confirm the payment of %(total)s to renew %(product)s.", total=total, product=product
    )
    deadline = last_minute(expires_at)
    if next_try:
        until = gettext(
            "Confirm it by %(deadline)s. After that, this payment will be cancelled and we will try again on %(day)s.",
            deadline=deadline,
            day=on(next_try),
        )
    else:
        until = gettext(
            "Confirm it by %(deadline)s. This is the last attempt: after that, the subscription lapses until "
            "you renew it.",
            deadline=deadline,
        )
    step = {"subscription_id": subscription.id, "quote_id": payment.quote_id, "procedure": "renew"}
    return Mail(
        gettext("Your bank asks you to confirm a payment"),
        product,
        [opening, until, gettext("To pay with another card, sign in to My Qlik and click Renew.")],
        [
            (amount_label(payment.quote.tax_rate), total),
            (gettext("Card"), card_name(payment.card_brand, payment.card_last4)),
            (gettext("Confirm by"), deadline),
        ],
        (gettext("Confirm the payment"), public_url("purchase.authentication", **step)),
    )


def ended(subscription: Subscription, end: date) -> Mail:
    product, last = subscription.product, last_day(end)
    opening = gettext(
        "Your subscription to %(product)s ended on %(day)s. Nothing more will be charged.", product=product, day=last
    )
    return Mail(
        gettext("Your subscription has ended"),
        product,
        [opening, gettext("Your invoices stay available in My Qlik.")],
        [(gettext("Last day"), last)],
        (gettext("See the invoices"), public_url("billing.invoices")),
    )


def _expiry(card: Card) -> str:
    return f"{card.exp_month:02d}/{card.exp_year}"


def _card(card: Card) -> str:
    return f"{card_name(card.brand, card.last4)} ({gettext('expires %(date)s', date=_expiry(card))})"
