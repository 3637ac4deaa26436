"""French is complete and typeset as French; English is what the code says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT / "webapp/translations/fr/LC_MESSAGES/messages.po"


def entries() -> list[Message]:
    with CATALOG.open("rb") as file:
        return [message for message in read_po(file, locale="fr") if message.id]


def strings(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def test_every_sentence_of_the_code_is_in_french(tmp_path: Path) -> None:
    catalogue = tmp_path / "found.pot"
    command = ["-q", "extract", "-F", "pyproject.toml", "-o", str(catalogue), "."]
    subprocess.run([sys.executable, "-m", "babel.messages.frontend", *command], cwd=ROOT, check=True)
    with catalogue.open("rb") as file:
        needed = {str(message.id) for message in read_po(file) if message.id}
    assert needed == {str(message.id) for message in entries()}
    assert [message.id for message in entries() if not all(strings(message)) or message.fuzzy] == []


@pytest.mark.parametrize("message", entries(), ids=lambda message: str(message.id)[:40])
def test_french_is_typeset_as_french(message: Message) -> None:
    """A no-break space before : ; ? ! and inside « », the typeset apostrophe, the same placeholders."""
    for text in strings(message):
        assert not re.search(r"[^\s\u00a0\u202f\d/]([:;?!»])(?!//)(\s|$)", text), text
        assert not re.search(r" [:;?!»]|« ", text), text
        assert "'" not in text
        wanted = message.id if isinstance(message.id, str) else message.id[1]
        assert sorted(re.findall(r"%\(\w+\)s", text)) == sorted(re.findall(r"%\(\w+\)s", wanted)), text
