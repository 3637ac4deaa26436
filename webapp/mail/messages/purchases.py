"""Words of the mails about payments and their documents. Each function is called in the reader's language."""

from flask_babel import gettext

from ...formats import card_name, last_day, money, ngettext, number
from ...formats import day as on
from ...models.invoices import Invoice
from ...models.purchases import Payment
from ...models.subscriptions import Subscription
from ...sentences.amounts import amount_label
from ...urls import public_url
from ..layout import Mail, subscription_link


def receipt(subscription: Subscription, invoice: Invoice) -> Mail:
    snapshot, total = invoice.snapshot, money(invoice.total, invoice.currency)
    product, seats, facts = subscription.product, snapshot["seats"], []
    title = gettext("Receipt for your payment")
    opening = gettext("Your payment of %(total)s for %(product)s is done.", total=total, product=product)
    if snapshot["kind"] == "addition":
        title = gettext("Receipt for the seats added")
        opening = ngettext(
            "The seats are added: you now have %(n)s seat of %(product)s. Your payment of %(total)s is done.",
            "The seats are added: you now have %(n)s seats of %(product)s. Your payment of %(total)s is done.",
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
    way_on = gettext("The invoice is in My Qlik, under Payment & billing.")
    action = gettext("See the invoice"), public_url("billing.invoice", invoice_id=invoice.id)
    return Mail(title, product, [opening, way_on], facts, action)


def credit_note(subscription: Subscription, note: Invoice) -> Mail:
    """Money of an invoice is refunded to the card."""
    snapshot, total = note.snapshot, money(note.total, note.currency)
    credited = snapshot["credits"]
    opening = gettext(
        "%(total)s of the invoice %(number)s are refunded to your card. Depending on your bank, it takes a few days.",
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
    return Mail(gettext("Your refund is made"), subscription.product, [opening], facts, action)


def document(invoice: Invoice) -> Mail:
    """To a billing e-mail, with the invoice or credit note attached."""
    snapshot, credited = invoice.snapshot, invoice.snapshot.get("credits")
    start, end = snapshot["period"]
    facts = [(gettext("Issue date"), on(invoice.issued_on))]
    if credited:
        title, opening = (
            gettext("Credit note"),
            gettext("You find the credit note %(number)s attached.", number=invoice.number),
        )
        facts.append((gettext("Invoice"), credited["number"]))
    else:
        title, opening = (
            gettext("Invoice"),
            gettext("You find the invoice %(number)s attached. It is paid.", number=invoice.number),
        )
    facts += [
        (gettext("Subscription"), snapshot["product"]),
        (gettext("Period"), f"{on(start)} – {last_day(end)}"),
        (amount_label(snapshot["tax_rate"]), money(invoice.total, invoice.currency)),
    ]
    if invoice.purchase_order:
        facts.append((gettext("Purchase order"), invoice.purchase_order))
    action = gettext("Open My Qlik"), public_url("billing.invoice", invoice_id=invoice.id)
    return Mail(title, invoice.number, [opening], facts, action)


def not_made(subscription: Subscription, payment: Payment) -> Mail:
    product, total = subscription.product, money(payment.amount, payment.currency)
    opening = gettext(
        "The bank did not make your payment of %(total)s for %(product)s. Nothing was charged, and your subscription "
        "is as it was.",
        total=total,
        product=product,
    )
    return Mail(
        gettext("Your payment was not made"),
        product,
        [opening, gettext("To try again, sign in to My Qlik.")],
        [
            (amount_label(payment.quote.tax_rate), total),
            (gettext("Card"), card_name(payment.card_brand, payment.card_last4)),
        ],
        subscription_link(subscription),
    )
