"""The year's archive for the accountant: every document, a journal and a manifest, made while it is sent."""

import csv
import hashlib
import logging
import re
import subprocess
from datetime import date
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from zipfile import BadZipFile, ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from e2e.portal import running_portal
from tests.support import databases
from tests.support.browsing import Browser
from tests.support.world import buyer, dump, issue, pay, quoted, rewrite, signed_in
from webapp import create_app, leases
from webapp.db import db, new_id, transaction
from webapp.invoices import archives, documents, listing
from webapp.invoices.spans import Span
from webapp.models.invoices import Invoice, InvoiceDocument
from webapp.models.operation import Lease
from webapp.ports import ports
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

ZIP = "/billing/invoices/2027.zip"


@pytest.fixture
def credited(app: Flask, business: Made) -> Made:
    """Makes two invoices of 2027, one of them credited in part."""
    assert pay(app, business, quoted(app, business, 14)) == "captured"
    refunds.credit(business.account, "MQ-2027-000002", 1_000)
    return business


def opened(client: FlaskClient, address: str = ZIP) -> ZipFile:
    answer = client.get(address)
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    return ZipFile(BytesIO(answer.data))


def journal(archive: ZipFile, delimiter: str) -> list[list[str]]:
    name = next(name for name in archive.namelist() if name.endswith(".csv"))
    body = archive.read(name)
    assert body.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def named(made: Made) -> dict[str, Invoice]:
    db.session.rollback()
    return {invoice.number: invoice for invoice in listing.invoices_of(made.account)}


def test_it_holds_every_document_of_the_year_and_no_other(client: FlaskClient, credited: Made) -> None:
    archive = opened(client)
    assert archive.testzip() is None
    pdfs = [name for name in archive.namelist() if name.endswith(".pdf")]
    ours = [invoice for number, invoice in named(credited).items() if number.startswith("MQ-2027")]
    assert pdfs == [documents.filename(invoice) for invoice in reversed(ours)]
    for invoice in ours:
        assert archive.read(documents.filename(invoice)) == documents.pdf_of(invoice)
    assert archive.namelist()[-2:] == ["journal-2027.csv", "MANIFEST.sha256"]


def test_the_manifest_is_what_sha256sum_checks(client: FlaskClient, credited: Made, tmp_path: Path) -> None:
    archive = opened(client)
    archive.extractall(tmp_path)
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "MANIFEST.sha256"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(archive.namelist()) - 1
    (tmp_path / "journal-2027.csv").write_text("changed")
    assert subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=tmp_path, capture_output=True).returncode == 1


def test_unzip_takes_it_too(client: FlaskClient, credited: Made, tmp_path: Path) -> None:
    (tmp_path / "year_archive.zip").write_bytes(client.get(ZIP).data)
    done = subprocess.run(
        ["python3", "-m", "zipfile", "-t", str(tmp_path / "year_archive.zip")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_journal_adds_up_in_either_language(client: FlaskClient, credited: Made) -> None:
    rows = journal(opened(client), ",")
    assert rows[0][:4] == ["Number", "Date", "Kind", "Refers to"]
    tenant = f"Qlik Sense Business (business-{credited.email[4:12]}.example.test)"
    assert rows[2] == [
        "MQ-2027-000002",
        "2027-01-15",
        "Invoice",
        "",
        tenant,
        "2027-02-15",
        "2027-03-14",
        "408.00",
        "20.00",
        "81.60",
        "489.60",
        "EUR",
        "",
    ]
    assert rows[3][2:4] + rows[3][7:11] == ["Credit note", "MQ-2027-000002", "-10.00", "20.00", "-2.00", "-12.00"]
    client.set_cookie("locale", "fr")
    french = journal(opened(client), ";")
    assert french[3][2:4] + french[3][7:11] == ["Avoir", "MQ-2027-000002", "-10,00", "20,00", "-2,00", "-12,00"]
    assert len(french) == len(rows) == 4
    disposition = client.get(ZIP).headers["Content-Disposition"]
    assert disposition == 'attachment; filename="factures-2027.zip"'


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", '=HYPERLINK("http://a";"b")']
)
def test_a_formula_is_text_in_the_journal(client: FlaskClient, business: Made, text: str) -> None:
    rewrite(business, product=text)
    with transaction() as session:
        session.execute(update(Invoice).values(purchase_order=text))
    row = journal(opened(client), ",")[1]
    assert row[12].startswith("'")
    assert row[4].startswith("'")
    assert len(row) == 13


HOSTILE = ["../../etc/passwd", "/etc/passwd", "C:\\a", "a\nb  c", "-rf", "é\x00", "…"]


@pytest.mark.parametrize("number", HOSTILE)
def test_a_hostile_number_is_a_harmless_name(client: FlaskClient, business: Made, number: str) -> None:
    number = number.replace("\x00", "\x01")  # no database of ours accepts it
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.number == "MQ-2027-000001").values(number=number))
    archive = opened(client)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name) for name in archive.namelist())
    assert len(journal(archive, ",")) == 2


def test_numbers_that_come_to_one_name_are_two_files(client: FlaskClient, business: Made) -> None:
    issue(business, 2)
    with transaction() as session:
        for number, wanted in (("OLD-000000", "A/1"), ("OLD-000001", "A-1")):
            session.execute(update(Invoice).where(Invoice.number == number).values(number=wanted))
    names = opened(client, "/billing/invoices/2020.zip").namelist()
    assert names[:4:2] == ["facture-A-1.pdf", "facture-A-1-2.pdf"]


def test_documents_are_made_once_on_the_way(client: FlaskClient, credited: Made) -> None:
    first = client.get(ZIP).data
    db.session.rollback()
    assert len(db.session.scalars(select(InvoiceDocument.invoice_id)).all()) == 3
    before = dump()
    assert client.get(ZIP).data == first
    assert dump() == before


@pytest.mark.parametrize("address", [ZIP, "/billing/invoices/year/2027"])
def test_another_accounts_year_and_one_without_documents_are_not_there(client: FlaskClient, address: str) -> None:
    scenarios.make("business")
    for none in ("0000", "1999", "9999"):
        assert client.get(address.replace("2027", none)).status_code == 404
    for odd in ("27", "20270", "-027"):
        assert client.get(address.replace("2027", odd)).status_code == 404
    stranger = client.application.test_client()
    assert stranger.get(address).status_code == 303


def test_nothing_of_another_account_is_in_it(client: FlaskClient, business: Made) -> None:
    other = scenarios.make("business")
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.account_id == other.account).values(number=Invoice.number + "-X"))
    assert [name for name in opened(client).namelist() if "X" in name] == []


def test_head_makes_nothing(client: FlaskClient, credited: Made) -> None:
    before = dump()
    answer = client.head(ZIP)
    assert (answer.status_code, answer.content_type, answer.data) == (200, "application/zip", b"")
    assert dump() == before


def test_no_transaction_is_open_while_it_is_sent(app: Flask, credited: Made) -> None:
    with app.test_request_context():
        for _ in archives.archive(credited.account, Span.of_year(2027)):
            assert not db.session().in_transaction()


def broken(made: Made) -> None:
    """Makes the year's last document impossible to make."""
    like = named(made)["MQ-2027-000001"]
    columns: dict[str, Any] = {
        name: getattr(like, name) for name in ("issuer_id", "account_id", "subscription_id", "currency", "net", "tax")
    }
    with transaction() as session:
        session.add(
            Invoice(
                id=new_id(),
                number="ZZ-1",
                issued_on=date(2027, 12, 31),
                total=like.total,
                snapshot=like.snapshot | {"seller": {}},
                **columns,
            )
        )


def test_what_breaks_off_is_no_zip_file_and_is_logged(
    app: Flask, business: Made, caplog: pytest.LogCaptureFixture
) -> None:
    broken(business)
    parts: list[bytes] = []
    with app.test_request_context(), caplog.at_level(logging.ERROR), pytest.raises(documents.DocumentNotMade):
        parts.extend(archives.archive(business.account, Span.of_year(2027)))
    sent = b"".join(parts)
    assert sent.startswith(b"PK")
    with pytest.raises(BadZipFile):
        ZipFile(BytesIO(sent))
    assert "broke off" in caplog.text


def test_a_second_archive_at_once_is_refused_until_the_first_is_made(
    client: FlaskClient, credited: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []

    def asked_meanwhile(*given: Any) -> Any:
        for locale in ("en", "fr"):
            client.set_cookie("locale", locale)
            answers.append(client.get(ZIP))
        yield from made(*given)

    made = archives._documents
    monkeypatch.setattr(archives, "_documents", asked_meanwhile)
    assert client.get(ZIP).status_code == 200
    english, french = answers
    assert [answer.status_code for answer in answers] == [429, 429]
    assert 0 < int(english.headers["Retry-After"]) <= leases.LASTS.total_seconds()
    assert "An archive is already being prepared." in english.text
    assert "Une archive est déjà en préparation." in french.text
    monkeypatch.undo()
    assert client.get(ZIP).status_code == 200, "the first is made"


def test_another_account_may_have_its_archive_meanwhile(app: Flask, client: FlaskClient, credited: Made) -> None:
    with leases.held("archive of somebody else"):
        assert client.get(ZIP).status_code == 200


def test_the_lease_of_a_process_that_died_ends_by_itself(
    client: FlaskClient, credited: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = ports().clock.system_now()
    leases._take(f"archive {credited.account}", "a process that was killed", now - leases.LASTS / 2)
    assert client.get(ZIP).status_code == 429
    with transaction() as session:
        session.execute(update(Lease).values(ends_at=now))
    assert client.get(ZIP).status_code == 200
    db.session.rollback()
    assert db.session.scalars(select(Lease.name)).all() == []


def test_an_archive_that_breaks_off_gives_its_lease_back(client: FlaskClient, business: Made) -> None:
    broken(business)
    for _ in range(2):
        assert client.get(ZIP).status_code == 500


@pytest.mark.slow
def test_nothing_of_an_archive_that_breaks_off_is_sent(tmp_path: Path) -> None:
    with databases.fresh_database(tmp_path) as url, running_portal(DATABASE_URL=url) as portal:
        made = portal.account("business")
        owner = Browser(portal, made)
        with owner.opener.open(f"{portal.url}{ZIP}", timeout=60) as whole:
            assert ZipFile(BytesIO(whole.read())).testzip() is None
        app = create_app({"SQLALCHEMY_DATABASE_URI": url, "SANDBOX": True})
        with app.app_context():
            broken(Made(**made))
            db.session.remove()
            db.engine.dispose()
        with pytest.raises(HTTPError) as fault:
            owner.opener.open(f"{portal.url}{ZIP}", timeout=60)
        assert (fault.value.code, fault.value.headers.get_content_type()) == (500, "text/html")
        fault.value.close()
        assert "broke off" in (portal.instance / "server.log").read_text()
        assert "2027" in owner.get("/billing/invoices")[1], "the server goes on"


# The page
def test_the_page_counts_and_makes_them_in_steps(client: FlaskClient, business: Made) -> None:
    issue(business, 25)
    page = "/billing/invoices/year/2020"
    assert "0 of 25 documents are ready." in client.get(page).text
    answer = client.post(page)
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    assert f"{archives.STEP} of 25 documents are ready." in client.get(page).text
    partial = {"HX-Request": "true", "HX-Request-Type": "partial"}
    fragment = client.post(page, headers=partial)
    assert fragment.status_code == 200
    assert "25 of 25 documents are ready." in fragment.text
    assert "<form" not in fragment.text
    assert "<html" not in fragment.text


def test_going_on_by_itself_stops_when_all_are_made(client: FlaskClient, business: Made) -> None:
    issue(business, 25)
    partial = {"HX-Request": "true", "HX-Request-Type": "partial"}
    assert 'hx-trigger="submit"' in client.get("/billing/invoices/year/2020").text
    assert 'hx-trigger="load"' in client.post("/billing/invoices/year/2020", headers=partial).text


def test_the_list_links_the_year(client: FlaskClient, business: Made) -> None:
    assert 'href="/billing/invoices/2027.zip">Download the year 2027</a>' in client.get("/billing/invoices").text
    assert 'href="/billing/invoices/2026.zip"' in client.get("/billing/invoices?year=2026").text


def test_words_of_the_customer_stand_in_the_journal_as_they_are(app: Flask, business: Made) -> None:
    rewrite(business, product='Qlik "A"; B, C\nD', buyer=buyer(business, legal_name="É"))
    for locale, delimiter in (("fr", ";"), ("en", ",")):
        client = signed_in(app, business)
        client.set_cookie("locale", locale)
        row = journal(opened(client), delimiter)[1]
        assert row[4].startswith('Qlik "A"; B, C D (')
        assert len(row) == 13


def test_the_sums_are_those_of_the_files(client: FlaskClient, credited: Made) -> None:
    archive = opened(client)
    for line in archive.read("MANIFEST.sha256").decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(archive.read(name)).hexdigest() == digest
