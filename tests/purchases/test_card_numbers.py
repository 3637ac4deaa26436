"""No card number is kept anywhere: not in a log line, the database or a page, whether or not the card was accepted."""

import logging
import re
from collections.abc import Iterator

from flask import Flask
from sqlalchemy import inspect, text

from tests.support.log_lines import Lines
from tests.support.world import post, signed_in, state, step, subscription
from webapp.db import db
from webapp.sandbox import scenarios
from webapp.sandbox.gateway import TEST_CARDS
from webapp.sandbox.scenarios import Made

DIGITS = re.compile(
    r"(?<![0-9a-fA-F.])\d(?:[ -]?\d){12,18}(?![0-9a-fA-F])"
)  # longer runs and runs beside a letter are ids
REAL = (
    "4111111111111111",
    "378282246310005",
    "30569309025904",
    "6011000990139424",
    "3530111333300000",
)  # cards that the sandbox does not know


def luhn(number: str) -> bool:
    """Whether the digits pass the check of card numbers."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(digit - 9 * (digit > 9) for digit in doubled) % 10 == 0


def card_numbers(text: str) -> set[str]:
    runs = (re.sub(r"[ -]", "", run) for run in DIGITS.findall(text))
    return {run for run in runs if luhn(run)}


def cells() -> Iterator[tuple[str, str]]:
    """Every value of every table, as text."""
    db.session.rollback()
    for table in inspect(db.engine).get_table_names():
        for row in db.session.execute(text(f'SELECT * FROM "{table}"')).mappings():
            yield from ((f"{table}.{column}", str(value)) for column, value in row.items())


def enter(app: Flask, made: Made, number: str, shown: list[str], **also: str) -> str:
    """Enters a card on the gateway's page; returns where that leads."""
    owner = signed_in(app, made)
    entry = owner.post("/billing/cards/new").headers["Location"].removeprefix("http://localhost")
    form = {"number": number, "expiry": "12/39", "code": "123", "holder": "Camille Martin", **also}
    answer = owner.post(entry, data=form)
    for page in (answer.text, owner.get(entry, buffered=True).text):
        shown.append(
            re.sub(r"<(details|table|ul|dl)\b.*?</\1>", "", page, flags=re.DOTALL)
        )  # the page lists the test cards
    shown.append(str(answer.headers))
    if answer.status_code == 303:
        back = answer.headers["Location"].removeprefix("http://localhost")
        shown += [back, owner.get(back, follow_redirects=True).text]
    return back if answer.status_code == 303 else ""


def use(app: Flask, made: Made, shown: list[str], seats: int) -> None:
    """Pays with the card that was saved last."""
    owner, cards = signed_in(app, made), state(app, made)["cards"]
    payment = owner.post(f"/subscriptions/{subscription(made)}/renew", data={"seats": seats}).headers["Location"]
    quote = payment.split("/")[-2]
    for path, form in ((payment, {"card": cards[-1]["id"]}), (step(made, quote, "pay"), {"attempt": "1"})):
        answer = owner.post(path, data=form, follow_redirects=True)
        shown += [answer.text, str(answer.headers)]


def test_no_card_number_is_in_any_log_cell_or_page_after_every_flow_of_a_card(app: Flask, log: Lines) -> None:
    shown: list[str] = []
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)  # longer than any log line
    try:
        for number, (behaviour, _) in TEST_CARDS.items():
            made = scenarios.make("business")
            for form in (number, " ".join(re.findall(r"\d{4}", number)), f"{number}0"):
                enter(app, made, form, shown)
            enter(app, made, number, shown, code="12345")
            enter(app, made, number, shown, holder=number)
            enter(app, made, number, shown, expiry=number)
            if behaviour != "refused_at_entry":
                use(app, made, shown, 14)
                post(app, f"/{made.account}/clock", advance="P40D")
            shown.append(str(state(app, made)))
        for number in REAL:
            enter(app, made, number, shown)
        owner = signed_in(app, made)
        shown += [owner.get(path).text for path in ("/billing", "/activity", "/subscriptions", "/billing/invoices")]
    finally:
        logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
    assert any('"logger": "sqlalchemy.engine' in line for line in log.lines)
    assert {number for page in shown for number in card_numbers(page)} == set(), "in a page"
    assert {number for line in log.lines for number in card_numbers(line)} == set(), "in the log"
    assert {(where, number) for where, value in cells() for number in card_numbers(value)} == set(), "in the database"


def test_the_search_finds_what_it_looks_for() -> None:
    assert card_numbers("a 4111 1111 1111 1111, b 378282246310005.") == {REAL[0], REAL[1]}
    assert card_numbers("4111111111111112 and 41111111111111111111") == set()
