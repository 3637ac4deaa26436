"""The outbox: writes each mail once, in the transaction of the change that it reports.

The words are in `mail/messages/`. Each function returns rows for the caller to add. `now` is the account's time.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial

from flask_babel import force_locale, gettext
from sqlalchemy import select

from ..access.identity import SignedIn
from ..db import db, new_id
from ..domain.money import Money
from ..domain.subscription import ChangeKind, Facts, attempt_day, lapse_end, projected_seats
from ..domain.team import MailKind
from ..models.accounts import Account, Member
from ..models.activity import Case
from ..models.invoices import Invoice
from ..models.mail import Message
from ..models.prices import Prices
from ..models.purchases import Payment
from ..models.subscriptions import ChangeRow, Subscription
from ..ports import ports
from . import layout
from .messages import changes, contact, prices, purchases, renewals, sign_in


def _to_members(
    subscription: Subscription, kind: MailKind, about: str, now: datetime, words: Callable[[], layout.Mail]
) -> list[Message]:
    """One mail to each member who wants this kind, in that member's language. `about` identifies what it reports.

    While the account is deactivated, receipts and credit notes only.
    """
    account, messages = subscription.account, []
    if account.deactivated_at is not None and kind is not MailKind.INVOICES:
        return []
    for member in subscription.members:
        if kind in member.unwanted:
            continue
        with force_locale(member.locale or account.document_locale):
            written = layout.write(words(), member.name, layout.footer(account, member.role))
        messages.append(
            Message(
                account_id=account.id,
                recipient=member.email,
                **written._asdict(),
                about=f"{about}/{member.id}",
                sent_at=now,
            )
        )
    return messages


def _is_written(subscription: Subscription, about: str) -> bool:
    """Whether a mail with this `about` was written to any owner."""
    messages = select(Message.id).where(Message.account_id == subscription.account_id)  # uses the index
    return db.session.scalars(messages.where(Message.about.startswith(f"{about}/")).limit(1)).first() is not None


def before_renewal(subscription: Subscription, ahead: int, total: Money, now: datetime) -> list[Message]:
    """The mails before the next automatic renewal that are not written yet.

    The notice of `ahead` days gives the amount, the card and the date. A warning, once for each card, says that the
    card will have expired by then.
    """
    facts, card = subscription.facts, subscription.default_card
    ordinal = facts.next_unpaid
    day, messages = facts.boundary(ordinal), []
    notice = f"renewal/{subscription.id}/{ordinal}/{ahead}"
    if not _is_written(subscription, notice):
        words = partial(renewals.renewal, subscription, projected_seats(facts), total, card, day)
        messages += _to_members(subscription, MailKind.NOTICES, notice, now, words)
    if card is not None and card.expired(day):
        warning = f"card_expires/{subscription.id}/{ordinal}/{card.id}"
        if not _is_written(subscription, warning):
            words = partial(renewals.card_expires, subscription, total, card, day)
            messages += _to_members(subscription, MailKind.NOTICES, warning, now, words)
    return messages


def receipts(
    subscription: Subscription, invoice: Invoice, now: datetime, refused: Payment | None = None
) -> list[Message]:
    """A payment was made: the receipt to the owners, and the invoice to the billing e-mails.

    `refused` is the payment of the default card, if the backup card was charged after it.
    """
    words = partial(purchases.receipt, subscription, invoice, refused)
    to = _to_members(subscription, MailKind.INVOICES, f"receipt/{invoice.id}", now, words)
    return _with_document(subscription, invoice, now, to)


def numbered(messages: list[Message], draft_number: str, number: str) -> list[Message]:
    """These mails about the draft of an invoice, with its number."""
    for message in messages:
        message.subject = message.subject.replace(draft_number, number)
        message.body = message.body.replace(draft_number, number)
        message.html = message.html.replace(draft_number, number)
    return messages


def credited(subscription: Subscription, note: Invoice, now: datetime) -> list[Message]:
    """A credit note was issued: a mail to the owners, and the credit note to the billing e-mails."""
    words = partial(purchases.credit_note, subscription, note)
    return _with_document(
        subscription, note, now, _to_members(subscription, MailKind.INVOICES, f"credited/{note.id}", now, words)
    )


def _with_document(
    subscription: Subscription, invoice: Invoice, now: datetime, messages: list[Message]
) -> list[Message]:
    """Sends the invoice or credit note to each billing e-mail once.

    An owner whose address is a billing e-mail gets it with the owner's own mail. The other addresses get a mail of
    their own, in the language of the document.
    """
    account = subscription.account
    addresses = {address.casefold(): address for address in account.billing_emails}
    for message in messages:
        if addresses.pop(message.recipient.casefold(), None) is not None:
            message.attached_id = invoice.id
    about = f"document/{invoice.id}"
    return messages + documents_to(account, invoice, list(addresses.values()), about, now)


def documents_to(
    account: Account, invoice: Invoice, addresses: Sequence[str], about: str, now: datetime
) -> list[Message]:
    """The mails with an invoice or credit note attached, one to each address, in the language of the document."""
    with force_locale(invoice.snapshot.get("locale") or account.document_locale):
        footer = gettext(
            "You are receiving this e-mail because this address is a billing contact for %(name)s.",
            name=account.legal_name,
        )
        written = layout.write(purchases.document(invoice), account.legal_name, footer)
    return [
        Message(
            account_id=account.id,
            recipient=address,
            **written._asdict(),
            about=f"{about}/{number}",
            attached_id=invoice.id,
            sent_at=now,
        )
        for number, address in enumerate(addresses)
    ]


def over_seats(subscription: Subscription, payment: Payment, seats: int, now: datetime) -> list[Message]:
    """A subscription was renewed at the confirmed number of seats, although more users are active."""
    return _to_members(
        subscription,
        MailKind.NOTICES,
        f"over_seats/{payment.key}",
        now,
        partial(renewals.over_seats, subscription, seats),
    )


def refused(
    subscription: Subscription, payment: Payment, now: datetime, before: Payment | None = None
) -> list[Message]:
    """An automatic payment was declined: why, and the next attempt, or until when the subscription can be renewed.

    `before` is the declined payment of the default card, if this one is of the backup card.
    """
    facts_after = after_refusal(subscription, payment, now)
    declined = [payment] if before is None else [before, payment]
    words = partial(renewals.refused, subscription, declined, attempt_day(facts_after), lapse_end(facts_after))
    return _to_members(subscription, MailKind.REFUSALS, f"refused/{payment.key}", now, words)


def after_refusal(subscription: Subscription, payment: Payment, now: datetime) -> Facts:
    """The subscription's facts once this attempt counts as refused."""
    facts, refused_on = subscription.facts, subscription.account.local(payment.settled_at or now).date()
    return replace(facts, refused=facts.refused + 1, refused_on=refused_on)


def confirm(subscription: Subscription, payment: Payment, now: datetime) -> list[Message]:
    """The bank asks the owner to confirm an automatic payment (3-D Secure)."""
    facts, expires_at = subscription.facts, subscription.account.local(payment.quote.expires_at)
    given_up = replace(facts, refused=facts.refused + 1, refused_on=expires_at.date())
    words = partial(renewals.confirm, subscription, payment, expires_at, attempt_day(given_up))
    return _to_members(subscription, MailKind.REFUSALS, f"confirm/{payment.key}", now, words)


def not_made(subscription: Subscription, payment: Payment, now: datetime) -> list[Message]:
    """A payment whose outcome was unknown turned out not to be made."""
    return _to_members(
        subscription,
        MailKind.REFUSALS,
        f"not_made/{payment.key}",
        now,
        partial(purchases.not_made, subscription, payment),
    )


def ended(subscription: Subscription, day: date, now: datetime) -> list[Message]:
    """The subscription ended on `day`."""
    return _to_members(
        subscription, MailKind.NOTICES, f"ended/{subscription.id}", now, partial(renewals.ended, subscription, day)
    )


def new_prices(subscription: Subscription, told: Prices, now: datetime) -> list[Message]:
    """New prices apply from a coming period on. `subscription` has them already."""
    new = subscription.new_prices_of(told)
    about = f"new_prices/{subscription.id}/{told.id}"
    return _to_members(subscription, MailKind.NOTICES, about, now, partial(prices.told, subscription, new))


def prices_withdrawn(subscription: Subscription, price_list_id: str, day: date, now: datetime) -> list[Message]:
    """Prices that were told, from `day` on, will not apply."""
    about = f"prices_withdrawn/{subscription.id}/{price_list_id}"
    return _to_members(subscription, MailKind.NOTICES, about, now, partial(prices.withdrawn, subscription, day))


def change_requested(subscription: Subscription, change: ChangeRow, now: datetime) -> list[Message]:
    """A reduction or cancellation was requested.

    `subscription` is as it was before the request. A reduction that is open in it is replaced by this one.
    """
    facts = subscription.facts
    day, replaced = facts.boundary(change.effective_ordinal), facts.change(ChangeKind.REDUCTION)
    if change.seats is None:
        words = partial(changes.cancellation_requested, subscription, day)
    else:
        before = facts.last_paid_seats
        words = partial(
            changes.reduction_requested, subscription, before, replaced and replaced.seats, change.seats, day
        )
    return _to_members(subscription, MailKind.NOTICES, f"requested/{change.id}", now, words)


def change_undone(subscription: Subscription, change: ChangeRow, now: datetime) -> list[Message]:
    """A reduction or cancellation was undone. `subscription` is as it was before: the request is still open in it."""
    facts = subscription.facts
    reduction = change.kind == ChangeKind.REDUCTION
    seats = facts.last_paid_seats if reduction else projected_seats(facts)
    goes_on = not (reduction and facts.change(ChangeKind.CANCELLATION))
    day = facts.boundary(change.effective_ordinal)
    words = partial(changes.change_undone, subscription, change.kind, seats, day, goes_on)
    return _to_members(subscription, MailKind.NOTICES, f"undone/{change.id}", now, words)


def case(
    opened: Case, account: Account, subscription: Subscription | None, owner: SignedIn, subject: object, now: datetime
) -> Message:
    """A case was opened: a mail to the account manager, in the language of the account's documents.

    `subject` is a lazy string.
    """
    with force_locale(account.document_locale):
        words = contact.case(opened, account, subscription, owner, str(subject))
        written = layout.write(words, account.manager_name, layout.manager_footer(account))
    return Message(
        account_id=account.id,
        recipient=account.manager_email,
        **written._asdict(),
        about=f"case/{opened.number}",
        sent_at=now,
        reply_to=owner.email,
    )


def password_reset(owner: Member | None, email: str, token: str, browser: str) -> Message | None:
    """The mail with the link that sets a new password.

    Without an owner the mail is composed and discarded, so that an unknown e-mail takes as long as a known one.
    """
    words = partial(sign_in.password_reset, email, token, browser)
    if owner is None:
        layout.write(words(), email, "")
        return None
    return _to_member(owner, "password_reset", words)


def _to_member(member: Member, about: str, words: Callable[[], layout.Mail]) -> Message:
    account = db.session.get_one(Account, member.account_id)
    with force_locale(member.locale or account.document_locale):
        written = layout.write(words(), member.name, layout.footer(account, member.role))
    return Message(
        account_id=account.id,
        recipient=member.email,
        **written._asdict(),
        about=f"{about}/{new_id()}",
        sent_at=ports().clock.now(account),
    )
