"""Accounts from a file: all or nothing, and each fault is a sentence that names its place."""

import json
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.support.world import dump
from webapp.access import passwords
from webapp.access.sign_in import hasher
from webapp.db import db, transaction
from webapp.models.accounts import Account, Issuer, Member
from webapp.models.subscriptions import PeriodRow, SubscriptionRow
from webapp.ports import ports
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount, SandboxHeadcount
from webapp.subscriptions import cost, loading

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "account.example.json"


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The example account, dated this month, outside the sandbox."""
    app.config["SANDBOX"] = False
    content: dict[str, Any] = json.loads(EXAMPLE.read_text())
    content["subscriptions"][0]["anchor"] = ports().clock.system_now().date().replace(day=1).isoformat()
    return content


def given(app: Flask, tmp_path: Path, document: object, *options: str, typed: str = "") -> Any:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(document))
    return app.test_cli_runner().invoke(args=["add-account", str(path), *options], input=typed)


def test_the_example_makes_an_account_that_can_be_used(app: Flask, tmp_path: Path, document: dict[str, Any]) -> None:
    done = given(app, tmp_path, document)
    assert done.exit_code == 0, done.output
    account = db.session.scalars(select(Account)).one()
    assert f"Account {account.id} of Ateliers Beaumont SARL, invoiced by {account.issuer_id}." in done.output
    made = db.session.scalars(select(SubscriptionRow)).one()
    with transaction() as session:  # the clock and the directory of these tests
        now = datetime.now(UTC)
        session.add(SandboxAccount(account_id=account.id, scenario="", password="", set_to=now, set_at=now))
        session.add(SandboxHeadcount(tenant=made.tenant, customer=account.id, active=3, since=now))
    facts = loading.load(account.id, made.id).facts
    assert facts.seats == {0: 12}
    assert facts.period(0).start == date.fromisoformat(document["subscriptions"][0]["anchor"])
    assert cost.cost(account.id, made.id, 14, 0)
    assert db.session.scalars(select(PeriodRow.source)).all() == ["external"], "billed elsewhere: no invoice here"


def test_who_is_given_no_password_can_sign_in_with_none(app: Flask, tmp_path: Path, document: dict[str, Any]) -> None:
    assert given(app, tmp_path, document).exit_code == 0
    assert db.session.scalars(select(Member.password_hash)).one().startswith("$argon2id$")
    for guess in ("", "x", "camille.martin@example.test"):
        answer = app.test_client().post("/sign-in", data={"email": "camille.martin@example.test", "password": guess})
        assert answer.status_code == 422


def test_a_password_is_asked_for_until_it_is_one_that_members_could_choose(
    app: Flask, tmp_path: Path, document: dict[str, Any]
) -> None:
    typed = "".join(f"{password}\n{password}\n" for password in ("short", "camille.martin", "quatre mots bien longs"))
    done = given(app, tmp_path, document, "--passwords", typed=typed)
    assert done.exit_code == 0
    assert f"{passwords.SHORTEST} characters or more" in done.output
    assert "Do not use your e-mail address" in done.output
    assert "quatre mots bien longs" not in done.output
    assert hasher.verify(db.session.scalars(select(Member.password_hash)).one(), "quatre mots bien longs")


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("issuer", "nobody", "$.issuer: There is no issuer with this id"),
        ("issuer.siren", "900100208", "$.issuer.siren: The number's checksum or check digit is invalid."),
        ("issuer.vat_number", "FR00", "$.issuer.vat_number: The number has an invalid format."),
        ("issuer.register", None, "$.issuer.register: Input should be a valid string."),
        ("issuer.share_capital", -1, "$.issuer.share_capital: Input should be greater than or equal to 0."),
        ("organisation.legal_name", "", "$.organisation.legal_name: Write one line of at most 200 characters."),
        ("organisation.legal_name", "a\nb", "$.organisation.legal_name: Write one line of at most 200 characters."),
        ("organisation.legal_name", "a\u2028b", "$.organisation.legal_name: Write one line of at most 200 characters."),
        ("organisation.legal_name", "a\ufffeb", "$.organisation.legal_name: Write one line of at most 200 characters."),
        ("organisation.legal_name", "a\ud800b", "$.organisation.legal_name: Write one line of at most 200 characters."),
        ("organisation.manager_email", "Sophie", "$.organisation.manager_email: This is not an e-mail address."),
        (
            "organisation.manager_email",
            "a..b@example.test",
            "$.organisation.manager_email: This is not an e-mail address.",
        ),
        (
            "organisation.manager_email",
            "zoë@example.test",
            "$.organisation.manager_email: Use letters without accents before the @.",
        ),
        (
            "organisation.billing_emails",
            [".a@example.test"],
            "$.organisation.billing_emails: This is not an e-mail address.",
        ),
        ("organisation.zone", ["Europe/Paris"], "$.organisation.zone: Input should be a valid string."),
        ("organisation.legal_name", "x" * 201, "$.organisation.legal_name: Write one line of at most 200 characters."),
        ("organisation.vat_number", "DE123", "$.organisation.vat_number: This does not fit the country FR"),
        ("organisation.vat_number", [], "$.organisation.vat_number: Input should be a valid string."),
        ("organisation.country", "France", "$.organisation.country: String should match pattern '^[A-Z]{2}$'."),
        ("organisation.country", "fr", "$.organisation.country: String should match pattern '^[A-Z]{2}$'."),
        ("organisation.billing_emails", [], "$.organisation.billing_emails: Write 1 to "),
        ("organisation.zone", "Paris", "$.organisation.zone: Write a time zone such as Europe/Paris."),
        ("organisation.document_locale", "de", "$.organisation.document_locale: Write one of fr, en."),
        ("organisation.phone", "1", "$.organisation.phone: Extra inputs are not permitted."),
        ("members", [], "$.members: List should have at least 1 item"),
        ("members.0.email", "camille", "$.members[0].email: This is not an e-mail address."),
        ("members.0.email", ".camille@example.test", "$.members[0].email: This is not an e-mail address."),
        ("members.0.name", 5, "$.members[0].name: Input should be a valid string."),
        ("subscriptions.0.plan", "gold", "$.subscriptions[0].plan: Input should be 'business' or 'enterprise'."),
        ("subscriptions.0.anchor", "soon", "$.subscriptions[0].anchor: Write a day such as 2027-01-31."),
        ("subscriptions.0.anchor", "2999-01-01", "$.subscriptions[0].anchor: This is in the future"),
        (
            "subscriptions.0.anchor",
            "2020-01-01",
            "$.subscriptions[0].periods_paid: The last one ended before 2020-02-01",
        ),
        ("subscriptions.0.term_months", 3, "$.subscriptions[0].term_months: Write 1 or 12."),
        ("subscriptions.0.term_months", 1.0, "$.subscriptions[0].term_months: Input should be a valid integer"),
        ("subscriptions.0.term_months", True, "$.subscriptions[0].term_months: Input should be a valid integer"),
        ("subscriptions.0.seats", 0, "$.subscriptions[0].seats: Input should be greater than or equal to 1."),
        ("subscriptions.0.seats", True, "$.subscriptions[0].seats: Input should be a valid integer."),
        ("subscriptions.0.tenant", "https://x", "$.subscriptions[0].tenant: String should match pattern"),
        (
            "subscriptions.0.price_list.tiers",
            [[10, 30.5], [None, 20]],
            "$.subscriptions[0].price_list.tiers[0][1]: Input",
        ),
        (
            "subscriptions.0.price_list.tiers",
            [[10.5, 3], [None, 2]],
            "$.subscriptions[0].price_list.tiers[0][0]: Input",
        ),
        (
            "subscriptions.0.price_list.tiers",
            [[float("nan"), 3], [None, 2]],
            "$.subscriptions[0].price_list.tiers[0][0]: Input",
        ),
        (
            "subscriptions.0.price_list.tiers",
            [[None, 10**30]],
            "$.subscriptions[0].price_list.tiers[0][1]: Input should be less",
        ),
        ("subscriptions.0.price_list.tiers", [[10, 3000]], "$.subscriptions[0].price_list.tiers: tiers must rise"),
        (
            "subscriptions.0.price_list.currency",
            "euro",
            "$.subscriptions[0].price_list.currency: String should match pattern",
        ),
    ],
)
def test_a_fault_is_one_sentence_and_nothing_is_written(
    app: Flask, tmp_path: Path, document: dict[str, Any], place: str, value: object, sentence: str
) -> None:
    *path, last = place.split(".")
    at: Any = document
    for name in path:
        at = at[int(name) if name.isdigit() else name]
    at[last] = value
    before = dump()
    done = given(app, tmp_path, document)
    assert done.exit_code == 1
    faults = [line for line in done.output.splitlines() if line.startswith("- ")]
    assert any(line.startswith(f"- {sentence}") for line in faults), done.output
    assert len(faults) == 1, done.output
    assert dump() == before


def test_every_fault_is_told_at_once(app: Flask, tmp_path: Path, business: Made, document: dict[str, Any]) -> None:
    document["organisation"]["city"] = document["members"][0]["name"] = document["subscriptions"][0]["seats"] = None
    document["issuer"], document["owners"] = "nobody", []
    document["subscriptions"][0]["anchor"] = "2999-01-01"
    document["members"].append({"name": "Zoé", "email": business.email})
    faults = [line.split(":")[0] for line in given(app, tmp_path, document).output.splitlines() if line[:2] == "- "]
    assert faults == [
        "- $.issuer",
        "- $.organisation.city",
        "- $.members[0].name",
        "- $.members[1].email",
        "- $.subscriptions[0].anchor",
        "- $.subscriptions[0].seats",
        "- $.owners",
    ]


def test_a_file_that_is_no_document_is_said_so(app: Flask, tmp_path: Path, document: dict[str, Any]) -> None:
    (tmp_path / "bad.json").write_text("{")
    done = app.test_cli_runner().invoke(args=["add-account", str(tmp_path / "bad.json")])
    assert (done.exit_code, "is not JSON" in done.output) == (1, True)
    nothings: list[object] = [[], "x", 5, None, {}, {**document, "organisation": []}]
    for nothing in nothings:
        done = given(app, tmp_path, nothing)
        assert (done.exit_code, "Nothing was written." in done.output) == (1, True)


def test_a_second_account_may_share_the_issuer_and_not_the_members(
    app: Flask, tmp_path: Path, document: dict[str, Any]
) -> None:
    assert given(app, tmp_path, document).exit_code == 0
    second = deepcopy(document)
    second["issuer"] = db.session.scalars(select(Issuer.id)).one()
    refused = given(app, tmp_path, second)
    assert "- $.members[0].email: This is a member's already" in refused.output
    second["members"] = [{"name": "Zoé", "email": "zoe@example.test"}] * 2
    assert "- $.members: This has an e-mail address twice." in given(app, tmp_path, second).output
    second["members"] = second["members"][:1]
    assert given(app, tmp_path, second).exit_code == 0
    assert db.session.scalars(select(func.count()).select_from(Account)).one() == 2
    assert db.session.scalars(select(func.count()).select_from(Issuer)).one() == 1


def test_a_member_is_added_to_an_account(app: Flask, business: Made) -> None:
    app.config["SANDBOX"] = False
    runner, command = app.test_cli_runner(), ["add-member", "--name", "Zoé", "--email", "Zoe@example.test", "--account"]
    done = runner.invoke(args=[*command, "nobody"])
    assert (done.exit_code, "There is no account nobody." in done.output) == (1, True)
    assert runner.invoke(args=[*command, business.account]).exit_code == 0
    again = runner.invoke(args=[*command, business.account])
    assert (again.exit_code, "is a member's already" in again.output) == (1, True)
    query = select(Member.account_id).where(Member.email == "zoe@example.test")
    assert db.session.scalars(query).all() == [business.account]


def test_an_international_domain_is_kept_as_mail_servers_take_it(
    app: Flask, tmp_path: Path, document: dict[str, Any]
) -> None:
    document["members"][0]["email"] = document["organisation"]["manager_email"] = "Zoe@Société.example.test"
    document["organisation"]["billing_emails"] = ["compta@straße.test"]
    assert given(app, tmp_path, document).exit_code == 0
    account = db.session.scalars(select(Account)).one()
    assert account.manager_email == "Zoe@xn--socit-esab.example.test"
    assert account.billing_emails == ["compta@xn--strae-oqa.test"]
    assert db.session.scalars(select(Member.email)).one() == "zoe@xn--socit-esab.example.test"


def test_the_sandbox_makes_its_own_accounts(app: Flask, tmp_path: Path) -> None:
    done = given(app, tmp_path, json.loads(EXAMPLE.read_text()))
    assert (done.exit_code, "made at /sandbox" in done.output) == (1, True)
