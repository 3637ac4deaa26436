"""Which characters an invoice's fonts can print: the portal's own, and those in the folder FONTS_DIR.

PDF/A forbids a character without a glyph, so each text is made printable first.
"""

import logging
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst
from fontTools.ttLib import TTCollection, TTFont, TTLibError

from .. import config

log = logging.getLogger(__name__)
FONTS = config.PACKAGE / "fonts"
ENDINGS = (".ttf", ".otf", ".ttc", ".otc")
COLOURED = {"CBDT", "COLR", "sbix"}  # tables of fonts with coloured pictures, such as emoji
JOINERS = "\u200c\u200d"  # they say how letters of Arabic and Indian scripts connect
LONGEST_WORD = 20  # after so many characters, a word may be broken
BOX = "□"
FAMILY = "Inter"


def font_files(folder: str) -> list[Path]:
    """The fonts in a folder, those for running text first."""
    files = (path for path in Path(folder).rglob("*") if path.suffix.lower() in ENDINGS)
    return sorted(files, key=lambda path: ("Regular" not in path.name, "Sans" not in path.name, str(path)))


@cache
def characters_of(path: Path) -> frozenset[str]:
    """The characters that a font file has glyphs for; none if it cannot be read or is coloured."""
    try:
        file = BytesIO(path.read_bytes())
        collection = path.suffix.lower() in (".ttc", ".otc")
        fonts = TTCollection(file, lazy=True).fonts if collection else [TTFont(file, lazy=True)]
        tables = {font.reader.tables["cmap"].offset: font for font in fonts if not COLOURED & set(font.keys())}
        return frozenset(chr(code) for font in tables.values() for code in font.getBestCmap() or ())
    except (OSError, TTLibError, KeyError, AssertionError, ValueError) as fault:
        log.warning("the font %s cannot be read: %s", path, fault)
        return frozenset()


@cache
def own_characters() -> frozenset[str]:
    """What both weights of the portal's font have, without combining marks."""
    regular, bold = (characters_of(path) for path in font_files(str(FONTS)))
    return frozenset(character for character in regular & bold if not _joins(character))


def _joins(character: str) -> bool:
    """Whether it belongs to the character before it."""
    return unicodedata.category(character)[0] == "M" or character in JOINERS


def clusters(text: str) -> Iterator[str]:
    """The text in one line without control characters, each character with the marks that follow it."""
    cluster = ""
    for character in unicodedata.normalize("NFC", " ".join(text.splitlines())):
        if _joins(character):
            cluster += character
        elif unicodedata.category(character)[0] != "C":
            if cluster:
                yield cluster
            cluster = character
    if cluster:
        yield cluster


@contextmanager
def chosen(files: Collection[Path]) -> Iterator[tuple[list[str], list[str]]]:
    """Folders that have the portal's fonts and these alone, since typst reads whole folders; and their families."""
    if not files:
        yield [str(FONTS)], [FAMILY]
        return
    with TemporaryDirectory() as folder:
        for index, path in enumerate(sorted(files)):
            (Path(folder) / f"{index}{path.suffix}").symlink_to(path.resolve())
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])
        yield [str(FONTS), folder], [FAMILY, *fonts.families()]


class Printer:
    """Makes texts printable. `fonts`: the files of the folder that they need. `lost`: what cannot be printed."""

    def __init__(self, folder: str) -> None:
        self.available = font_files(folder) if folder else []
        self.fonts: set[Path] = set()
        self.lost: dict[str, None] = {}  # in order, each once

    def clean(self, value: Any) -> Any:
        """Every text in `value` as one printable line, in which long words can be broken."""
        if isinstance(value, dict):
            return {name: self.clean(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(item) for item in value]
        return value if isinstance(value, bool) else _breakable([self.printed(each) for each in clusters(str(value))])

    def printed(self, cluster: str) -> str:
        """The cluster as the fonts print it: as it is, without its marks, in its plain form, or as a box."""
        base = cluster[0]
        if base in own_characters():
            printed = base
        elif self._find_font(cluster):
            printed = cluster
        elif not _joins(base) and self._find_font(base):
            printed = base
        else:
            printed = _plain(cluster)
        if unicodedata.normalize("NFKC", printed) != unicodedata.normalize("NFKC", cluster).rstrip(JOINERS):
            self.lost[cluster] = None
        return printed

    def _find_font(self, cluster: str) -> bool:
        """Notes a font that has the whole cluster, if there is one. Fonts that the text needs already come first."""
        for path in sorted(self.available, key=lambda path: path not in self.fonts):
            if characters_of(path).issuperset(cluster):
                self.fonts.add(path)
                return True
        return False


def _plain(cluster: str) -> str:
    """The letters that the portal's font has instead, or a box."""
    decomposed = unicodedata.normalize("NFKD", cluster)
    plain = "".join(character for character in decomposed if not _joins(character))
    if all(_joins(character) for character in cluster):
        return ""
    return plain if plain and own_characters().issuperset(plain) else BOX


def _breakable(printed: list[str]) -> str:
    """The text with a place to break a line after each LONGEST_WORD characters of a word, or hyphens."""
    parts, run, before = [], 0, ""
    for cluster in printed:
        kind = " " if cluster.isspace() else "-" if cluster == "-" else "a"
        run = 0 if kind == " " else run + 1 if kind == before else 1
        before = kind
        parts.append(cluster)
        if run == LONGEST_WORD:
            parts.append("\u200b")
            run = 0
    return "".join(parts)
