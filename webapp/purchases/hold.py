"""Whether payments are paused: for all, while a restored copy is checked, or for one subscription."""

from ..db import db
from ..domain.refusals import PaymentsHeld, SubscriptionHeld
from ..models.restores import RestoreHold
from ..models.subscriptions import Subscription


def payments_held() -> bool:
    """A copy was restored, and `restored` has not finished."""
    return db.session.get(RestoreHold, 1, populate_existing=True) is not None


def check(subscription: Subscription) -> None:
    """In the transaction that begins a payment. Raises PaymentsHeld, SubscriptionHeld."""
    if subscription.paused:
        raise PaymentsHeld
    if subscription.held:
        raise SubscriptionHeld
