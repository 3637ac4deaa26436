"""CSV files in the format of a spreadsheet in the reader's language."""

import csv
import io
import re
from typing import Any

from .words import language

BOM = "\ufeff"  # so that a spreadsheet reads UTF-8
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")  # what a spreadsheet would run as a formula


def begin() -> tuple[io.StringIO, Any]:
    """A file, and what writes rows into it."""
    file = io.StringIO(newline="")
    file.write(BOM)
    return file, csv.writer(file, delimiter=";" if language() == "fr" else ",")


def take(file: io.StringIO) -> bytes:
    """What was written since the last call."""
    part = file.getvalue().encode("utf-8", "replace")
    file.seek(0)
    file.truncate()
    return part


def safe_cell(text: str) -> str:
    """The text as one line that no spreadsheet runs as a formula."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return f"'{line}" if FORMULA.match(line) or text[:1] in ("\t", "\r", "\n") else line
