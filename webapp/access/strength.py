"""How many guesses a password withstands, by zxcvbn, which also knows French words and those of its owner here."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from threading import Lock

LOOKED_AT = 24  # letters: zxcvbn takes time with the square of the length, and a strong beginning is enough
FEWEST_GUESSES = 10**9  # some hours of a well-equipped attacker against argon2id, centuries against the rate limits
PRODUCT = ("qlik", "sense", "qliksense", "myqlik", "qlikview", "qlikcloud", "qliktech", "talend", "portal", "portail")
# zxcvbn tries every reading of signs that stand for letters: with fewer signs there are sixteen readings, not hundreds.
SIGNS = str.maketrans({"@": "a", "$": "s", "{": "(", "[": "(", "<": "(", "|": "1"})
SEPARATORS = re.compile(r"[\s\-_.,;:/'’]+")
_one_at_a_time = Lock()  # zxcvbn keeps the words of one call in a module's dictionary


def is_weak(password: str, words: Iterable[str] = ()) -> bool:
    """`words`: what somebody who knows its owner tries first, such as names and the parts of the e-mail."""
    bare = SEPARATORS.sub("", password)
    if not bare or bare.isdecimal():  # dates and telephone numbers, however they are parted
        return True
    known = list(dict.fromkeys(part for word in (*PRODUCT, *words) for part in _parts(word)))
    return any(_guesses(form, known) < FEWEST_GUESSES for form in {password, bare})


def _guesses(password: str, known: list[str]) -> int:
    zxcvbn = _loaded()
    with _one_at_a_time:
        return int(zxcvbn(password[:LOOKED_AT].translate(SIGNS), user_inputs=known)["guesses"])


def _parts(text: str) -> list[str]:
    """A name or an address, whole, without its separators, and each of its words."""
    words = re.findall(r"[^\W_]{3,}", text.casefold())
    return ["".join(words), *words] if words else []


@cache
def _loaded():  # type: ignore[no-untyped-def]
    """Imported where it is first needed: its word lists take a tenth of a second."""
    from zxcvbn import zxcvbn
    from zxcvbn.matching import add_frequency_lists

    words = Path(__file__).with_name("french_words.txt").read_text(encoding="utf-8").split()
    add_frequency_lists({"french": list(dict.fromkeys(words))})
    return zxcvbn
