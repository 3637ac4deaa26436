"""Telling customers of new prices, and taking them back: once, in time, and again after the command died."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from tests.support import team
from tests.support.prices import BOUNDARY, DEARER, OLD, PRODUCT, Publish, nets, published, support
from tests.support.together import Stop, together
from tests.support.world import dump, pay, post, quoted, signed_in, state, subscription
from webapp.db import db, new_id, transaction
from webapp.domain.pricing import PRICE_NOTICE
from webapp.domain.refusals import QuoteMoved
from webapp.domain.team import MailKind
from webapp.models.accounts import Account, Member
from webapp.models.mail import Message
from webapp.models.prices import LaterPrices, PriceList, Prices, Publication
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.removal import remove_account
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading, prices

pytestmark = pytest.mark.service


def test_it_tells_old_and_new_price_once_in_the_readers_language(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    (mail,) = state(app, business)["messages"]
    for told in ("À compter du 15 mars 2027", "460,00", "354,00", "12 licences"):
        assert told in mail["text"].replace("\u00a0", " "), told
    again = publish(business, "2027-02-20")
    assert "0 subscriptions were told of the prices from 2027-02-20, 1 knew already." in again.output
    assert len(state(app, business)["messages"]) == 1


def test_the_pages_tell_it(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    client, here = signed_in(app, business), f"/subscriptions/{subscription(business)}"
    sentence = "New prices from 15 March 2027: €460.00 a month before tax instead of €354.00."
    for path in ("/subscriptions", here):
        assert sentence in " ".join(client.get(path).text.split()), path
    assert "The amounts shown are at the prices until then." in client.get(f"{here}/renew").text
    assert "New prices" not in client.get(f"{here}/add").text
    post(app, f"/{business.account}/clock", to="2027-02-15T08:00:00")
    assert "The amounts shown are at these prices." in client.get(f"{here}/renew").text
    post(app, f"/{business.account}/clock", to="2027-03-15T08:00:00")
    assert "New prices from" not in client.get(here).text


def test_too_early_is_refused_with_the_earliest_day(app: Flask, business: Made, publish: Publish) -> None:
    before = dump()
    result = publish(business, "2027-02-13")
    assert f"told {PRICE_NOTICE.days} days before: 2027-02-14 is the earliest day." in result.output
    assert (result.exit_code, dump() == before) == (1, True)
    assert publish(business, "2027-02-14").exit_code == 0


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({"tiers": []}, ["tiers: there is no tier"]),
        ({"tiers": [[10, -1], [5, 0], [None, 10]]}, ["tier 1 costs -1", "tier 2 costs 0", "tier 2 ends at 5"]),
        ({"tiers": [[10, 3000]]}, ["tier 1 ends at 10 seats, and more have no price"]),
        ({"tiers": [[None, 3000], [10, 20]]}, ["tier 1 has no limit", "tier 2 ends at 10"]),
        ({"tiers": [[10, 30.5]]}, ["write a list of"]),
        ({"tiers": "x", "currency": "XXX", "product": ""}, ["product: ", "currency: XXX", "write a list of"]),
        ({"tiers": [[None, 3000]], "currency": "USD"}, ["Nobody has bought"]),
        ({"tiers": [[None, 3000]], "product": "Qlik"}, ["Nobody has bought Qlik in EUR"]),
        ({"more": 1}, ["is to be an object with product, currency and tiers"]),
    ],
)
def test_a_bad_file_is_refused_with_each_fault(
    app: Flask, business: Made, publish: Publish, given: Any, faults: list[str]
) -> None:
    before = dump()
    result = publish(business, "2027-03-01", **given)
    for fault in faults:
        assert fault in result.output
    assert "Nothing was changed." in result.output
    assert (result.exit_code, dump() == before) == (1, True)


def test_others_from_the_same_day_are_refused(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    result = publish(business, "2027-02-20", tiers=[[None, 1]])
    assert (result.exit_code, "withdraw them first" in result.output) == (1, True)


def test_another_account_and_a_member_without_notices_are_not_told(
    app: Flask, business: Made, publish: Publish
) -> None:
    other = scenarios.make("business")
    other_member = team.add(business, "viewer", email="zoe@example.test", name="Zoé")
    with transaction() as session:
        unwilling = update(Member).where(Member.email == other_member.email)
        session.execute(unwilling.values(unwanted_mails=[str(MailKind.NOTICES)]))
    published(publish, business, "2027-02-20")
    assert [mail["to"] for mail in state(app, business)["messages"]] == [business.email]
    assert state(app, other)["messages"] == []
    assert loading.load(other.account, subscription(other)).later_prices == []


def test_in_the_sandbox_an_account_is_named(app: Flask, business: Made, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"product": PRODUCT, "currency": "EUR", "tiers": DEARER}))
    result = support("publish-prices", str(file), "--from", "2027-02-20")
    assert (result.exit_code, "name one with --account" in result.output) == (1, True)


def test_killed_it_goes_on_where_it_was_and_nobody_is_told_too_late(
    app: Flask, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scenarios.make("business")
    monkeypatch.setattr(prices, "tell", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert publish(made, "2027-02-14").exit_code == 1
    monkeypatch.undo()
    assert state(app, made)["messages"] == []
    post(app, f"/{made.account}/clock", to="2027-01-20T08:00:00")
    published(publish, made, "2027-02-14")
    (row,) = db.session.scalars(select(LaterPrices))
    assert (row.told_on, row.valid_from) == (date(2027, 1, 20), date(2027, 2, 19))
    post(app, f"/{made.account}/clock", to="2027-02-15T08:00:00")
    assert nets(app, made) == [OLD], "they were told too late for this period"


def test_a_second_list_of_one_day_is_refused_by_the_schema(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    (row,) = db.session.scalars(select(LaterPrices))
    copied = {name: getattr(row, name) for name in ("account_id", "subscription_id", "price_list_id")}
    wrong = (
        [LaterPrices(**copied, valid_from=row.valid_from, told_on=row.told_on)],
        [LaterPrices(**copied, valid_from=date(2027, 5, 1), told_on=row.told_on)],
        [PriceList(id=new_id(), currency="EUR", rows=[[None, -1]])],
    )
    db.session.expunge_all()
    for rows in wrong:
        with pytest.raises(IntegrityError), transaction() as session:
            session.add_all(rows)


def test_who_was_told_is_told_again_once(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    for told in (1, 0):
        result = support("withdraw-prices", PRODUCT, "--from", "2027-02-20", "--account", business.account)
        assert f"are withdrawn: {told} subscriptions were told." in result.output
    first, second = state(app, business)["messages"]
    assert "ne s’appliquera pas" in second["text"]
    assert first != second
    post(app, f"/{business.account}/clock", to="2027-03-15T08:00:00")
    assert nets(app, business) == [OLD, OLD]
    row = db.session.scalars(select(Publication)).one()
    assert (row.withdrawn_by, row.published_by) == ("Jeanne (support)", "Jeanne (support)")


def test_published_again_it_is_told_again(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    support("withdraw-prices", PRODUCT, "--from", "2027-02-20", "--account", business.account)
    published(publish, business, "2027-02-20")
    assert db.session.scalar(select(func.count()).select_from(Message)) == 3


def test_prices_that_apply_stay(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    post(app, f"/{business.account}/clock", to="2027-02-20T00:00:00")
    result = support("withdraw-prices", PRODUCT, "--from", "2027-02-20", "--account", business.account)
    assert (result.exit_code, "apply since 2027-02-20" in result.output) == (1, True)
    assert len(loading.load(business.account, subscription(business)).later_prices) == 1


def test_who_paid_at_them_already_is_named(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, BOUNDARY)
    pay(app, business, quoted(app, business, 12))
    result = support("withdraw-prices", PRODUCT, "--from", BOUNDARY, "--account", business.account)
    assert f"Account {business.account} has paid a period at them" in result.output
    assert db.session.scalars(select(LaterPrices)).all() == []


def test_a_quote_at_withdrawn_prices_is_not_paid(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, BOUNDARY)
    quote = quoted(app, business, 12)
    support("withdraw-prices", PRODUCT, "--from", BOUNDARY, "--account", business.account)
    with pytest.raises(QuoteMoved) as moved:
        pay(app, business, quote)
    assert moved.value.changes["net"] == (46_000, 35_400)
    assert state(app, business)["payments"] == []


def test_unknown_ones_are_refused(app: Flask, business: Made) -> None:
    result = support("withdraw-prices", PRODUCT, "--from", BOUNDARY, "--account", business.account)
    assert (result.exit_code, "No prices of" in result.output) == (1, True)


def test_removing_the_account_of_a_tester_removes_them(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-20")
    assert sweep.sweep() == 0
    remove_account(db.session.get_one(Account, business.account))
    for table in (Publication, LaterPrices, PriceList):
        assert db.session.scalars(select(table)).all() == []


def _begun(business: Made, publish: Publish) -> Callable[[], object]:
    """Publishes prices and tells nobody, as if the command had died. Returns what tells the customer."""
    published(publish, business, "2027-02-20")
    with transaction() as session:
        session.execute(delete(LaterPrices))
        session.execute(delete(Message))
    row = db.session.scalars(select(Publication)).one()
    listed = Prices(row.price_list_id, "EUR", DEARER)
    db.session.expunge_all()
    db.session.rollback()
    return lambda: prices.tell(business.account, subscription(business), row, listed)


def test_two_who_publish_at_once_tell_once(app: Flask, business: Made, publish: Publish) -> None:
    tell = _begun(business, publish)
    assert sorted(map(str, together(app, [tell, tell]))) == ["False", "True"]
    assert len(state(app, business)["messages"]) == 1


def test_withdrawn_at_the_same_moment_nobody_keeps_them(app: Flask, business: Made, publish: Publish) -> None:
    tell = _begun(business, publish)

    def withdraw() -> object:
        return support("withdraw-prices", PRODUCT, "--from", "2027-02-20", "--account", business.account).exit_code

    for moment in range(1, 13):
        together(app, [tell, withdraw], Stop(0, moment))
        assert db.session.scalars(select(LaterPrices)).all() == []
        with transaction() as session:
            session.execute(update(Publication).values(withdrawn_at=None, withdrawn_by=None))
            session.execute(delete(Message))
