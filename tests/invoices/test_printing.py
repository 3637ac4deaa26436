"""Names in any script: printed where a font has them, and named when the form is saved where none has."""

import os
import re
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pypdf import PdfReader

from tests.support.billing_form import save
from tests.support.world import buyer, pdf_url, rewrite, words, xml_url
from webapp.config import Misconfigured, check
from webapp.invoices.printing import BOX, Printer, chosen, clusters, own_characters
from webapp.sandbox.scenarios import Made

SYSTEM = Path(os.environ.get("NOTO_FONTS", "/usr/share/fonts"))
SCRIPTS = {
    "Japanese": "株式会社ひらがなカタカナ",
    "Korean": "주식회사 한국",
    "Arabic": "شركة الاختبار المحدودة",
    "Hebrew": "חברת בדיקה בע״מ",
    "Thai": "บริษัท ทดสอบ จำกัด",
    "Devanagari": "परीक्षण प्राइवेट लिमिटेड",
}


def build_font(path: Path, characters: str, family: str = "Test Script") -> None:
    """A font in which each of these characters is a square."""
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 500), (500, 500), (500, 0)):
        (pen.lineTo if point != (0, 0) else pen.moveTo)(point)
    pen.closePath()
    square, names = pen.glyph(), [f"u{ord(character):04X}" for character in characters]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(character): name for character, name in zip(characters, names, strict=True)})
    builder.setupGlyf(dict.fromkeys([".notdef", *names], square))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)


def text_of(pdf: bytes) -> str:
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return re.sub(r"[\s\u200b]+", "", text)


@pytest.mark.parametrize("name", SCRIPTS.values(), ids=SCRIPTS)
def test_without_a_font_each_letter_is_a_box_and_is_named(name: str) -> None:
    printer = Printer("")
    assert set(printer.clean(name)) <= {BOX, " ", "\u200b"}
    assert "".join(printer.lost) == "".join(dict.fromkeys(clusters(name.replace(" ", ""))))


@pytest.mark.parametrize("name", ["Beaumont SARL", "Łódź Şirketi", "Ελλάς АО Тест", "Nguyễn Văn Ạ", "ﬁn ① e\u0301"])
def test_what_the_own_font_has_is_printed_and_nothing_is_named(name: str) -> None:
    printer = Printer("")
    assert BOX not in printer.clean(name)
    assert (list(printer.lost), printer.fonts) == ([], set())


@pytest.mark.parametrize(
    ("typed", "printed", "lost"), [("x\u0301", "x", ["x\u0301"]), ("Ǆ", "DZ", ["Ǆ"]), ("\u0301a", "a", ["\u0301"])]
)
def test_letters_that_lose_their_marks_are_named(typed: str, printed: str, lost: list[str]) -> None:
    printer = Printer("")
    assert printer.clean(typed) == printed
    assert list(printer.lost) == lost


def test_a_font_of_the_folder_is_used_for_what_it_has(tmp_path: Path) -> None:
    build_font(tmp_path / "Some-Regular.ttf", "株式")
    build_font(tmp_path / "Other-Regular.ttf", "社")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    printer = Printer(str(tmp_path))
    assert printer.clean("Beaumont 株式 社 会") == f"Beaumont 株式 社 {BOX}"
    assert {path.name for path in printer.fonts} == {"Some-Regular.ttf", "Other-Regular.ttf"}
    assert list(printer.lost) == ["会"]


def test_marks_stay_with_their_letter_where_a_font_has_both(tmp_path: Path) -> None:
    build_font(tmp_path / "Thai.ttf", "กขุ")
    printer = Printer(str(tmp_path))
    assert printer.clean("กุ") == "กุ"
    assert list(printer.lost) == []
    assert printer.clean("กู") == "ก"  # this mark is missing
    assert list(printer.lost) == ["กู"]


def test_a_long_word_is_broken_between_letters_and_not_before_their_marks(tmp_path: Path) -> None:
    build_font(tmp_path / "Thai.ttf", "กุ")
    assert Printer(str(tmp_path)).clean("กุ" * 45).split("\u200b") == ["กุ" * 20, "กุ" * 20, "กุ" * 5]
    assert Printer("").clean("-" * 45 + " " + "x" * 19).split("\u200b") == [
        "-" * 20,
        "-" * 20,
        "-" * 5 + " " + "x" * 19,
    ]


def test_the_document_prints_it_and_the_xml_says_it(
    app: Flask, client: FlaskClient, business: Made, tmp_path: Path
) -> None:
    build_font(tmp_path / "Japanese.ttf", "株式会社試験")
    rewrite(business, buyer=buyer(business, legal_name="株式会社試験 Beaumont"))
    app.config["FONTS_DIR"] = str(tmp_path)
    assert "株式会社試験Beaumont" in text_of(client.get(pdf_url(business)).data)
    assert "株式会社試験 Beaumont" in client.get(xml_url(business)).text


def test_saving_names_what_invoices_cannot_show(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    assert save(client, legal_name="株式会社 Beaumont", city="東京").status_code == 303
    page = words(client.get("/billing").text)
    assert "PDF invoices cannot show these characters: 株 式 会 社 東 京." in page
    assert "株式会社 Beaumont" in page
    build_font(tmp_path / "Japanese.ttf", "株式会社東京")
    app.config["FONTS_DIR"] = str(tmp_path)
    save(client, legal_name="株式会社 Beaumont", city="東京")
    assert "cannot show" not in client.get("/billing").text


def test_many_characters_are_named_in_one_sentence(client: FlaskClient) -> None:
    save(client, legal_name="".join(map(chr, range(0x4E00, 0x4E00 + 150))))
    sentence = re.search(r"cannot show these characters: (.*?)\. The electronic", words(client.get("/billing").text))
    assert sentence
    assert len(sentence[1].split()) == 20


def test_the_folder_must_be_there(app: Flask, tmp_path: Path) -> None:
    check({**app.config, "FONTS_DIR": str(tmp_path)})
    with pytest.raises(Misconfigured, match=r"FONTS_DIR \(.*\) is not a folder"):
        check({**app.config, "FONTS_DIR": str(tmp_path / "none")})


def test_the_own_font_has_what_french_and_english_need() -> None:
    assert own_characters().issuperset("abcxyzéèêàçùœŒæÉ €«»–—’…0123456789%□")


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_is_printed_with_the_systems_fonts(
    app: Flask, client: FlaskClient, business: Made, script: str
) -> None:
    """Needs fonts for it, such as Debian's fonts-noto-core and fonts-noto-cjk."""
    name = SCRIPTS[script]
    printer = Printer(str(SYSTEM))
    printer.clean(name)
    if printer.lost:
        pytest.skip(f"no font for {script} in {SYSTEM}")
    rewrite(business, buyer=buyer(business, legal_name=name, street=f"12 {name} 3", purchase_order=f"PO ({name}) 7"))
    app.config["FONTS_DIR"] = str(SYSTEM)
    answer = client.get(pdf_url(business))
    assert answer.status_code == 200
    assert BOX not in text_of(answer.data)
    with chosen(printer.fonts) as (_folders, families):
        wanted = {family.replace(" ", "").lower() for family in families[1:]}
    fonts = " ".join(font["/BaseFont"] for page in PdfReader(BytesIO(answer.data)).pages for font in page_fonts(page))
    assert any(family in fonts.lower() for family in wanted), fonts


def page_fonts(page: object) -> list[dict[str, str]]:
    fonts = page["/Resources"]["/Font"]  # type: ignore[index]
    return [fonts[name] for name in fonts]
