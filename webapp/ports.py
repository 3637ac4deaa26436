"""Interfaces to the outside world. `create_app` chooses the adapters; `ports()` returns them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from email.message import EmailMessage
from typing import NamedTuple, Protocol

from flask import current_app

from .domain.money import Money
from .models.accounts import Account


class Capture(NamedTuple):
    """Money that the gateway took. `metadata` is what the portal said of the charge."""

    key: str
    money: Money
    metadata: Mapping[str, str]
    captured_at: datetime
    card_token: str
    card_brand: str
    card_last4: str


@dataclass(frozen=True)
class Captured:
    """The card was charged. `capture` has the details, if the gateway tells them."""

    capture: Capture | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Declined:
    """The bank declined; the card was not charged. `webapp/sentences/declines.py` has a sentence for each `code`."""

    code: str


@dataclass(frozen=True)
class ActionRequired:
    """The bank asks the customer to authenticate (3-D Secure) on its page at `url`."""

    url: str


@dataclass(frozen=True)
class Cancelled:
    """No charge was made with this key, and none ever will be."""


@dataclass(frozen=True)
class Refunded:
    """The money was returned to the card."""


Outcome = Captured | Declined | ActionRequired | Cancelled


class OutcomeUnknown(Exception):
    """The gateway did not answer in time: the charge may or may not have been made."""


class GatewaySilent(OutcomeUnknown):
    """The gateway did not answer at all, or answered that it is out of order."""


class NewCard(NamedTuple):
    """All that the portal ever knows of a card. `token` is the gateway's name for it."""

    token: str
    brand: str
    last4: str
    exp_year: int
    exp_month: int
    holder: str


class CardSetup(NamedTuple):
    """`url` is the gateway's page where a card is entered; `reference` identifies the visit."""

    reference: str
    url: str


class PaymentGateway(Protocol):
    """Every call may raise OutcomeUnknown. Never call it while a transaction is open.

    Keys and references are those of the account with the id `account_id`.
    """

    def begin_card_setup(self, account_id: str, return_url: str, locale: str) -> CardSetup:
        """Opens a visit to the gateway's page where the owner enters a card."""

    def complete_card_setup(self, account_id: str, reference: str) -> NewCard | None:
        """The card that was entered, or None. Calling it again returns the same."""

    def detach(self, card_token: str) -> None:
        """Forgets a card: later charges to it are declined. Calling it again changes nothing."""

    def charge(
        self, account_id: str, key: str, card_token: str, money: Money, return_url: str, present: bool
    ) -> Outcome:
        """Charges once for each key. Calling it again returns the outcome of the first call, even for another amount.

        If the first charge is not settled yet and was for another amount, it is cancelled. The charge carries metadata
        that says what it is for.

        `present`: the owner is waiting for the answer. If not, the bank is told so; it may still answer with
        ActionRequired, and the owner opens its page later.
        """

    def find(self, account_id: str, key: str) -> Outcome | None:
        """The outcome of the charge with this key. None if the gateway does not know the key."""

    def cancel(self, account_id: str, key: str) -> Outcome:
        """Makes sure that the key is never charged. Captured or Declined if it was settled before."""

    def refund(self, account_id: str, key: str, payment_key: str, money: Money) -> Refunded | Declined:
        """Returns `money` of the captured payment `payment_key`, once for each `key`.

        Calling it again returns the same.
        """

    def captures_since(self, instant: datetime) -> Iterator[Capture]:
        """The portal's charges that were begun since then and captured, in any order."""

    def fault(self) -> str | None:
        """Why the gateway cannot be used and what the operator should do. None if it works."""


class GatewayEvent(NamedTuple):
    """Something changed at the gateway. The event only says what to ask the gateway about.

    `subject` is "payment", "refund" or "card"; `key` is that of the payment or refund, or the card setup's reference.
    """

    id: str
    subject: str
    account_id: str
    key: str


class ForgedEvent(Exception):
    """An event that the gateway did not send, or an old one that was sent again."""


class GatewayEventReader(Protocol):
    """Reads the events that the gateway sends."""

    def read_event(self, body: bytes, signature: str) -> GatewayEvent | None:
        """The event in a request. None if it is of a type that the portal ignores. Raises ForgedEvent."""


class ActiveUsers(NamedTuple):
    """How many users of a tenant are active, and when they were counted."""

    active: int
    as_of: datetime


class DirectoryUnavailable(Exception):
    """The directory did not answer, or not in time. The message contains no secret."""


class TenantDirectory(Protocol):
    def active_users(self, tenant: str) -> ActiveUsers:
        """Takes a few seconds at most. Never call it while a transaction is open. Raises DirectoryUnavailable."""


class Undelivered(Exception):
    """The mail server did not take a mail. The message contains no secret.

    `final`: trying again is useless. `silent`: the server was not reached or broke off, so the mail is not at fault.
    """

    def __init__(self, reason: str, *, final: bool = False, silent: bool = False) -> None:
        super().__init__(reason)
        self.final, self.silent = final, silent


Send = Callable[[EmailMessage, str], None]  # takes a whole mail and the address of its recipient


class Mailer(Protocol):
    sender: str  # « My Qlik <billing@example.test> »

    def sending(self) -> AbstractContextManager[Send]:
        """Opens a connection and yields the function that sends a mail over it. Sending raises Undelivered.

        Never send while a transaction is open.
        """

    def greet(self) -> None:
        """Connects without sending anything. Raises Undelivered."""


class Clock(Protocol):
    """The only reader of time."""

    def now(self, account: Account) -> datetime:
        """Business time in the account's zone, with a fixed offset, so arithmetic is exact when clocks change."""

    def latest_day(self, account_id: str | None) -> date:
        """A day not earlier than today in the account's zone; without an id, in every account's zone."""

    def system_now(self) -> datetime:
        """Machine time (UTC), for sessions, limits and sending mails."""


@dataclass(frozen=True)
class Ports:
    gateway: PaymentGateway
    directory: TenantDirectory
    clock: Clock
    mailer: Mailer | None = None  # None: mails are only shown in the sandbox's panel
    gateway_events: GatewayEventReader | None = None


def ports() -> Ports:
    adapters: Ports = current_app.extensions["ports"]
    return adapters
