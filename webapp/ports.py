"""What the portal asks of the world. Adapters are chosen in `create_app` alone; `ports()` finds them."""

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
    """Money that the gateway took: with which key, from which card, and what the portal said of it (`metadata`)."""

    key: str
    money: Money
    metadata: Mapping[str, str]
    captured_at: datetime
    card_token: str
    card_brand: str
    card_last4: str


@dataclass(frozen=True)
class Captured:
    """The money was taken: `capture` says which, where the gateway says so."""

    capture: Capture | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Declined:
    """The bank said no; `code` is one of `webapp.sentences.DECLINES`. The card was not charged."""

    code: str


@dataclass(frozen=True)
class ActionRequired:
    """The bank wants to know its customer (3-D Secure), on its own page at `url`."""

    url: str


@dataclass(frozen=True)
class Cancelled:
    """No charge with this key was made, nor ever will be."""


@dataclass(frozen=True)
class Refunded:
    """The money went back to the card."""


Outcome = Captured | Declined | ActionRequired | Cancelled


class OutcomeUnknown(Exception):
    """The gateway did not answer in time: the charge may or may not have been made."""


class NewCard(NamedTuple):
    """All that is ever known of a card; `token` is what the gateway calls it."""

    token: str
    brand: str
    last4: str
    exp_year: int
    exp_month: int
    holder: str


class CardSetup(NamedTuple):
    reference: str
    url: str


class PaymentGateway(Protocol):
    """Every call may raise OutcomeUnknown. None is made while a transaction is open."""

    def begin_card_setup(self, customer: str, return_url: str, locale: str) -> CardSetup:
        """A page of the gateway's own, where the card is entered."""

    def complete_card_setup(self, reference: str) -> NewCard | None:
        """The card that was entered there; None if none was. Asked again, it answers the same."""

    def detach(self, card_token: str) -> None:
        """Forget a card: whatever is charged to it from now on is declined. Asked again, it changes nothing."""

    def charge(self, key: str, card_token: str, money: Money, return_url: str, present: bool) -> Outcome:
        """Charge once for a key: asked again, it answers what became of the first, whatever the amount is now. One
        that is not settled yet and was begun for another amount is cancelled. What the payment is for goes with it.

        `present`: the owner waits for the answer. Else the bank is told that nobody does; if it wants to know its
        customer nevertheless, the outcome is ActionRequired, and its page is for when the owner comes.
        """

    def find(self, key: str) -> Outcome | None:
        """What became of a key; None if the gateway never heard of it."""

    def cancel(self, key: str) -> Outcome:
        """See to it that the key is never charged. Captured or Declined if it was settled before."""

    def refund(self, key: str, payment_key: str, money: Money) -> Refunded | Declined:
        """Give back so much of what `payment_key` captured, once for a key: asked again, it answers as it did."""

    def captures_since(self, instant: datetime) -> Iterator[Capture]:
        """Every charge of the portal's that was begun since then and that took money, in no order."""

    def fault(self) -> str | None:
        """Why it cannot be asked and what to do, for who administers the portal; None if it answers."""


class Heard(NamedTuple):
    """A notification of the gateway's: `key` names a payment or a refund, or a visit to the card page (`card`).

    It decides nothing: it says what to ask the gateway about.
    """

    id: str
    subject: str
    key: str


class Forged(Exception):
    """A notification that the gateway did not send, or not lately."""


class Notifier(Protocol):
    """How the gateway tells that something happened."""

    def heard(self, body: bytes, signature: str) -> Heard | None:
        """What a notification is about; None for one that is of no concern. Raises Forged."""


class Headcount(NamedTuple):
    active: int
    as_of: datetime


class DirectoryUnavailable(Exception):
    """The directory did not tell, or not in time, who is active; the reason names no secret."""


class TenantDirectory(Protocol):
    def active_users(self, tenant: str) -> Headcount:
        """Who is active, asked within a few seconds and while no transaction is open. Raises DirectoryUnavailable."""


class Undelivered(Exception):
    """A mail was not taken; the reason names no secret. `final`: nor will it be, however often it is tried.

    `silent`: the mail server was not reached or broke off, which says nothing about this mail.
    """

    def __init__(self, reason: str, *, final: bool = False, silent: bool = False) -> None:
        super().__init__(reason)
        self.final, self.silent = final, silent


Send = Callable[[EmailMessage, str], None]  # a whole mail, and the address of its recipient


class Mailer(Protocol):
    sender: str  # « My Qlik <billing@example.test> »

    def sending(self) -> AbstractContextManager[Send]:
        """Sends mails one after another, while no transaction is open. A mail that was not taken is Undelivered."""

    def greet(self) -> None:
        """Connects as if to send. Raises Undelivered."""


class Clock(Protocol):
    """The only reader of time."""

    def now(self, account: Account) -> datetime:
        """Business time at the account's place, with a fixed offset: adding and comparing is exact on any night."""

    def latest_day(self, account_id: str | None) -> date:
        """No earlier than today at that account's place, or at any account's."""

    def system_now(self) -> datetime:
        """Machine time (UTC), for what follows no account's clock: sessions, limits, mails on their way."""


@dataclass(frozen=True)
class Ports:
    gateway: PaymentGateway
    directory: TenantDirectory
    clock: Clock
    mailer: Mailer | None = None  # where mails stay in the sandbox's panel
    notifier: Notifier | None = None


def ports() -> Ports:
    found: Ports = current_app.extensions["ports"]
    return found
