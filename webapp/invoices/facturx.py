"""The XML of a document: the EN 16931 profile of Factur-X, with what French electronic invoicing adds to the standard.

Services sold to a business outside the EU have the VAT category O, "not subject to VAT", because they are supplied
where the customer is (CGI art. 259-1). Category G is for exports of goods (art. 262-I). With O the standard forbids VAT
numbers in their fields (BR-O-02). French law requires the seller's number, so it stands in the legal information.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from io import BytesIO
from typing import Any, NamedTuple

from ..domain.pricing import Line
from ..domain.tax import FRENCH_VAT_AREA, Treatment
from .bill import Bill

FILENAME = "factur-x.xml"
ALREADY_PAID_SERVICES = "S2"  # for services, already paid
CATEGORY = {Treatment.STANDARD: "S", Treatment.REVERSE_CHARGE: "AE", Treatment.OVERSEAS: "O", Treatment.OUTSIDE_EU: "O"}
EXEMPTION = {"AE": "VATEX-EU-AE", "O": "VATEX-EU-O"}
VAT_DUE_WITH_THE_INVOICE, VAT_DUE_WITH_THE_PAYMENT = "5", "72"
PAID_BY_CARD, PAID_SOMEHOW = "48", "1"
FRENCH_BUSINESS, FOREIGN_BUSINESS = "B2B", "B2BINT"
IN_FRANCE = FRENCH_VAT_AREA - {"MC"}  # Guadeloupe, Martinique and La Réunion are France for electronic invoices
UNTAXED = (Treatment.OVERSEAS, Treatment.OUTSIDE_EU)  # category O: no VAT number in its fields (BR-O-02), no rate


class Words(NamedTuple):
    """The texts of the XML, in the language of the document.

    `lines`: the name and the calculation of each line. `notes`: by their subject code. `exemption`: why there is no
    VAT, empty if there is. `means` and `terms`: how and when it was paid. `legal`: what the seller must state.
    """

    lines: list[tuple[str, str]]
    notes: Mapping[str, str]
    exemption: str
    means: str
    terms: str
    legal: str


def xml_of(bill: Bill, words: Words) -> bytes:
    """The XML, checked against its schema. Characters that XML forbids are left out."""
    from facturx import generate_cii_xml  # takes half a second, so only when needed

    category = CATEGORY[bill.treatment]
    total, rate = _money(bill.total), _percent(bill)
    start, end = min(start for start, _ in bill.spans), _last_day(max(end for _, end in bill.spans))
    terms: dict[str, Any] = {
        "BT-1": bill.number,
        "BT-2": bill.issued_on,
        "BT-3": "381" if bill.credits else "380",
        "BT-5": bill.currency,
        "BT-9": bill.paid_on,
        "BT-13": bill.buyer.get("purchase_order"),
        "BT-20": words.terms,
        "BT-23": ALREADY_PAID_SERVICES,
        "BT-24": "urn:cen.eu:en16931:2017",
        "BT-72": end,  # a continuous service is supplied at the end of its period (CGI art. 269-1 a bis)
        "BT-73": start,
        "BT-74": end,
        "BT-81": PAID_BY_CARD if bill.card else PAID_SOMEHOW,
        "BT-82": words.means,
        "BT-87": bill.card["last4"] if bill.card else None,
        "BT-106": _money(sum(line["amount"] for line in bill.lines)),
        "BT-109": _money(bill.net),
        "BT-110": _money(bill.tax),
        "BT-112": total,
        "BT-113": total,
        "BT-115": "0.00",
        "BG-1": [{"BT-21": code, "BT-22": note} for code, note in words.notes.items() if _plain(note)]
        + _treatment(bill),
        "BG-4": _seller(bill, words),
        "BG-7": _buyer(bill),
        "BG-23": [
            {
                "BT-116": _money(bill.net),
                "BT-117": _money(bill.tax),
                "BT-118": category,
                "BT-119": rate,
                "BT-120": words.exemption,
                "BT-121": EXEMPTION.get(category),
            },
        ],
        "BG-25": [
            _line(number, line, span, names, category, rate)
            for number, (line, span, names) in enumerate(zip(bill.lines, bill.spans, words.lines, strict=True), 1)
        ],
    }
    if category == "S":
        terms["BT-8"] = VAT_DUE_WITH_THE_INVOICE if bill.vat_on_debits else VAT_DUE_WITH_THE_PAYMENT
    if bill.credits:
        number, issued_on = bill.credits
        terms["BG-3"] = [{"BT-25": number, "BT-26": issued_on}]
    if bill.delivery:
        terms["BG-13"] = _place(bill.delivery)
    xml: bytes = generate_cii_xml(_plain(terms), level="en16931", check_xsd=True, check_schematron=False)
    return xml


def _line(
    number: int, line: Line, span: tuple[date, date], names: tuple[str, str], category: str, rate: str | None
) -> dict[str, Any]:
    """A tier is a number of seats at a price for the whole term. Any other line is one unit at its amount."""
    tier = line["kind"] == "tier"
    return {
        "BT-126": str(number),
        "BT-129": str(line["seats"] if tier else 1),
        "BT-130": "C62",
        "BT-131": _money(line["amount"]),
        "BT-134": span[0],
        "BT-135": _last_day(span[1]),
        "BT-146": _money(line["unit"] * line["months"] if tier else line["amount"]),
        "BT-151": category,
        "BT-152": rate,
        "BT-153": names[0],
        "BT-154": names[1],
    }


def _treatment(bill: Bill) -> list[dict[str, str]]:
    """Tells the e-invoicing platforms: between French businesses, or only reported to the tax office."""
    if bill.treatment is not Treatment.STANDARD:
        return [{"BT-21": "BAR", "BT-22": FOREIGN_BUSINESS}]
    return [{"BT-21": "BAR", "BT-22": FRENCH_BUSINESS}] if _has_siren(bill.buyer) else []


def _seller(bill: Bill, words: Words) -> dict[str, Any]:
    taxed = bill.treatment not in UNTAXED
    number = bill.seller["vat_number"]
    return {
        **_place(bill.seller),
        **_french(bill.seller["siren"]),
        "vat_identifier": number if taxed else None,
        "legal_info": words.legal if taxed else f"{words.legal} · {number}",
    }


def _buyer(bill: Bill) -> dict[str, Any]:
    """The electronic address of a French business is its SIREN, that of others their billing e-mail."""
    party = {**_place(bill.buyer)}
    if _has_siren(bill.buyer):
        party |= _french(bill.buyer["siren"])
    elif bill.buyer.get("email"):
        party |= {"einvoicing_addr": bill.buyer["email"], "einvoicing_addr_schemeid": "EM"}
    if bill.treatment not in UNTAXED:
        party["vat_identifier"] = bill.buyer["vat_number"]
    return party


def _has_siren(party: Mapping[str, Any]) -> bool:
    return bool(re.fullmatch(r"\d{9}", party["siren"] or "", re.A))


def _french(siren: str) -> dict[str, str]:
    return {
        "legal_identifier": siren,
        "legal_identifier_schemeid": "0002",
        "einvoicing_addr": siren,
        "einvoicing_addr_schemeid": "0225",
    }


def _place(party: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _plain(party["legal_name"]) or "-",
        "addr_l1": party["street"],
        "postcode": party["postal_code"],
        "city": party["city"],
        "country_code": "FR" if party["country"] in IN_FRANCE else party["country"],
    }


def _plain(value: Any) -> Any:
    """Makes every text in `value` one line, without the control characters that XML forbids. Drops None in dicts."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, str):
        return value
    spaced = re.sub(r"[\s\x85\u2028\u2029]+", " ", unicodedata.normalize("NFC", value))
    return "".join(character for character in spaced if unicodedata.category(character)[0] != "C").strip()


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _percent(bill: Bill) -> str | None:
    """None if not subject to tax: the standard then allows no rate, not even 0."""
    return None if bill.treatment in UNTAXED else _money(bill.rate)


def _last_day(end: date) -> date:
    return end - timedelta(days=1)


# The description that PDF/A wants of the four properties that say that the document is a Factur-X one.
PROPERTIES = {
    "DocumentFileName": FILENAME,
    "DocumentType": "INVOICE",
    "Version": "1.0",
    "ConformanceLevel": "EN 16931",
}
NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"


def declared(pdf: bytes) -> bytes:
    """Adds the Factur-X metadata to a PDF/A-3 made by typst.

    The file is written anew: pypdf's incremental update loses the document information, and its objects break the
    layout that PDF/A asks for. Raises ValueError or PyPdfError where typst did not make it.
    """
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(BytesIO(pdf), strict=True), full=True)
    metadata = writer.xmp_metadata
    xmp = metadata.stream.get_data() if metadata else b""
    schemas, end = b"<pdfaExtension:schemas><rdf:Bag>", b"</rdf:RDF>"
    if schemas not in xmp or end not in xmp:
        raise ValueError("the metadata are not those that typst writes")
    writer.xmp_metadata = xmp.replace(schemas, schemas + _schema(), 1).replace(end, _values() + end)
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def _schema() -> bytes:
    listed = "".join(
        f'<rdf:li rdf:parseType="Resource"><pdfaProperty:category>external</pdfaProperty:category>'
        f"<pdfaProperty:description>{name} of the invoice data</pdfaProperty:description>"
        f"<pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>Text</pdfaProperty:valueType></rdf:li>"
        for name in PROPERTIES
    )
    return (
        '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
        f"<pdfaSchema:namespaceURI>{NAMESPACE}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{listed}</rdf:Seq></pdfaSchema:property></rdf:li>"
    ).encode()


def _values() -> bytes:
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, value in PROPERTIES.items())
    return f'<rdf:Description rdf:about="" xmlns:fx="{NAMESPACE}">{values}</rdf:Description>'.encode()
