"""The words of each mail, once: two layouts (templates/mail) print them as text and as HTML.

Each function is called in its reader's language. Amounts are cents with tax; `day` is the first day of a period,
`end` the first day after one.
"""

from datetime import date, datetime
from typing import NamedTuple
from urllib.parse import quote

from flask import current_app, render_template
from flask_babel import gettext

from .auth import SignedIn
from .domain.money import Money
from .domain.subscription import ChangeKind
from .formats import card_name, clock_time, last_day, money, ngettext, number
from .formats import day as on
from .models import Account, Card, Payment, Subscription
from .records import Case, Invoice

SUBJECT_LENGTH = 200


class Mail(NamedTuple):
    """`of` is what the title is about; `facts` are labels and values; `action` is a label and an absolute address;
    `quoted` is what somebody wrote, line by line."""

    title: str
    of: str
    paragraphs: list[str]
    facts: list[tuple[str, str]]
    action: tuple[str, str]
    quoted: str = ""


class Written(NamedTuple):
    subject: str
    body: str
    html: str


def write(mail: Mail, name: str, footer: str) -> Written:
    """To `name`, in the language of now. Names are kept on one line: none can add a line to the subject or the text."""
    mail = mail._replace(
        title=_line(mail.title),
        of=_line(mail.of),
        paragraphs=[_line(paragraph) for paragraph in mail.paragraphs],
        facts=[(label, _line(value)) for label, value in mail.facts],
    )
    subject = gettext("%(label)s: %(value)s", label=mail.title, value=mail.of)[:SUBJECT_LENGTH]
    told = {"mail": mail, "subject": subject, "name": _line(name), "footer": _line(footer)}
    return Written(subject, render_template("mail/layout.txt", **told), render_template("mail/layout.html", **told))


def footer(account: Account) -> str:
    return gettext(
        "You receive this mail as a service account owner of the organisation %(name)s.", name=account.legal_name
    )


def renewal(subscription: Subscription, seats: int, total: Money, card: Card | None, day: date) -> Mail:
    """The next automatic renewal, some days before."""
    product = subscription.product
    told = ngettext(
        "On %(day)s your subscription to %(product)s is renewed by itself with %(n)s seat: %(total)s with tax.",
        "On %(day)s your subscription to %(product)s is renewed by itself with %(n)s seats: %(total)s with tax.",
        seats, day=on(day), product=product, total=money(*total),
    )  # fmt: skip
    if card is None:
        way_on = gettext("There is no card to charge: add one in My Qlik, under Payment & billing.")
        action = gettext("Payment & billing"), public_url("billing.page")
    else:
        way_on = gettext("You can change the number of seats or cancel before that day, in My Qlik.")
        action = _subscription_page(subscription)
    return Mail(
        gettext("Your subscription is renewed on %(day)s", day=on(day)),
        product,
        [told, way_on],
        [
            (gettext("Renewal"), on(day)),
            (gettext("Seats"), number(seats)),
            (gettext("Amount with tax"), money(*total)),
            (gettext("Card"), _card(card) if card else gettext("None")),
        ],
        action,
    )


def card_expires(subscription: Subscription, total: Money, card: Card, day: date) -> Mail:
    """The default card will have expired when the renewal charges it."""
    shown = card_name(card.brand, card.last4)
    told = gettext(
        "%(card)s is the card that the renewal of %(product)s charges on %(day)s. "
        "It is no longer valid on that day: the payment would be refused.",
        card=shown, product=subscription.product, day=on(day),
    )  # fmt: skip
    return Mail(
        gettext("Your card expires before the renewal"),
        subscription.product,
        [told, gettext("Add another card and make it the default before that day.")],
        [
            (gettext("Card"), shown),
            (gettext("Expires"), _expiry(card)),
            (gettext("Renewal"), on(day)),
            (gettext("Amount with tax"), money(*total)),
        ],
        (gettext("Payment & billing"), public_url("billing.page")),
    )


def receipt(subscription: Subscription, invoice: Invoice) -> Mail:
    snapshot, total = invoice.snapshot, money(invoice.total, invoice.currency)
    product, seats, facts = subscription.product, snapshot["seats"], []
    title = gettext("Receipt for your payment")
    told = gettext("Your payment of %(total)s for %(product)s is done.", total=total, product=product)
    if snapshot["kind"] == "addition":
        title = gettext("Receipt for the seats added")
        told = ngettext(
            "The seats are added: you now have %(n)s seat of %(product)s. Your payment of %(total)s is done.",
            "The seats are added: you now have %(n)s seats of %(product)s. Your payment of %(total)s is done.",
            seats, product=product, total=total,
        )  # fmt: skip
        facts = [(gettext("Seats added"), number(snapshot["lines"][0]["seats"]))]
    start, end = snapshot["period"]
    facts += [
        (gettext("Seats"), number(seats)),
        (gettext("Period"), f"{on(start)} – {last_day(end)}"),
        (gettext("Card"), card_name(**snapshot["card"])),
        (gettext("Invoice"), f"{invoice.number} ({on(invoice.issued_on)})"),
        (gettext("Amount with tax"), total),
    ]
    way_on = gettext("The invoice is in My Qlik, under Payment & billing.")
    action = gettext("See the invoice"), public_url("billing.invoice", invoice_id=invoice.id)
    return Mail(title, product, [told, way_on], facts, action)


def credit_note(subscription: Subscription, note: Invoice) -> Mail:
    """Money of an invoice went back to the card."""
    snapshot, total = note.snapshot, money(note.total, note.currency)
    credited = snapshot["credits"]
    told = gettext(
        "%(total)s of the invoice %(number)s are refunded to your card. Depending on your bank, it takes a few days.",
        total=total, number=credited["number"],
    )  # fmt: skip
    facts = [
        (gettext("Credit note"), f"{note.number} ({on(note.issued_on)})"),
        (gettext("Invoice"), f"{credited['number']} ({on(credited['issued_on'])})"),
        (gettext("Amount with tax"), total),
    ]
    if snapshot["card"]:
        facts.append((gettext("Card"), card_name(**snapshot["card"])))
    if snapshot["reason"]:
        facts.append((gettext("Reason"), snapshot["reason"]))
    action = gettext("See the credit note"), public_url("billing.invoice", invoice_id=note.id)
    return Mail(gettext("Your refund is made"), subscription.product, [told], facts, action)


def document(invoice: Invoice) -> Mail:
    """To a billing e-mail, with the document attached."""
    snapshot, credited = invoice.snapshot, invoice.snapshot.get("credits")
    start, end = snapshot["period"]
    facts = [(gettext("Issue date"), on(invoice.issued_on))]
    if credited:
        title, told = (
            gettext("Credit note"),
            gettext("You find the credit note %(number)s attached.", number=invoice.number),
        )
        facts.append((gettext("Invoice"), credited["number"]))
    else:
        title, told = (
            gettext("Invoice"),
            gettext("You find the invoice %(number)s attached. It is paid.", number=invoice.number),
        )
    facts += [
        (gettext("Subscription"), snapshot["product"]),
        (gettext("Period"), f"{on(start)} – {last_day(end)}"),
        (gettext("Amount with tax"), money(invoice.total, invoice.currency)),
    ]
    if invoice.purchase_order:
        facts.append((gettext("Purchase order"), invoice.purchase_order))
    action = gettext("Open My Qlik"), public_url("billing.invoice", invoice_id=invoice.id)
    return Mail(title, invoice.number, [told], facts, action)


def over_seats(subscription: Subscription, seats: int) -> Mail:
    """Renewed by itself with the confirmed seats, while more users are active."""
    told = ngettext(
        "%(product)s is renewed with %(n)s seat, the last number that you confirmed, and more users are active.",
        "%(product)s is renewed with %(n)s seats, the last number that you confirmed, and more users are active.",
        seats, product=subscription.product,
    )  # fmt: skip
    return Mail(
        gettext("More active users than seats"),
        subscription.product,
        [told, gettext("Add seats, or remove users from the tenant.")],
        [
            (gettext("Seats"), number(seats)),
            (gettext("Active users"), number(subscription.active_users)),
            (gettext("Tenant"), subscription.tenant),
        ],
        (gettext("Add seats"), public_url("add.stepper", subscription_id=subscription.id)),
    )


def refused(subscription: Subscription, payment: Payment, next_try: date | None) -> Mail:
    """An automatic payment was refused; `next_try` is None after the last."""
    from .sentences import decline  # which words the refusals of `purchase`, and that writes mails

    product, total = subscription.product, money(payment.amount, payment.currency)
    told = gettext("The renewal of %(product)s (%(total)s) could not be charged.", product=product, total=total)
    facts = [(gettext("Amount with tax"), total), (gettext("Reason"), decline(payment.decline_code))]
    if payment.card_last4:
        facts.insert(1, (gettext("Card"), card_name(payment.card_brand, payment.card_last4)))
    if next_try:
        then = gettext("We try again on %(day)s. Your seats stay available until then.", day=on(next_try))
        facts.append((gettext("Next try"), on(next_try)))
    else:
        then = gettext("It was the last try. Renew within 30 days in My Qlik to bring the subscription back.")
    return Mail(
        gettext("Your payment was refused"),
        product,
        [told, then, gettext("To pay with another card, sign in to My Qlik and click Renew.")],
        facts,
        (gettext("Renew"), public_url("renew.stepper", subscription_id=subscription.id)),
    )


def confirm(subscription: Subscription, payment: Payment, expires_at: datetime) -> Mail:
    """3-D Secure on an automatic payment; `expires_at` is at the account's place."""
    product, total = subscription.product, money(payment.amount, payment.currency)
    told = gettext(
        "Your bank asks you to confirm the payment of %(total)s that renews %(product)s.", total=total, product=product
    )
    until = gettext(
        "Confirm it by %(time)s. After that this payment is given up, and another is tried on a later day.",
        time=clock_time(expires_at),
    )
    step = {"subscription_id": subscription.id, "quote_id": payment.quote_id, "procedure": "renew"}
    return Mail(
        gettext("Your bank asks you to confirm a payment"),
        product,
        [told, until],
        [
            (gettext("Amount with tax"), total),
            (gettext("Card"), card_name(payment.card_brand, payment.card_last4)),
        ],
        (gettext("Confirm the payment"), public_url("purchase.authentication", **step)),
    )


def not_made(subscription: Subscription, payment: Payment) -> Mail:
    product, total = subscription.product, money(payment.amount, payment.currency)
    told = gettext(
        "The bank did not make your payment of %(total)s for %(product)s. Nothing was charged, and your subscription "
        "is as it was.",
        total=total, product=product,
    )  # fmt: skip
    return Mail(
        gettext("Your payment was not made"),
        product,
        [told, gettext("To try again, sign in to My Qlik.")],
        [
            (gettext("Amount with tax"), total),
            (gettext("Card"), card_name(payment.card_brand, payment.card_last4)),
        ],
        _subscription_page(subscription),
    )


def ended(subscription: Subscription, end: date) -> Mail:
    product, last = subscription.product, last_day(end)
    told = gettext(
        "Your subscription to %(product)s ended on %(day)s. No further payment is made.", product=product, day=last
    )
    return Mail(
        gettext("Your subscription has ended"),
        product,
        [told, gettext("Your invoices stay available in My Qlik.")],
        [(gettext("Last day"), last)],
        (gettext("See the invoices"), public_url("billing.invoices")),
    )


def reduction_requested(subscription: Subscription, before: int, replaced: int | None, seats: int, day: date) -> Mail:
    """From `before` seats, those paid, to `seats`; `replaced` is what an earlier request asked for."""
    told = ngettext(
        "From %(day)s you pay for %(n)s seat of %(product)s instead of %(before)s. Until then nothing changes.",
        "From %(day)s you pay for %(n)s seats of %(product)s instead of %(before)s. Until then nothing changes.",
        seats, product=subscription.product, before=number(before), day=on(day),
    )  # fmt: skip
    paragraphs = [told, gettext("You can undo this request in My Qlik before that day.")]
    if replaced is not None:
        instead = ngettext(
            "This request replaces the one for %(n)s seat.", "This request replaces the one for %(n)s seats.", replaced
        )
        paragraphs.insert(1, instead)
    return Mail(
        gettext("Your reduction is requested"),
        subscription.product,
        paragraphs,
        [
            (gettext("Seats today"), number(before)),
            (gettext("Seats asked for"), number(seats)),
            (gettext("From"), on(day)),
        ],
        _subscription_page(subscription),
    )


def cancellation_requested(subscription: Subscription, end: date) -> Mail:
    product, last = subscription.product, last_day(end)
    told = gettext(
        "Your subscription to %(product)s ends on %(day)s. No further payment is made.", product=product, day=last
    )
    return Mail(
        gettext("Your cancellation is requested"),
        product,
        [told, gettext("Until then nothing changes, and you can undo this request in My Qlik.")],
        [(gettext("Last day"), last)],
        _subscription_page(subscription),
    )


def change_undone(subscription: Subscription, kind: str, seats: int, day: date, goes_on: bool) -> Mail:
    """`seats` are those from `day` on; a subscription that does not go on ends there."""
    product = subscription.product
    if kind == ChangeKind.REDUCTION:
        title = gettext("Your reduction is undone")
        told = ngettext(
            "Your request to reduce %(product)s is undone: it stays at %(n)s seat.",
            "Your request to reduce %(product)s is undone: it stays at %(n)s seats.",
            seats, product=product,
        )  # fmt: skip
    else:
        title = gettext("Your cancellation is undone")
        told = gettext(
            "Your request to cancel %(product)s is undone: it goes on, and is renewed by itself on %(day)s.",
            product=product, day=on(day),
        )  # fmt: skip
    until = (gettext("Next renewal"), on(day)) if goes_on else (gettext("Last day"), last_day(day))
    return Mail(title, product, [told], [(gettext("Seats"), number(seats)), until], _subscription_page(subscription))


def case(opened: Case, account: Account, subscription: Subscription | None, owner: SignedIn, subject: str) -> Mail:
    """To the account manager, from the contact page; `subject` is the case's, in words."""
    facts = [
        (gettext("Case"), opened.number),
        (gettext("Organisation"), account.legal_name),
        (gettext("Subject"), subject),
    ]
    if subscription:
        facts.append((gettext("Subscription"), f"{subscription.product} ({subscription.tenant})"))
        if subscription.reseller:
            facts.append((gettext("Reseller"), subscription.reseller))
    title = gettext("Case %(number)s", number=opened.number)
    return Mail(
        title,
        f"{subject} – {account.legal_name}",
        [gettext("%(name)s (%(email)s) wrote from My Qlik.", name=owner.name, email=owner.email)],
        facts,
        (gettext("Reply to %(name)s", name=owner.name), f"mailto:{quote(owner.email, safe='@+')}"),
        opened.message,
    )


def _line(text: str) -> str:
    return " ".join(text.splitlines())


def public_url(endpoint: str, **values: str) -> str:
    """An absolute address; the sweep has no request to take one from."""
    path: str = current_app.url_map.bind("").build(endpoint, values)
    return f"{current_app.config['PUBLIC_URL']}{path}"


def _subscription_page(subscription: Subscription) -> tuple[str, str]:
    return gettext("See the subscription"), public_url("subscriptions.page", subscription_id=subscription.id)


def _expiry(card: Card) -> str:
    return f"{card.exp_month:02d}/{card.exp_year}"


def _card(card: Card) -> str:
    return f"{card_name(card.brand, card.last4)} ({gettext('expires %(date)s', date=_expiry(card))})"
