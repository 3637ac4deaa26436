"""Words of the mails about payments and their documents. Each function is called in the reader's language."""

from collections.abc import Mapping

from flask_babel import gettext

from ...domain.permissions import Procedure
from ...formats import card_name, last_day, money, ngettext, number
from ...formats import day as on
from ...models.invoices import Invoice
from ...models.purchases import Payment
from ...models.subscriptions import Subscription
from ...sentences.amounts import amount_label
from ...urls import public_url
from ..layout import Asked, Mail, subscription_link


def receipt(subscription: Subscription, invoice: Invoice, refused: Payment | None = None) -> Mail:
    """`refused` is the payment of the default card, if the backup card paid instead."""
    snapshot, total = invoice.snapshot, money(invoice.total, invoice.currency)
    product, seats, facts = subscription.product, snapshot["seats"], []
    title = gettext("Receipt for your payment")
    opening = gettext(
        "We have received your payment of %(total)s for %(product)s. Thank you.", total=total, product=product
    )
    if snapshot["kind"] == "addition":
        title = gettext("Receipt for the seats added")
        opening = ngettext(
            "Your seats have been added: you now have %(n)s seat of %(product)s. We have received your payment "
            "of %(total)s. Thank you.",
            "Your seats have been added: you now have %(n)s seats of %(product)s. We have received your payment "
            "of %(total)s. Thank you.",
            seats,
            product=product,
            total=total,
        )
        facts = [(gettext("Seats added"), number(snapshot["lines"][0]["seats"]))]
    start, end = snapshot["period"]
    facts += [
        (gettext("Seats"), number(seats)),
        (gettext("Period"), f"{on(start)} – {last_day(end)}"),
        (gettext("Card"), card_name(**snapshot["card"])),
        (gettext("Invoice"), f"{invoice.number} ({on(invoice.issued_on)})"),
        (amount_label(snapshot["tax_rate"]), total),
    ]
    way_on = gettext("You will find the invoice in My Qlik, under Payment & billing.")
    action = gettext("See the invoice"), public_url("billing.invoice", invoice_id=invoice.id)
    return Mail(
        title, product, [opening, *_backup_paid(subscription, snapshot["card"], refused), way_on], facts, action
    )


def _backup_paid(subscription: Subscription, card: Mapping[str, str], refused: Payment | None) -> list[str | Asked]:
    if refused is None:
        return []
    happened = gettext(
        "The default card, %(default)s, was declined, so the backup card, %(backup)s, was charged.",
        default=card_name(refused.card_brand, refused.card_last4),
        backup=card_name(**card),
    )
    way_on = Asked(
        Procedure.BILLING,
        gettext("Replace the default card before the next renewal, under Payment & billing."),
        gettext(
            "%(owner)s, a manager or an accountant can replace the default card before the next renewal.",
            owner=subscription.owner_name,
        ),
    )
    return [happened, way_on]


def credit_note(subscription: Subscription, note: Invoice) -> Mail:
    """Money of an invoice is refunded to the card."""
    snapshot, total = note.snapshot, money(note.total, note.currency)
    credited = snapshot["credits"]
    opening = gettext(
        "We have refunded %(total)s of invoice %(number)s to your card. Depending on your bank, it may take a "
        "few days to appear on your account.",
        total=total,
        number=credited["number"],
    )
    facts = [
        (gettext("Credit note"), f"{note.number} ({on(note.issued_on)})"),
        (gettext("Invoice"), f"{credited['number']} ({on(credited['issued_on'])})"),
        (amount_label(snapshot["tax_rate"]), total),
    ]
    if snapshot["card"]:
        facts.append((gettext("Card"), card_name(**snapshot["card"])))
    if snapshot["reason"]:
        facts.append((gettext("Reason"), snapshot["reason"]))
    action = gettext("See the credit note"), public_url("billing.invoice", invoice_id=note.id)
    return Mail(gettext("We have issued your refund"), subscription.product, [opening], facts, action)


def document(invoice: Invoice) -> Mail:
    """To a billing e-mail, with the invoice or credit note attached."""
    snapshot, credited = invoice.snapshot, invoice.snapshot.get("credits")
    start, end = snapshot["period"]
    facts = [(gettext("Issue date"), on(invoice.issued_on))]
    if credited:
        title, opening = (
            gettext("Credit note"),
            gettext("Please find attached credit note %(number)s.", number=invoice.number),
        )
        facts.append((gettext("Invoice"), credited["number"]))
    else:
        title, opening = (
            gettext("Invoice"),
            gettext("Please find attached invoice %(number)s, which has already been paid.", number=invoice.number),
        )
    facts += [
        (gettext("Subscription"), snapshot["product"]),
        (gettext("Period"), f"{on(start)} – {last_day(end)}"),
        (amount_label(snapshot["tax_rate"]), money(invoice.total, invoice.currency)),
    ]
    if invoice.purchase_order:
        facts.append((gettext("Purchase order"), invoice.purchase_order))
    return Mail(title, invoice.number, [opening], facts, None)  # who receives it may be no member


def not_made(subscription: Subscription, payment: Payment) -> Mail:
    product, total = subscription.product, money(payment.amount, payment.currency)
    opening = gettext(
        "Your payment of %(total)s for %(product)s did not go through. Nothing was charged, and your "
        "subscription is unchanged.",
        total=total,
        product=product,
    )
    way_on = Asked(
        Procedure.CHANGE,
        gettext("To try again, sign in to My Qlik."),
        gettext("%(owner)s or a manager can try again.", owner=subscription.owner_name),
    )
    return Mail(
        gettext("Your payment did not go through"),
        product,
        [opening, way_on],
        [
            (amount_label(payment.quote.tax_rate), total),
            (gettext("Card"), card_name(payment.card_brand, payment.card_last4)),
        ],
        subscription_link(subscription),
    )
