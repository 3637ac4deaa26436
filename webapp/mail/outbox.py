"""The outbox: each mail is written once, in the transaction of the change that it tells of; `mails` has the words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from functools import partial

from flask_babel import force_locale, gettext
from sqlalchemy import or_, select

from ..access.identity import SignedIn
from ..db import db, new_id
from ..domain.money import Money
from ..domain.subscription import ChangeKind, attempt_day, projected_seats
from ..models.accounts import Account, Owner
from ..models.activity import Case
from ..models.invoices import Invoice
from ..models.mail import Message
from ..models.purchases import Payment
from ..models.subscriptions import ChangeRow, Subscription
from ..ports import ports
from ..purchases import wallet
from . import layout
from .messages import changes, contact, purchases, renewals, sign_in


def _to_owners(
    subscription: Subscription, about: str, now: datetime, words: Callable[[], layout.Mail]
) -> list[Message]:
    """The same mail to each owner of the account, each in the language that owner reads."""
    account, messages = subscription.account, []
    for owner in db.session.scalars(select(Owner).where(Owner.account_id == account.id)).all():
        with force_locale(owner.locale or account.document_locale):
            written = layout.write(words(), owner.name, layout.footer(account))
        messages.append(
            Message(
                account_id=account.id,
                recipient=owner.email,
                **written._asdict(),
                about=f"{about}/{owner.id}",
                sent_at=now,
            )
        )
    return messages


def _told(subscription: Subscription, about: str) -> bool:
    ours = select(Message.id).where(Message.account_id == subscription.account_id)  # by the index that there is
    return db.session.scalars(ours.where(Message.about.startswith(f"{about}/")).limit(1)).first() is not None


def before_renewals(subscription: Subscription, limit: int) -> list[tuple[datetime, int]]:
    """When the owners were told of a renewal ahead, newest first, and how many days before; 0: that the card will have
    expired by then."""
    ours = select(Message.about, Message.sent_at).where(Message.account_id == subscription.account_id)
    about = or_(*(Message.about.startswith(f"{what}/{subscription.id}/") for what in ("renewal", "card_expires")))
    told = {}  # one mail, however many owners it went to
    for row in db.session.execute(ours.where(about).order_by(Message.sent_at.desc()).limit(limit)):
        what, _subscription, ordinal, which, _owner = row.about.split("/")
        told[what, ordinal, which] = (row.sent_at, int(which) if what == "renewal" else 0)
    return list(told.values())


def before_renewal(subscription: Subscription, ahead: int, total: Money, now: datetime) -> list[Message]:
    """What the owner is still to be told of the next automatic renewal, `ahead` days before, or later than that:
    its amount, card and date, and, once for each card, that the card will have expired by then."""
    facts, card = subscription.facts(), wallet.default_card(subscription.account_id)
    ordinal = facts.next_unpaid
    day, messages = facts.boundary(ordinal), []
    notice = f"renewal/{subscription.id}/{ordinal}/{ahead}"
    if not _told(subscription, notice):
        words = partial(renewals.renewal, subscription, projected_seats(facts), total, card, day)
        messages += _to_owners(subscription, notice, now, words)
    if card is not None and card.expired(day):
        warning = f"card_expires/{subscription.id}/{ordinal}/{card.id}"
        if not _told(subscription, warning):
            words = partial(renewals.card_expires, subscription, total, card, day)
            messages += _to_owners(subscription, warning, now, words)
    return messages


def receipts(subscription: Subscription, invoice: Invoice, now: datetime) -> list[Message]:
    words = partial(purchases.receipt, subscription, invoice)
    return _with_document(subscription, invoice, now, _to_owners(subscription, f"receipt/{invoice.id}", now, words))


def credited(subscription: Subscription, note: Invoice, now: datetime) -> list[Message]:
    words = partial(purchases.credit_note, subscription, note)
    return _with_document(subscription, note, now, _to_owners(subscription, f"credited/{note.id}", now, words))


def _with_document(
    subscription: Subscription, invoice: Invoice, now: datetime, messages: list[Message]
) -> list[Message]:
    """The document goes to each billing e-mail once: with the owner's own mail, or in one of its own, in the
    language of the document."""
    account = subscription.account
    addresses = {address.casefold(): address for address in account.billing_emails}
    for message in messages:
        if addresses.pop(message.recipient.casefold(), None) is not None:
            message.attached_id = invoice.id
    with force_locale(invoice.snapshot.get("locale") or account.document_locale):
        footer = gettext(
            "You receive this mail because this address is a billing e-mail of the organisation %(name)s.",
            name=account.legal_name,
        )
        written = layout.write(purchases.document(invoice), account.legal_name, footer)
    return messages + [
        Message(
            account_id=account.id,
            recipient=address,
            **written._asdict(),
            about=f"document/{invoice.id}/{number}",
            attached_id=invoice.id,
            sent_at=now,
        )
        for number, address in enumerate(addresses.values())
    ]


def over_seats(subscription: Subscription, payment: Payment, seats: int, now: datetime) -> list[Message]:
    """A renewal kept the confirmed seats although more users are active."""
    return _to_owners(subscription, f"over_seats/{payment.key}", now, partial(renewals.over_seats, subscription, seats))


def refused(subscription: Subscription, payment: Payment, now: datetime) -> list[Message]:
    """An automatic payment was refused: why, and when the next try is, if there is one."""
    facts = subscription.facts()
    after = replace(facts, refused=facts.refused + 1, refused_on=now.date())
    words = partial(renewals.refused, subscription, payment, attempt_day(after))
    return _to_owners(subscription, f"refused/{payment.key}", now, words)


def confirm(subscription: Subscription, payment: Payment, now: datetime) -> list[Message]:
    """The bank asks who makes an automatic payment, and nobody sits before the page where it does."""
    facts, expires_at = subscription.facts(), subscription.account.local(payment.quote.expires_at)
    given_up = replace(facts, refused=facts.refused + 1, refused_on=expires_at.date())
    words = partial(renewals.confirm, subscription, payment, expires_at, attempt_day(given_up))
    return _to_owners(subscription, f"confirm/{payment.key}", now, words)


def not_made(subscription: Subscription, payment: Payment, now: datetime) -> list[Message]:
    """A payment whose outcome was unknown was not made."""
    return _to_owners(subscription, f"not_made/{payment.key}", now, partial(purchases.not_made, subscription, payment))


def ended(subscription: Subscription, day: date, now: datetime) -> list[Message]:
    return _to_owners(subscription, f"ended/{subscription.id}", now, partial(renewals.ended, subscription, day))


def change_requested(subscription: Subscription, change: ChangeRow, now: datetime) -> list[Message]:
    """`subscription` is as it was before the request: an open reduction is the one that this one replaces."""
    facts = subscription.facts()
    day, replaced = facts.boundary(change.effective_ordinal), facts.change(ChangeKind.REDUCTION)
    if change.seats is None:
        words = partial(changes.cancellation_requested, subscription, day)
    else:
        before = facts.last_paid_seats
        words = partial(
            changes.reduction_requested, subscription, before, replaced and replaced.seats, change.seats, day
        )
    return _to_owners(subscription, f"requested/{change.id}", now, words)


def change_undone(subscription: Subscription, change: ChangeRow, now: datetime) -> list[Message]:
    """`subscription` is as it was before: with the request that is undone."""
    facts = subscription.facts()
    reduction = change.kind == ChangeKind.REDUCTION
    seats = facts.last_paid_seats if reduction else projected_seats(facts)
    goes_on = not (reduction and facts.change(ChangeKind.CANCELLATION))
    day = facts.boundary(change.effective_ordinal)
    words = partial(changes.change_undone, subscription, change.kind, seats, day, goes_on)
    return _to_owners(subscription, f"undone/{change.id}", now, words)


def case(
    opened: Case, account: Account, subscription: Subscription | None, owner: SignedIn, subject: object, now: datetime
) -> Message:
    """To the account manager, in the language of the account's documents; `subject` is a lazy string."""
    with force_locale(account.document_locale):
        footer = gettext(
            "You receive this mail as the account manager of the organisation %(name)s.", name=account.legal_name
        )
        words = contact.case(opened, account, subscription, owner, str(subject))
        written = layout.write(words, account.manager_name, footer)
    return Message(
        account_id=account.id,
        recipient=account.manager_email,
        **written._asdict(),
        about=f"case/{opened.number}",
        sent_at=now,
        reply_to=owner.email,
    )


def password_reset(owner: Owner | None, email: str, token: str, browser: str) -> Message | None:
    """To the owner; to nobody the same words are written and thrown away."""
    words = partial(sign_in.password_reset, email, token, browser)
    if owner is None:
        layout.write(words(), email, "")
        return None
    return _to_owner(owner, "password_reset", words)


def password_changed(owner: Owner, browser: str) -> Message:
    return _to_owner(owner, "password_changed", partial(sign_in.password_changed, owner.email, browser))


def _to_owner(owner: Owner, about: str, words: Callable[[], layout.Mail]) -> Message:
    account = db.session.get_one(Account, owner.account_id)
    with force_locale(owner.locale or account.document_locale):
        written = layout.write(words(), owner.name, layout.footer(account))
    return Message(
        account_id=account.id,
        recipient=owner.email,
        **written._asdict(),
        about=f"{about}/{new_id()}",
        sent_at=ports().clock.now(account),
    )
