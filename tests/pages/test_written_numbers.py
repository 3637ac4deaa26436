"""No number of a rule is written out: not in a sentence of either language, a template, a view, a script or a mail.

The documentation cannot read a constant, so what it says is compared with the constants.
"""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import Flask
from jinja2 import Environment
from sqlalchemy import inspect

from webapp.access import limits, passwords
from webapp.accounts import cases
from webapp.db import db
from webapp.domain import access, seats
from webapp.domain import subscription as rules
from webapp.formats import WORDS
from webapp.mail import delivery
from webapp.operation import account_file, count_users, prune, supervision, web
from webapp.purchases import quotes
from webapp.sandbox import scenarios

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT / "webapp/translations/fr/LC_MESSAGES/messages.po"

# A number beside what the rules count, a range, or a list of numbers.
SPELLED = [word for name in ("en", "fr") for word in WORDS[name][2:]] + ["twelve", "douze", "thirty", "trente"]
NUMBER = rf"(?:\d[\d,.\u00a0\u202f]*|\b(?:{'|'.join(SPELLED)}))"
UNITS = (
    "second minute hour day week month year user seat character letter address e-mail attempt "
    "seconde heure jour semaine mois an utilisateur licence caractère lettre adresse tentative"
)
WRITTEN = re.compile(
    rf"{NUMBER}[ \u00a0](?:{'|'.join(UNITS.split())})(?:e?s)?\b|{NUMBER} (?:to|and|à|et) {NUMBER}|\d, \d+, \d",
    re.IGNORECASE,
)
STEPS_OF_THE_SANDBOX = {"+1 day", "+7 days", "+31 days"}  # how far its buttons move the clock: no rule


def sentences() -> Iterator[tuple[str, str]]:
    """Each sentence of the catalogue, by its English."""
    with CATALOG.open("rb") as file:
        for message in read_po(file, locale="fr"):
            parts = (message.id, message.string or "")
            texts = [text for part in parts for text in ([part] if isinstance(part, str) else part)]
            for text in texts:
                yield texts[0], re.sub(r"%\(\w+\)s", "%", text)


def test_no_sentence_writes_a_number_that_a_rule_may_have() -> None:
    # Laws are cited by numbers, and pages are described in pixels.
    cited = re.compile(r"\bart\.|\blaw of|\bloi\b|pixels|Libre réponse", re.IGNORECASE)
    found = {
        english: hit.group()
        for english, text in sentences()
        if (hit := WRITTEN.search(text)) and not cited.search(text)
    }
    assert {english: hit for english, hit in found.items() if english not in STEPS_OF_THE_SANDBOX} == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "Renew within 30 days.",
        "Renouvelez sous 30\u00a0jours.",
        "Enter 1 to 10 e-mail addresses.",
        "Wait two minutes.",
        "attendez deux minutes",
        "from 1 to 10,000.",
        "1 à 10\u202f000",
        "after 1, 3, 5 and 7 days",
        "12 characters or more",
        "4\u202f000 caractères",
        "It works for 30 minutes.",
    ],
)
def test_the_search_finds_what_was_once_written(sentence: str) -> None:
    assert WRITTEN.search(sentence)


def minutes(duration: timedelta) -> int:
    return duration // timedelta(minutes=1)


# The numbers that mean nothing else in a page or a view. Small ones stand for too many things.
TELLING = {
    rules.LAPSE_DAYS,
    int(rules.ACTIVE_USERS_LAG.total_seconds()),
    seats.MAX_SEATS,
    minutes(quotes.QUOTE_LIFETIME),
    minutes(access.RESET_LIFETIME),
    minutes(access.SESSION_LIFETIME),
    passwords.LONGEST,
    cases.LONGEST,
}
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))


def test_no_template_computes_with_a_rules_number() -> None:
    found = set()
    for path in TEMPLATES:
        tokens = Environment(autoescape=True).lex(path.read_text())
        for _, kind, value in tokens:
            if kind == "integer" and int(value) in TELLING:
                found.add((str(path.relative_to(ROOT / "templates")), value))
    assert found == set()


def test_no_script_has_a_rules_number() -> None:
    for path in (ROOT / "static").glob("*.js"):
        written = {int(number) for number in re.findall(r"\b\d+\b", path.read_text())}
        assert written & TELLING == set(), path.name


SPEAKING = sorted(
    path
    for folder in ("views", "sentences", "mail/messages", "operation")
    for path in (ROOT / f"webapp/{folder}").rglob("*.py")
)
OTHERS = {  # rules of their own
    ("supervision.py", supervision.STOPPING),
    ("serving.py", 30),  # seconds between two sweeps
    ("web.py", web.HEADER_SECONDS),
    ("account_file.py", account_file.MOST_PERIODS),
}


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: str(path.relative_to(ROOT / "webapp")))
def test_no_view_or_mail_has_a_rules_number(path: Path) -> None:
    tree = ast.parse(path.read_text())
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    documented = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    }
    numbers = {(path.name, value) for value in constants if type(value) is int and value in TELLING}
    assert numbers <= OTHERS
    texts = [value for value in constants if isinstance(value, str) and value not in documented]
    assert [text for text in texts if WRITTEN.search(text)] == []


def hours(duration: timedelta) -> int:
    return duration // timedelta(hours=1)


OPERATE = " ".join((ROOT / "docs/operate.md").read_text().split())
QA = " ".join((ROOT / "docs/qa.md").read_text().split())


@pytest.mark.parametrize(
    "sentence",
    [
        f"**Passwords** have {passwords.SHORTEST} to {passwords.LONGEST} characters.",
        f"It works once and for {minutes(access.RESET_LIFETIME)} minutes.",
        f"at most {minutes(access.SESSION_LIFETIME)}; every session ends after {hours(access.SESSION_LIFETIME)} hours",
        f"If that sender dies, another takes the mail over after {minutes(delivery.CLAIM)} minutes.",
        f"after {minutes(delivery.FIRST_PAUSE)} minute, doubling up to {hours(delivery.LONGEST_PAUSE)} hours, "
        f"for {delivery.GIVE_UP_AFTER.days} days.",
        f"that was not asked in the last {hours(count_users.FRESH)} hours",
        f"After {count_users.SILENCES} tenants in a row that do not answer",
        f"| active users of a day | {prune.COUNTS.days} days |",
        f"finished first (up to {supervision.STOPPING} s)",
    ],
)
def test_the_operators_guide_says_what_the_code_does(sentence: str) -> None:
    assert sentence in OPERATE


def test_the_table_of_limits_is_the_codes() -> None:
    said = re.findall(r"\| (\d+ in (?:\d+|an|a) \w+) \|", OPERATE)
    coded = [limit.replace(" per ", " in ").replace("in hour", "in an hour") for limit in limits.LIMITS.values()]
    assert sorted(said) == sorted(re.sub(r"in (minute|day)$", r"in a \1", limit) for limit in coded)


def test_every_constant_that_the_documentation_names_is_there() -> None:
    table = (ROOT / "docs/architecture.md").read_text().partition("## Rules with a number")[2].partition("\n## ")[0]
    file = ""
    for row in re.findall(r"^\| .+ \| (`[A-Z_]+`.*) \|$", table, re.MULTILINE):
        file = next(iter(re.findall(r"`([a-z_/]+\.py)`", row)), file)  # "there": in the file of the row above
        for name in re.findall(r"`([A-Z_]+)`", row):
            assert re.search(rf"^(\w+, )*{name}(, \w+)* = ", (ROOT / "webapp" / file).read_text(), re.MULTILINE), name


def test_the_tables_take_as_many_seats_as_the_rule(app: Flask) -> None:
    for table in ("period", "change", "quote"):
        checks = [check["sqltext"] for check in inspect(db.engine).get_check_constraints(table)]
        assert any(re.search(rf"\b{seats.MAX_SEATS}\b", check) for check in checks), table


def test_the_testers_guide_says_how_late_the_active_users_are() -> None:
    late = WORDS["en"][minutes(rules.ACTIVE_USERS_LAG)]
    assert f"The portal sees the number {late} minutes later." in QA


def test_the_testers_guide_says_for_how_many_days_users_were_counted() -> None:
    assert f"the active users of its last {scenarios.COUNTED_DAYS} days" in QA
