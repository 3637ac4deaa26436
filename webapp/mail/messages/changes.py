"""Words of the mails about requested changes. Each function is called in the reader's language."""

from datetime import date

from flask_babel import gettext

from ...domain.permissions import Procedure
from ...domain.subscription import ChangeKind
from ...formats import day as on
from ...formats import last_day, ngettext, number
from ...models.subscriptions import Subscription
from ..layout import Asked, Mail, subscription_link


def reduction_requested(subscription: Subscription, before: int, replaced: int | None, seats: int, day: date) -> Mail:
    """From `before` seats, which are paid, to `seats`; `replaced`: the seats of an earlier request, if any."""
    opening = ngettext(
        "From %(day)s, you will pay for %(n)s seat of %(product)s instead of %(before)s. Nothing changes until then.",
        "From %(day)s, you will pay for %(n)s seats of %(product)s instead of %(before)s. Nothing changes until then.",
        seats,
        product=subscription.product,
        before=number(before),
        day=on(day),
    )
    way_on = Asked(
        Procedure.CHANGE,
        gettext("You can undo this request in My Qlik before then."),
        gettext("%(owner)s or a manager can undo this request before then.", owner=subscription.owner_name),
    )
    paragraphs: list[str | Asked] = [opening, way_on]
    if replaced is not None:
        instead = ngettext(
            "This request replaces the one for %(n)s seat.", "This request replaces the one for %(n)s seats.", replaced
        )
        paragraphs.insert(1, instead)
    return Mail(
        gettext("We have received your reduction request"),
        subscription.product,
        paragraphs,
        [
            (gettext("Seats today"), number(before)),
            (gettext("Seats requested"), number(seats)),
            (gettext("From"), on(day)),
        ],
        subscription_link(subscription),
    )


def cancellation_requested(subscription: Subscription, end: date) -> Mail:
    product, last = subscription.product, last_day(end)
    opening = gettext(
        "Your subscription to %(product)s ends on %(day)s. Nothing more will be charged.", product=product, day=last
    )
    way_on = Asked(
        Procedure.CHANGE,
        gettext("Nothing changes until then, and you can undo this request in My Qlik."),
        gettext(
            "Nothing changes until then, and %(owner)s or a manager can undo this request.",
            owner=subscription.owner_name,
        ),
    )
    return Mail(
        gettext("We have received your cancellation request"),
        product,
        [opening, way_on],
        [(gettext("Last day"), last)],
        subscription_link(subscription),
    )


def change_undone(subscription: Subscription, kind: str, seats: int, day: date, goes_on: bool) -> Mail:
    """`seats` is the number from `day` on; if the subscription does not go on, it ends on that day."""
    product = subscription.product
    if kind == ChangeKind.REDUCTION:
        title = gettext("Your reduction request has been undone")
        opening = ngettext(
            "Your request to reduce %(product)s has been undone: the subscription stays at %(n)s seat.",
            "Your request to reduce %(product)s has been undone: the subscription stays at %(n)s seats.",
            seats,
            product=product,
        )
    else:
        title = gettext("Your cancellation request has been undone")
        opening = gettext(
            "Your request to cancel %(product)s has been undone: the subscription continues and renews "
            "automatically on %(day)s.",
            product=product,
            day=on(day),
        )
    until = (gettext("Next renewal"), on(day)) if goes_on else (gettext("Last day"), last_day(day))
    return Mail(title, product, [opening], [(gettext("Seats"), number(seats)), until], subscription_link(subscription))
