"""The timeline in words: what is to come of a subscription, and what happened to it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from flask import url_for

from .. import formats
from ..domain.subscription import ChangeKind
from ..domain.timeline import Kind, Planned
from ..formats import ngettext
from ..models.cards import Card
from ..subscriptions.history import Document, Done
from ..subscriptions.outlook import PastEvent, Timeline
from ..subscriptions.summary import Summary, renewal_total
from ..words import gettext
from .amounts import with_vat
from .checks import Link, payment_sentence, undo_link
from .declines import decline
from .labels import ACTIVITIES


class Event(NamedTuple):
    """`kind` is for the style sheet; the link follows the last of the notes, or the sentence where there is none."""

    day: date
    sentence: str
    notes: tuple[str, ...] = ()
    link: Link | None = None
    kind: str = ""


class TimelineSentences(NamedTuple):
    today: date
    ahead: list[Event]
    past: list[Event]


def timeline_sentences(timeline: Timeline, tile: Summary) -> TimelineSentences:
    return TimelineSentences(
        timeline.today,
        [_ahead(planned, timeline, tile)._replace(kind=planned.kind) for planned in timeline.ahead],
        [_past(happened, tile) for happened in timeline.past],
    )


def _ahead(planned: Planned, timeline: Timeline, tile: Summary) -> Event:
    day, seats = planned.day, planned.seats
    match planned.kind:
        case Kind.PENDING:
            return _pending(day, tile)
        case Kind.CARD_EXPIRES:
            link = Link(gettext("Payment & billing"), url_for("billing.page"))
            return Event(day, gettext("Last day of the default card"), link=link)
        case Kind.NOTICE:
            return Event(day, _mail(planned.number))
        case Kind.PERIOD:
            sentence = ngettext("Paid period starts: %(n)s seat", "Paid period starts: %(n)s seats", seats)
            return Event(day, sentence)
        case Kind.REDUCTION:
            before = formats.number(tile.last_paid_seats)
            sentence = ngettext(
                "Reduction: %(before)s → %(n)s seat", "Reduction: %(before)s → %(n)s seats", seats, before=before
            )
            return Event(day, sentence, link=undo_link(ChangeKind.REDUCTION, tile))
        case Kind.EXTERNAL:
            return Event(day, _external(seats, tile.subscription.reseller))
        case Kind.END:
            undo = undo_link(ChangeKind.CANCELLATION, tile)
            return Event(day - timedelta(days=1), gettext("The subscription ends"), link=undo)
        case Kind.LAPSE_END:
            link = Link(gettext("Renew now"), url_for("renew.stepper", subscription_id=tile.subscription.id))
            return Event(day, gettext("The subscription ends unless renewed before this date"), link=link)
        case Kind.RENEWAL | Kind.ATTEMPT | Kind.LAST_ATTEMPT:
            return _charge(planned, timeline.retries, tile)


def _pending(day: date, tile: Summary) -> Event:
    if tile.pending is None:
        raise ValueError("no payment is pending")
    sentence, link = payment_sentence(tile, tile.pending)
    return Event(day, sentence, link=link)


def _mail(days: int) -> str:
    return ngettext("Reminder e-mail, %(n)s day before renewal", "Reminder e-mail, %(n)s days before renewal", days)


def _external(seats: int, reseller: str | None) -> str:
    if reseller:
        return ngettext("Renewal by %(name)s: %(n)s seat", "Renewal by %(name)s: %(n)s seats", seats, name=reseller)
    return ngettext(
        "Renewal by your account manager: %(n)s seat", "Renewal by your account manager: %(n)s seats", seats
    )


def _charge(planned: Planned, retries: list[date], tile: Summary) -> Event:
    """A charge of the default card, with its amount; the next renewal also says until when it would be tried again."""
    card = _card_name(tile.card)
    subscription = tile.subscription
    later = planned.kind is Kind.RENEWAL and planned.day > max(tile.renews_on, tile.today)
    total = renewal_total(subscription, planned.day) if later else tile.next_total
    amount = _charged(*total, subscription.account.tax_terms.rate, card)
    if planned.kind is Kind.ATTEMPT:
        return Event(planned.day, gettext("Payment attempt %(n)s for the renewal", n=planned.number), (amount,))
    if planned.kind is Kind.LAST_ATTEMPT:
        return Event(planned.day, gettext("Last attempt: if declined, the subscription lapses"), (amount,))
    sentence = ngettext("Renewal: %(n)s seat", "Renewal: %(n)s seats", planned.seats)
    if planned.day != tile.renews_on or not retries:
        return Event(planned.day, sentence, (amount,))
    return Event(planned.day, sentence, (amount, *_if_declined(planned.day, retries, tile)))


def _if_declined(day: date, retries: list[date], tile: Summary) -> Iterator[str]:
    """What follows if the bank declines the default card: the backup card on the same day, then further attempts."""
    backup = tile.subscription.backup_card
    if backup is not None and not backup.expired(day):
        name = formats.card_name(backup.brand, backup.last4)
        yield gettext("If declined: %(card)s, the backup card, on the same day.", card=name)
    yield ngettext(
        "If declined: %(n)s further attempt by %(day)s.",
        "If declined: %(n)s further attempts by %(day)s.",
        len(retries),
        day=formats.day(retries[-1]),
    )


def _past(happened: PastEvent, tile: Summary) -> Event:
    day = happened.day
    if happened.document:
        return _document(day, happened.document, tile)
    if happened.notice == 0:
        return Event(day, gettext("Reminder e-mail: the card expires before renewal"))
    if happened.notice:
        return Event(day, _mail(happened.notice))
    if happened.period:
        seats = happened.period.seats
        return Event(day, ngettext("Period started: %(n)s seat", "Period started: %(n)s seats", seats))
    if happened.done:
        return _done(day, happened.done, tile)
    raise ValueError(f"nothing happened on {day}")


def _document(day: date, document: Document, tile: Summary) -> Event:
    """An invoice or a credit note was issued."""
    snapshot = document.snapshot
    if document.kind == "credit_note":
        what = gettext("Credit note")
    elif snapshot["kind"] == "addition":
        what = gettext("Seats added")
    else:
        what = gettext("Renewal paid") if tile.self_service else gettext("Invoice")
    card = snapshot["card"]
    name = formats.card_name(card["brand"], card["last4"]) if card else ""
    return Event(
        day,
        _told(what, ngettext("%(n)s seat", "%(n)s seats", snapshot["seats"])),
        (_charged(document.total, document.currency, snapshot["tax_rate"], name),),
        Link(document.number, url_for("billing.invoice", invoice_id=document.id)),
    )


def _done(day: date, row: Done, tile: Summary) -> Event:
    """Something that a person or the portal did."""
    sentence = str(ACTIVITIES.get(row.what, row.what))
    before, after = row.before.get("seats"), row.after.get("seats")
    if before and after:
        change = ngettext("%(before)s → %(n)s seat", "%(before)s → %(n)s seats", after, before=formats.number(before))
        sentence = _told(sentence, change)
    if row.what == "ended":
        return Event(day - timedelta(days=1), sentence)  # its last day, as everywhere
    if row.what != "payment_refused":
        return Event(day, sentence)
    rate = row.after.get("tax_rate", tile.subscription.account.tax_terms.rate)  # older rows do not have it
    amount = _charged(row.after["total"], row.after["currency"], rate, row.after.get("card") or "–")
    return Event(day, sentence, (f"{amount} · {decline(row.after.get('code'))}",))


def _told(what: str, how_much: str) -> str:
    return f"{what}{gettext(':')} {how_much}"


def _charged(cents: int, currency: str, rate: int, card: str) -> str:
    """An amount and the card that it is charged to; `rate` in basis points."""
    amount = with_vat(formats.money(cents, currency), rate)
    return f"{amount} · {card}" if card else amount


def _card_name(card: Card | None) -> str:
    return formats.card_name(card.brand, card.last4) if card else ""
