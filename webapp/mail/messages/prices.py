"""Words of the mails about new prices. Each function is called in the reader's language."""

from datetime import date

from flask_babel import gettext

from ...domain.subscription import projected_seats
from ...formats import day as on
from ...formats import money, ngettext, number
from ...models.prices import NewPrices
from ...models.subscriptions import Subscription
from ..layout import Mail, subscription_link


def told(subscription: Subscription, new: NewPrices) -> Mail:
    """New prices, for the first period that they apply to."""
    seats, currency = projected_seats(subscription.facts), subscription.currency
    before, after = (money(cents, currency) for cents in new.monthly(seats))
    opening = ngettext(
        "From %(day)s, your subscription to %(product)s has new prices: for %(n)s seat, %(after)s a month before tax "
        "instead of %(before)s.",
        "From %(day)s, your subscription to %(product)s has new prices: for %(n)s seats, %(after)s a month before tax "
        "instead of %(before)s.",
        seats,
        day=on(new.first_day),
        product=subscription.product,
        before=before,
        after=after,
    )
    kept = gettext("Periods that start before that day keep their prices, and so do seats that you add to them.")
    way_on = gettext("Until then, you can request fewer seats or cancel in My Qlik.")
    return Mail(
        gettext("New prices from %(day)s", day=on(new.first_day)),
        subscription.product,
        [opening, kept, way_on],
        [
            (gettext("First period at the new prices"), on(new.first_day)),
            (gettext("Seats"), number(seats)),
            (gettext("A month before tax, today"), before),
            (gettext("A month before tax, then"), after),
        ],
        subscription_link(subscription),
    )


def withdrawn(subscription: Subscription, day: date) -> Mail:
    """The prices that were to apply from that day on will not."""
    product = subscription.product
    opening = gettext(
        "The new prices of %(product)s that we announced from %(day)s will not apply. Your prices stay as they are.",
        product=product,
        day=on(day),
    )
    return Mail(
        gettext("The new prices are withdrawn"),
        product,
        [opening, gettext("If you requested fewer seats or cancelled because of them, you can undo that in My Qlik.")],
        [],
        subscription_link(subscription),
    )
