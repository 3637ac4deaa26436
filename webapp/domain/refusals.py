"""Every reason for which the portal refuses a request. `webapp/sentences/refusals.py` has the sentences."""

from datetime import date, datetime
from typing import ClassVar

from .permissions import Procedure


class Refusal(Exception):
    """A rule forbids the request. `status` is the HTTP status of the answer."""

    status: ClassVar[int] = 409


class NotPermitted(Refusal):
    """The member's role does not allow the procedure. `owner` is the name of who allows it to others."""

    status = 403

    def __init__(self, procedure: Procedure, owner: str) -> None:
        self.procedure, self.owner = procedure, owner


class OwnerStays(Refusal):
    """The owner cannot leave, be removed or get another role: they hand the account over first."""


class RoleMoved(Refusal):
    """The member has another role by now than the page showed."""


class AlreadyMember(Refusal):
    """The invited address is a member's of this account."""


class AddressTaken(Refusal):
    """The invited address signs in to another account. It is not said which."""


class EmailTaken(Refusal):
    """The address that a member wants to sign in with signs in already. It is not said where."""


class SameEmail(Refusal):
    """The member signs in with this address already."""


class EmailChangeOver(Refusal):
    """The link that confirms an e-mail was used, withdrawn or replaced, has expired, or is another member's."""

    status = 410


class AlarmOver(Refusal):
    """The link « Ce n’était pas moi » was used, has expired, or never existed."""

    status = 410


class InvitationOver(Refusal):
    """The invitation was accepted, withdrawn or sent again, has expired, or never existed."""

    status = 410


class HandoverOpen(Refusal):
    """The account is already offered to a member."""


class HandoverOver(Refusal):
    """The account is not offered to this member, or no longer."""


class PlanForbids(Refusal):
    """Only directly bought Business subscriptions are self-service. The account manager changes the others."""

    status = 403


class ResellerManages(Refusal):
    """The subscription was bought through a reseller, who makes every change."""

    status = 403

    def __init__(self, reseller: str) -> None:
        self.reseller = reseller


class SubscriptionEnded(Refusal):
    """The subscription has ended, for good."""


class CancellationOpen(Refusal):
    """A cancellation is requested and must be undone first. `ends_on` is the first day without the subscription."""

    def __init__(self, ends_on: date) -> None:
        self.ends_on = ends_on


class ReductionOpen(Refusal):
    """A reduction to `seats` from `effective_on` is requested and must be undone before seats are added."""

    def __init__(self, seats: int, effective_on: date) -> None:
        self.seats, self.effective_on = seats, effective_on


class RenewalDue(Refusal):
    """The next period is due and not paid: the owner must renew before any other change."""


class NotMoreSeats(Refusal):
    """Adding needs a number above the current `seats`."""

    status = 422

    def __init__(self, seats: int) -> None:
        self.seats = seats


class NotFewerSeats(Refusal):
    """Reducing needs a number below `seats`, those of the last paid period."""

    status = 422

    def __init__(self, seats: int) -> None:
        self.seats = seats


class ChangeClosed(Refusal):
    """The request can no longer be undone. `closed_as` is its state; None if its effective day has come."""

    def __init__(self, closed_as: str | None) -> None:
        self.closed_as = closed_as


class AlreadyRenewed(Refusal):
    """At most one period can be paid ahead. `until` is the first day that is not paid."""

    def __init__(self, until: date) -> None:
        self.until = until


class PeriodPaid(Refusal):
    """The period of this quote was paid by another payment. `until` is the first day that is not paid."""

    def __init__(self, until: date) -> None:
        self.until = until


class PaymentPending(Refusal):
    """The outcome of a payment is not known yet. Nothing can be changed until it is."""


class PaymentsHeld(Refusal):
    """A copy of the database was restored, and what was paid since it was made is not known yet: nothing is charged."""

    status = 503


class SubscriptionHeld(Refusal):
    """Money was taken for it that could not be booked: nothing is changed until a person has looked into it."""


class BelowActiveUsers(Refusal):
    """Fewer seats than `active` users in the tenant (help page: renew step 3, reduce step 4)."""

    status = 422

    def __init__(self, active: int, as_of: datetime | None) -> None:
        self.active, self.as_of = active, as_of


class ActiveUsersUnknown(Refusal):
    """The tenant did not answer, so seats cannot be compared. `active` and `as_of` are its last answer."""

    status = 503

    def __init__(self, active: int, as_of: datetime) -> None:
        self.active, self.as_of = active, as_of


class DefaultCardKept(Refusal):
    """The default card cannot be deleted: renewals charge it. `only`: the account has no other card.

    An only card may go once no subscription can be charged any more.
    """

    def __init__(self, only: bool) -> None:
        self.only = only


class DefaultIsNoBackup(Refusal):
    """The default card cannot be its own backup."""


class CardInUse(Refusal):
    """A payment with this card is pending, for the subscription with this id."""

    def __init__(self, subscription_id: str) -> None:
        self.subscription_id = subscription_id


class CardMissing(Refusal):
    """The quote has no card to charge."""

    status = 422


class CardExpired(Refusal):
    """The quote's card has expired."""

    status = 422


class QuoteMoved(Refusal):
    """The quote is out of date. Nothing was charged; `fresh` is the id of a new quote for the same seats.

    `changes` maps each field that changed to its old and new value: cents, dates, card ids, or None.
    """

    status: ClassVar[int] = 409

    def __init__(self, fresh: str, changes: dict[str, tuple[object, object]]) -> None:
        self.fresh, self.changes = fresh, changes


class LastFactorKept(Refusal):
    """The account requires a second factor of each member, and this is the member's last one."""
