"""« Will my renewal succeed? » in words: what each point says, and the link to what settles it."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from flask import url_for

from .. import formats
from ..domain.checks import Check, Point, Remedy, Verdict
from ..domain.subscription import ChangeKind, Status
from ..domain.tax import Treatment
from ..formats import ngettext
from ..models.subscriptions import PaymentRead
from ..subscriptions.summary import Summary
from ..urls import step_url, undo_url, users_url
from ..words import gettext, lazy_gettext

VERDICTS = {
    Verdict.OK: lazy_gettext("OK"),
    Verdict.WARNING: lazy_gettext("Needs attention"),
    Verdict.PROBLEM: lazy_gettext("To fix"),
    Verdict.ASKED: lazy_gettext("Cancelled"),
}
TAX_IN_ORDER = {
    Treatment.STANDARD: lazy_gettext("French VAT applies."),
    Treatment.REVERSE_CHARGE: lazy_gettext("Your VAT number has a valid format: the reverse charge applies."),
    Treatment.OVERSEAS: lazy_gettext("French VAT does not apply in Guyane and Mayotte."),
    Treatment.OUTSIDE_EU: lazy_gettext("No VAT applies outside the European Union."),
}


class Link(NamedTuple):
    label: str
    url: str


class CheckSentence(NamedTuple):
    """`verdict` is for the style sheet, `heading` says it in words; `link` leads to what settles it."""

    verdict: Verdict
    heading: str
    sentence: str
    link: Link | None


def check_sentence(check: Check, tile: Summary) -> CheckSentence:
    return CheckSentence(check.verdict, str(VERDICTS[check.verdict]), _sentence(check, tile), _link(check, tile))


def verdict_sentence(checks: Sequence[Check]) -> str:
    """The answer to the question, by the worst of the points."""
    verdicts = [check.verdict for check in checks]
    if Verdict.ASKED in verdicts:
        return gettext("It will not renew, as you asked.")
    if Verdict.PROBLEM in verdicts:
        return gettext("No. Fix the following first.")
    warnings = verdicts.count(Verdict.WARNING)
    if warnings == 1:
        return gettext("Yes, but one point needs your attention.")
    if warnings:
        return gettext("Yes, but %(n)s points need your attention.", n=formats.number(warnings))
    return gettext("Yes, everything is in order.")


def payment_sentence(tile: Summary, pending: PaymentRead) -> tuple[str, Link]:
    """What a payment in progress waits for, and where the owner follows or confirms it."""
    if pending.challenged:
        deadline = formats.last_minute(tile.subscription.account.local(pending.quote.expires_at))
        sentence = gettext("Your bank is waiting for your confirmation until %(deadline)s.", deadline=deadline)
        return sentence, Link(gettext("Confirm the payment"), step_url("authentication", pending.quote))
    return (
        gettext("A payment is in progress."),
        Link(gettext("Follow this payment"), step_url("receipt", pending.quote)),
    )


def undo_link(kind: ChangeKind, tile: Summary) -> Link | None:
    """Where the open request of that kind is undone."""
    labels = {
        ChangeKind.CANCELLATION: gettext("Undo the cancellation"),
        ChangeKind.REDUCTION: gettext("Undo the reduction"),
    }
    change = next((change for change in tile.changes if change.kind == kind), None)
    return Link(labels[kind], undo_url(change)) if change else None


def _sentence(check: Check, tile: Summary) -> str:
    sentences = {
        Point.CANCELLATION: _cancellation,
        Point.CHARGE: _charge,
        Point.PAYMENT: _payment,
        Point.CARD: _card,
        Point.EXPIRY: _expiry,
        Point.REFUSAL: _refusal,
        Point.BACKUP: _backup,
        Point.SEATS: _seats,
        Point.TAX: _tax,
    }
    return sentences[check.point](check, tile)


def _cancellation(check: Check, _tile: Summary) -> str:
    return gettext(
        "There will be no renewal: cancellation has been requested, and the subscription ends on %(day)s.",
        day=formats.last_day(_day(check)),
    )


def _charge(check: Check, tile: Summary) -> str:
    day = _day(check)
    if check.verdict is Verdict.PROBLEM:
        return gettext(
            "Automatic charges have stopped: renew by %(day)s, or the subscription will end.",
            day=formats.last_day(day),
        )
    if check.verdict is Verdict.WARNING and tile.pending:
        return gettext("The renewal has been due since %(day)s.", day=formats.day(tile.renews_on))
    if check.verdict is Verdict.WARNING and not tile.subscription.facts.refused:
        return gettext(
            "The renewal has been due since %(day)s; we will charge the card on %(next)s.",
            day=formats.day(tile.renews_on),
            next=formats.day(day),
        )
    if check.verdict is Verdict.WARNING:
        return gettext(
            "The renewal has been due since %(day)s; we will charge the card again on %(next)s.",
            day=formats.day(tile.renews_on),
            next=formats.day(day),
        )
    total = formats.money(*tile.next_total)
    return gettext("%(total)s will be charged on %(day)s.", total=total, day=formats.day(day))


def _payment(_check: Check, tile: Summary) -> str:
    if tile.pending is None:
        return gettext("No payment is in progress.")
    if tile.pending.challenged:
        return payment_sentence(tile, tile.pending)[0]
    return gettext("A payment is in progress. Nothing else will be charged until we know the outcome.")


def _card(_check: Check, tile: Summary) -> str:
    if tile.card is None:
        return gettext("There is no card to charge.")
    return gettext("The default card is %(card)s.", card=formats.card_name(tile.card.brand, tile.card.last4))


def _expiry(check: Check, _tile: Summary) -> str:
    if check.verdict is Verdict.OK:
        return gettext("The card is valid until %(day)s.", day=formats.last_day(_day(check)))
    return gettext("The default card expires before the next renewal.")


def _refusal(check: Check, tile: Summary) -> str:
    if check.verdict is Verdict.OK:
        return gettext("The bank has not declined the last charge of this card.")
    if check.verdict is Verdict.WARNING and not _owed(tile):
        return gettext("The bank declined the last charge of the default card: the renewal may fail.")
    return gettext("The bank declined the default card at the last attempt.")


def _owed(tile: Summary) -> bool:
    """Whether the renewal is due and has not been paid."""
    return tile.status in (Status.PAST_DUE, Status.LAPSED)


def _backup(check: Check, tile: Summary) -> str:
    if check.day is not None:
        return gettext("The backup card will have expired by the next renewal: it will not be charged.")
    if check.verdict is not Verdict.OK:
        return gettext("The bank declined the backup card at the last attempt, too.")
    backup = tile.subscription.backup_card
    card = formats.card_name(backup.brand, backup.last4) if backup else ""
    return gettext("If the default card is declined, the backup card, %(card)s, will be charged.", card=card)


def _seats(check: Check, tile: Summary) -> str:
    active = formats.number(tile.subscription.active_users)
    if check.verdict is Verdict.OK:
        return ngettext(
            "%(n)s seat covers your active users (%(active)s).",
            "%(n)s seats cover your active users (%(active)s).",
            tile.projected_seats,
            active=active,
        )
    return gettext(
        "Active users: %(active)s, seats: %(seats)s. The renewal uses the number you confirmed, so some users "
        "will be left without a seat.",
        active=active,
        seats=formats.number(tile.projected_seats),
    )


def _tax(check: Check, tile: Summary) -> str:
    account = tile.subscription.account
    if check.verdict is Verdict.OK:
        return str(TAX_IN_ORDER[account.tax_terms.treatment])
    if account.vat_number:
        return gettext("Your VAT number does not match your country: correct it, or your invoices may be wrong.")
    return gettext("There is no VAT number: French VAT is charged.")


def _day(check: Check) -> date:
    if check.day is None:
        raise ValueError(f"{check.point} without its day")
    return check.day


def _link(check: Check, tile: Summary) -> Link | None:
    subscription = tile.subscription
    match check.remedy:
        case Remedy.UNDO_CANCELLATION:
            return undo_link(ChangeKind.CANCELLATION, tile)
        case Remedy.UNDO_REDUCTION:
            return undo_link(ChangeKind.REDUCTION, tile)
        case Remedy.RENEW:
            return Link(gettext("Renew now"), url_for("renew.stepper", subscription_id=subscription.id))
        case Remedy.ADD:
            seats = subscription.active_users
            return Link(gettext("Add seats"), url_for("add.stepper", subscription_id=subscription.id, seats=seats))
        case Remedy.USERS:
            return Link(gettext("Manage the users of the tenant"), users_url(subscription))
        case Remedy.FOLLOW_PAYMENT if tile.pending:
            return payment_sentence(tile, tile.pending)[1]
        case Remedy.CARDS:
            label = gettext("Add credit card") if check.point is Point.CARD else gettext("Choose another card")
            return Link(label, url_for("billing.page"))
        case Remedy.BILLING_INFORMATION:
            return Link(gettext("Change billing information"), url_for("billing_info.page"))
    return None
