"""Every reason for which the portal refuses a request. `webapp/sentences/refusals.py` has the words."""

from datetime import date, datetime
from typing import ClassVar


class Refusal(Exception):
    """A rule says no. `status` is the HTTP status; `webapp/sentences/refusals.py` has its sentence."""

    status: ClassVar[int] = 409


class PlanForbids(Refusal):
    """Only directly bought Business subscriptions are self-service; the account manager does the rest."""

    status = 403


class ResellerManages(Refusal):
    """Bought through a third party, who makes every change."""

    status = 403

    def __init__(self, reseller: str) -> None:
        self.reseller = reseller


class SubscriptionEnded(Refusal):
    pass


class CancellationOpen(Refusal):
    """The owner asked for the end; that request must be undone first."""

    def __init__(self, ends_on: date) -> None:
        self.ends_on = ends_on


class ReductionOpen(Refusal):
    """Seats are not added while fewer were asked for; that request must be undone first. `effective_on`: a date."""

    def __init__(self, seats: int, effective_on: date) -> None:
        self.seats, self.effective_on = seats, effective_on


class RenewalDue(Refusal):
    """The next period is not paid: renewing comes before any other change."""


class NotMoreSeats(Refusal):
    """Adding wants a larger number than there is."""

    status = 422

    def __init__(self, seats: int) -> None:
        self.seats = seats


class NotFewerSeats(Refusal):
    """Reducing wants a smaller number than the last paid period has."""

    status = 422

    def __init__(self, seats: int) -> None:
        self.seats = seats


class ChangeClosed(Refusal):
    """The request can no longer be undone; `closed_as` says what became of it (None: its day has come)."""

    def __init__(self, closed_as: str | None) -> None:
        self.closed_as = closed_as


class AlreadyRenewed(Refusal):
    """At most one period is paid ahead; `until` is exclusive."""

    def __init__(self, until: date) -> None:
        self.until = until


class PaymentPending(Refusal):
    """A payment's outcome is not known yet: until it is, nothing else may happen."""


class PaymentsHeld(Refusal):
    """A copy of the database was restored, and what was paid since it was made is not known yet: nothing is charged."""

    status = 503


class SubscriptionHeld(Refusal):
    """Money was taken for it that could not be booked: nothing is changed until a person has looked into it."""


class BelowActiveUsers(Refusal):
    """Fewer seats than people who use the tenant (help page: renew step 3, reduce step 4)."""

    status = 422

    def __init__(self, active: int, as_of: datetime | None) -> None:
        self.active, self.as_of = active, as_of


class ActiveUsersUnknown(Refusal):
    """The tenant does not tell who is active, so a number cannot be compared; `active` is what it last told."""

    status = 503

    def __init__(self, active: int, as_of: datetime) -> None:
        self.active, self.as_of = active, as_of


class DefaultCardKept(Refusal):
    """The default card is what renewals are charged to; another must be made default first. `only`: there is none."""

    def __init__(self, only: bool) -> None:
        self.only = only


class CardInUse(Refusal):
    """The gateway may still be charging it, for the subscription with this id."""

    def __init__(self, subscription_id: str) -> None:
        self.subscription_id = subscription_id


class CardMissing(Refusal):
    """There is nothing to charge."""

    status = 422


class CardExpired(Refusal):
    status = 422


class QuoteMoved(Refusal):
    """What was quoted is no longer so: nothing was charged, and `fresh` is a new quote for the same seats.

    `changes` maps what moved (seats' price, tax, period, time) to its old and new value; cents, dates or None.
    """

    status: ClassVar[int] = 409

    def __init__(self, fresh: str, changes: dict[str, tuple[object, object]]) -> None:
        self.fresh, self.changes = fresh, changes
