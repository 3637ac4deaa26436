"""Invoices and credit notes drawn at random from a seed, with the amounts that their documents must show.

The expected amounts share no code with the portal: prices are found seat by seat and rounded with `decimal`.
"""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from webapp.db import new_id, transaction
from webapp.domain.periods import period
from webapp.domain.pricing import Line, parse_tiers, period_lines, prorated_line
from webapp.domain.tax import amounts
from webapp.invoices import issuing
from webapp.models.accounts import Account, Issuer
from webapp.models.invoices import Invoice
from webapp.models.purchases import Payment, Quote
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading

CENT = Decimal("0.01")
BUYERS: list[tuple[str, str | None, str | None, str]] = [  # country, SIREN, VAT number, category
    ("FR", "900300401", "FR41900300401", "S"),
    ("FR", "900300401", None, "S"),
    ("FR", None, None, "S"),
    ("MC", None, "FR53000004605", "S"),
    ("IT", None, None, "S"),
    ("DE", None, "DE136695976", "AE"),
    ("GR", None, "EL094259216", "AE"),
    ("BE", None, "BE0403019261", "AE"),
    ("US", None, None, "O"),
    ("CH", None, "CHE107787577MWST", "O"),
    ("GB", None, "GB980780684", "O"),
    ("JP", None, "7000012050002", "O"),
    ("RE", "900300401", "FR41900300401", "S"),
    ("GP", "900300401", None, "S"),
    ("MQ", None, None, "S"),
    ("GF", "900300401", "FR41900300401", "O"),
    ("YT", None, None, "O"),
    ("NC", "900300401", None, "O"),
]
NAMES = [
    "Ateliers Beaumont SARL",
    "<script>alert(1)</script>",
    "]]><ram:ID>&lol;</ram:ID>",
    "a & b < c > d \" e ' f",
    '#eval("1") #panic() $x$ *b* _i_ @ref <label> `raw` \\',
    "C:\\new\\table \\u{41}",
    "one\r\ntwo\u2028three\x0bfour",
    "\u202etxt.exe\u2066\u200f",
    "日本 😀 مرحبا हिन्दी",
    "x" * 3000,
    "",
    "   ",
    "-" * 300,
    "\x00\x01\ufffe\uffff\ud800",
    "e\u0301" * 40,
    "{{7*7}} {% raw %}",
    "<?xpacket begin=''?> endstream endobj trailer <<>> startxref 0 %%EOF",
]


class Wanted(NamedTuple):
    """What a document must show: its lines and totals, in euros."""

    kind: str
    category: str
    rate: Decimal
    lines: list[tuple[Decimal, Decimal, Decimal]]  # quantity, price, amount
    net: Decimal
    tax: Decimal
    total: Decimal
    language: str


def drawn(made: Made, subscription_id: str, rng: random.Random) -> tuple[Invoice, Wanted]:
    """Issues a random invoice through the portal, or a credit note for one, and commits it."""
    country, siren, vat_number, category = rng.choice(BUYERS)
    months, seats, anchor = rng.choice((1, 12)), _seats(rng), date(2024, 1, 1) + timedelta(rng.randrange(1500))
    tiers, ordinal = _tiers(rng), rng.randrange(12)
    lines, wanted_lines, kind = _lines(rng, tiers, seats, months, anchor, ordinal)
    with transaction() as session:
        subscription = loading.load(made.account, subscription_id, lock=True)
        account = session.get_one(Account, made.account)
        issuer = session.get_one(Issuer, account.issuer_id)
        account.country, account.siren, account.vat_number = country, siren, vat_number
        account.document_locale = rng.choice(("fr", "en"))
        account.purchase_order = rng.choice((None, "BC-2027-0042", "PO <&> 77"))
        issuer.vat_on_debits = rng.random() < 0.2
        subscription = replace(subscription, account=account, anchor=anchor, term_months=months)
        billed = amounts((line["amount"] for line in lines), account.tax_terms)
        now = datetime(2027, 1, 1, 9, tzinfo=UTC) + timedelta(rng.randrange(900))
        quote = Quote(
            account_id=made.account,
            id=new_id(),
            subscription_id=subscription.id,
            kind=kind,
            ordinal=ordinal,
            seats=seats,
            months=months,
            price_list_id=subscription.price_list.id,
            lines=lines,
            currency="EUR",
            **billed._asdict(),
            automatic=False,
            created_at=now,
            expires_at=now,
        )
        payment = Payment(
            account_id=made.account,
            key=f"{quote.id}.1",
            quote_id=quote.id,
            subscription_id=subscription.id,
            attempt=1,
            state="captured",
            amount=quote.total,
            currency="EUR",
            card_token="t",
            card_brand="Visa",
            card_last4="4242",
            created_at=now,
            settled_at=now,
        )
        session.add(quote)
        session.flush()
        session.add(payment)
        session.flush()
        invoice = issuing.issue_invoice(subscription, quote, payment if rng.random() < 0.9 else None, now)
        hostile = {name: rng.choice(NAMES) for name in ("legal_name", "street", "city") if rng.random() < 0.3}
        invoice.snapshot = {**invoice.snapshot, "buyer": {**invoice.snapshot["buyer"], **hostile}}
        if rng.random() < 0.1:
            invoice.snapshot = {**invoice.snapshot, "delivery": {**invoice.snapshot["buyer"], "street": "Quai nº 3"}}
        wanted = _totals("380", category, _rate(country, category), wanted_lines, account.document_locale)
        if rng.random() < 0.3:
            session.flush()
            invoice, wanted = _credit_note(invoice, wanted, rng)
            session.add(invoice)
    return invoice, wanted


def _seats(rng: random.Random) -> int:
    return rng.choice((rng.randint(1, 60), rng.randint(1, 10_000), 1, 10, 11, 10_000))


def _tiers(rng: random.Random) -> list[tuple[int | None, int]]:
    """In two cases of three the demo's price list, otherwise a random one."""
    if rng.random() < 0.66:
        return [(10, 3000), (25, 2700), (50, 2400), (None, 2100)]
    limits = sorted(rng.sample(range(1, 5000), rng.randrange(6)))
    return [(limit, rng.randrange(1, 10_000)) for limit in [*limits, None]]


def _lines(
    rng: random.Random, tiers: list[tuple[int | None, int]], seats: int, months: int, anchor: date, ordinal: int
) -> tuple[list[Line], list[tuple[Decimal, Decimal, Decimal]], str]:
    """The lines of a quote and what they must show: a whole period, the rest of one, or added seats."""
    parsed = parse_tiers(tiers)
    shape = rng.choice(("renewal", "renewal", "lapsed", "addition", "addition over two periods"))
    if shape == "renewal":
        wanted = []
        below = 0
        for limit, unit in tiers:
            reached = max(0, min(seats, limit if limit is not None else seats) - below)
            if reached:
                price = Decimal(unit) * months / 100
                wanted.append((Decimal(reached), price, price * reached))
            below = max(below, limit or 0)
        return period_lines(parsed, seats, months), wanted, "renewal"
    before = 0 if shape == "lapsed" else rng.randrange(seats)
    lines, wanted = [], []
    for index in range(2 if shape == "addition over two periods" else 1):
        span = period(anchor, months, ordinal + index)
        left = rng.randint(1, span.days) if index == 0 else span.days
        monthly = sum(_price(tiers, seat) for seat in range(before + 1, seats + 1))
        lines.append(prorated_line(monthly, seats - before, months, span, left))
        exact = Decimal(monthly) / 100 * months * left / (span.end - span.start).days
        amount = exact.quantize(CENT, ROUND_HALF_UP)
        wanted.append((Decimal(1), amount, amount))
    return lines, wanted, "renewal" if shape == "lapsed" else "addition"


def _price(tiers: list[tuple[int | None, int]], seat: int) -> int:
    return next(unit for limit, unit in tiers if limit is None or seat <= limit)


def _rate(country: str, category: str) -> Decimal:
    """French VAT as the law has it (CGI art. 278 and 296)."""
    if category != "S":
        return Decimal(0)
    return Decimal("0.085") if country in ("GP", "MQ", "RE") else Decimal("0.2")


def _totals(
    kind: str, category: str, rate: Decimal, lines: list[tuple[Decimal, Decimal, Decimal]], language: str
) -> Wanted:
    net = sum((amount for _, _, amount in lines), Decimal(0))
    tax = (net * (rate)).quantize(CENT, ROUND_HALF_UP)
    return Wanted(kind, category, rate, lines, net, tax, net + tax, language)


def _credit_note(invoice: Invoice, wanted: Wanted, rng: random.Random) -> tuple[Invoice, Wanted]:
    """A credit note for the whole or a part, at most a day later."""
    snapshot = {**invoice.snapshot, "reason": rng.choice(("", "Erreur de commande", rng.choice(NAMES)))}
    lines = wanted.lines
    if rng.random() < 0.5 and wanted.net > CENT:
        part = Decimal(rng.randrange(1, int(wanted.net * 100))) / 100
        lines = [(Decimal(1), part, part)]
    wanted = _totals("381", wanted.category, wanted.rate, lines, wanted.language)
    return Invoice(
        id=new_id(),
        issuer_id=invoice.issuer_id,
        account_id=invoice.account_id,
        kind="credit_note",
        status="credit_note",
        subscription_id=invoice.subscription_id,
        credits_id=invoice.id,
        number=f"AV-{new_id()[:12]}",
        issued_on=invoice.issued_on + timedelta(rng.randrange(2)),
        currency="EUR",
        net=int(wanted.net * 100),
        tax=int(wanted.tax * 100),
        total=int(wanted.total * 100),
        snapshot=snapshot,
    ), wanted
