"""`make bench`: the list of 100 invoices and of a million on PostgreSQL, filter by filter; then the speed and
the memory of a year's archive with 100 and with 1,500 documents.

INVOICES_SIZES ("100 1000000"), INVOICES_YEARS ("100 1500") and INVOICES_TIMES (calls of each list) change the sizes.
"""

import os
import re
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import psycopg
from flask import Flask
from flask_migrate import upgrade

from e2e.portal import ROOT, environment
from tests.bench.sizes import number, numbers
from tests.support.databases import new_postgresql
from webapp import create_app
from webapp.db import db, new_id, transaction
from webapp.invoices import listing
from webapp.models.invoices import Invoice
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

SIZES = numbers("INVOICES_SIZES", 100, 1_000_000)
YEARS = numbers("INVOICES_YEARS", 100, 1_500)
TIMES = number("INVOICES_TIMES", 40)
# Copies of the account's invoice over ten years; one in fifty is credited (a third of these in part), with its note.
FILL = """
INSERT INTO invoice (id, issuer_id, account_id, subscription_id, kind, credits_id, number, number_key, purchase_order,
    order_key, issued_on, currency, net, tax, total, credited, status, snapshot)
SELECT 'b' || n, issuer_id, account_id, subscription_id, kind, CASE WHEN kind = 'credit_note' THEN id END,
    'MQ-' || extract(year FROM day) || '-' || lpad(n::text, 7, '0'),
    'mq-' || extract(year FROM day) || '-' || lpad(n::text, 7, '0'),
    'PO-' || n % 5000, 'po-' || n % 5000, day, currency, net, tax, total,
    CASE status WHEN 'credited' THEN total WHEN 'partly_credited' THEN 1 ELSE 0 END, status, snapshot
FROM (
    SELECT n, date '2016-01-01' + (n::bigint * 3650 / %(size)s)::int AS day,
        CASE WHEN n %% 50 = 1 THEN 'credit_note' ELSE 'invoice' END AS kind,
        CASE WHEN n %% 50 = 1 THEN 'credit_note' WHEN n %% 150 = 0 THEN 'partly_credited'
            WHEN n %% 50 = 0 THEN 'credited' ELSE 'paid' END AS status
    FROM generate_series(1, %(size)s) AS n
) AS made, (SELECT id, issuer_id, account_id, subscription_id, currency, net, tax, total, snapshot FROM invoice LIMIT 1)
    AS kept
""".replace("n % 5000", "n %% 5000")


def opened(url: str, folder: Path) -> Flask:
    with patch.dict(os.environ, environment(folder, DATABASE_URL=url), clear=True):
        app = create_app()
    with app.app_context():
        upgrade()
    return app


def filled(url: str, folder: Path, size: int) -> tuple[Flask, Made]:
    app = opened(url, folder)
    with app.app_context():
        made = scenarios.make("business")
        db.session.remove()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL.encode(), {"size": size})
        connection.execute("VACUUM ANALYZE invoice")
    return app, made


def choices(made: Made) -> dict[str, dict[str, str]]:
    """The filters of the list, by name. The deep page begins in the middle of all invoices."""
    ours = {"subscription": made.subscriptions["business"] or ""}
    return {
        "first page": {},
        "deep page": {"before": "2020-12-31.MQ-2020-"},
        "oldest first": {"order": "oldest"},
        "by number": {"order": "first-number"},
        "by amount": {"order": "largest"},
        "a year": {"year": "2019"},
        "a subscription": ours,
        "partly credited": {"status": "partly_credited"},
        "credited, a year": {"status": "credited", "year": "2018"},
        "credit notes, oldest": {"status": "credit_note", "order": "oldest"},
        "subscription, credited": {**ours, "status": "credited"},
        "search: a number": {"search": "MQ-2017-0000"},
        "search: an order": {"search": "po-42"},
        "search: nothing": {"search": "zz"},
    }


def timed(app: Flask, account: str, asked: dict[str, str]) -> tuple[float, int]:
    """Milliseconds of one call in its own session, and the number of rows."""
    with app.app_context():
        start = perf_counter()
        page = listing.list_invoices(account, asked)
        return (perf_counter() - start) * 1000, len(page.invoices)


def the_list(folder: Path) -> None:
    print(f"The list of an account's invoices on PostgreSQL, median ms of {TIMES} calls", flush=True)
    apps = [filled(new_postgresql(), folder, size) for size in SIZES]
    for name in choices(apps[0][1]):
        calls = [(app, made.account, choices(made)[name]) for app, made in apps]
        times: list[list[tuple[float, int]]] = [[] for _ in calls]
        for _ in range(TIMES):  # in turn, so that other load on the machine affects both
            for call, measured in zip(calls, times, strict=True):
                measured.append(timed(*call))
        small, large = (median(took for took, _ in measured) for measured in times)
        rows = " and ".join(str(measured[0][1]) for measured in times)
        line = f"{small:.2f}  {large:.2f}  {large / small:.2f} (aim ≤ 1.15 for as many rows: {rows})"
        print(f"  {name:<24}{line}", flush=True)


def a_year(size: int) -> tuple[float, float]:
    """Peak MB of a process that makes and sends a year's documents, and documents a second."""
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder)) | {"BENCH_YEAR": str(size)}
        with (Path(folder) / "output").open("w+") as output:
            process = subprocess.Popen([sys.executable, "-m", "tests.bench.invoices"], cwd=ROOT, env=env, stdout=output)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = status
            output.seek(0)
            match = re.fullmatch(r"([\d.]+)\n", output.read())
    assert status == 0
    assert match
    return used.ru_maxrss / 1024, float(match[1])


def send_a_year(size: int) -> None:
    """Runs in its own process: prints documents a second."""
    from webapp.invoices import archives, listing
    from webapp.invoices.spans import Span

    app = create_app()
    with app.app_context():
        upgrade()
        made = scenarios.make("business")
        like = listing.invoices_of(made.account)[0]
        names = ("issuer_id", "account_id", "subscription_id", "currency", "net", "tax", "total", "snapshot")
        columns: dict[str, Any] = {name: getattr(like, name) for name in names}
        for first in range(0, size, 100):
            with transaction() as session:
                for n in range(first, min(first + 100, size)):
                    day = date(2020, 1, 1) + timedelta(n * 365 // size)
                    session.add(Invoice(id=new_id(), number=f"OLD-{n:06d}", issued_on=day, **columns))
            db.session.remove()
    with app.test_request_context():
        start = perf_counter()
        for part in archives.archive(made.account, Span.of_year(2020)):
            assert len(part) < 1_000_000
        print(size / (perf_counter() - start))


def main() -> None:
    if "BENCH_YEAR" in os.environ:
        send_a_year(int(os.environ["BENCH_YEAR"]))
        return
    with tempfile.TemporaryDirectory() as folder:
        the_list(Path(folder))
    print("A year on its way, no document made before: peak MB, documents a second", flush=True)
    years = [a_year(size) for size in YEARS]
    for size, (peak, rate) in zip(YEARS, years, strict=True):
        print(f"  {size:>6,}: {peak:.0f} MB  {rate:.0f}/s", flush=True)
    print(f"  memory of the larger to the smaller: {years[1][0] / years[0][0]:.2f} (aim ≤ 1.1)", flush=True)


if __name__ == "__main__":
    main()
