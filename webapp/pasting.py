"""What people paste into fields brings along more than they mean: spaces, line breaks and invisible characters."""

import re

# Copied along from documents, web pages and chats: soft hyphens, zero-width spaces, marks of direction.
INVISIBLE = "\u00ad\u200b\u200e\u200f\u2060\ufeff"
SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # no-break, thin, ideographic and so on
AROUND = re.compile(rf"^[\s{INVISIBLE}]+|[\s{INVISIBLE}]+$")
LINE_BREAK = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
IN_GROUPS = re.compile("[0-9]{1,3}(?:[ \u00a0\u2009\u202f][0-9]{3})+", re.ASCII)


def trimmed(text: str | None) -> str:
    """The text without spaces, line breaks and invisible characters around it."""
    return AROUND.sub("", text or "")


def line(text: str | None) -> str:
    """A text of one line, trimmed, with ordinary spaces."""
    return SPACE.sub(" ", trimmed(text))


def lines(text: str | None) -> str:
    """A text of several lines: each line break is a line feed, spaces are ordinary, and nothing is invisible."""
    return line(LINE_BREAK.sub("\n", text or "").translate(dict.fromkeys(map(ord, INVISIBLE))))


def whole_number(text: str | None) -> str:
    """A number as its digits, if it was written in groups of three, such as 1 000."""
    number = trimmed(text)
    return re.sub(r"\s", "", number) if IN_GROUPS.fullmatch(number) else number
