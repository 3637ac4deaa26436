"""Twenty requests to pay at once, through the running server with its processes and threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.portal import Sandbox, running_portal, token
from tests.support.browsing import Browser


@pytest.fixture(scope="module")
def sandbox() -> object:
    with running_portal(THREADS="4") as portal:
        yield portal


@pytest.mark.parametrize("fault", ["", "timeout_after_charge"])
def test_twenty_at_once_are_one_charge_and_one_receipt(sandbox: Sandbox, fault: str) -> None:
    account = sandbox.account("business")
    owner = Browser(sandbox, account)
    renew = f"/subscriptions/{account['subscriptions']['business']}/renew"
    form = {"csrf_token": token(owner.get(renew)[1])}
    payment = owner.post(renew, seats="14", **form)[0].removeprefix(sandbox.url)
    overview = owner.post(payment, card=account["cards"][0], **form)[1]
    assert "489,60" in overview
    if fault:
        sandbox.gateway(account["account"], fault)
    pay = payment.replace("/payment", "/pay")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: owner.post(pay, attempt="1", **form), range(20)))
    assert {url for url, _ in answers} == {sandbox.url + payment.replace("/payment", "/receipt")}
    final = {owner.get(payment.replace("/payment", "/receipt"))[1].split("<main")[1].split("</main")[0]}
    if not fault:
        assert {page.split("<main")[1].split("</main")[0] for _, page in answers} == final
    account_state = sandbox.state(account["account"])
    assert [charge["state"] for charge in account_state["gateway"]["charges"]] == ["captured"]
    assert [paid["state"] for paid in account_state["payments"]] == ["captured"]
    assert [period["ordinal"] for period in account_state["subscriptions"][0]["periods"]] == list(range(7))
    assert len(account_state["invoices"]) == 7
    assert (
        len({message["to"] for message in account_state["messages"]}) == len(account_state["messages"]) == 2
    )  # owner, billing e-mail


def test_twenty_refusals_at_once_are_one_attempt(sandbox: Sandbox) -> None:
    account = sandbox.account("business")
    owner = Browser(sandbox, account)
    renew = f"/subscriptions/{account['subscriptions']['business']}/renew"
    form = {"csrf_token": token(owner.get(renew)[1])}
    payment = owner.post(renew, seats="14", **form)[0].removeprefix(sandbox.url)
    owner.post(payment, card=account["cards"][0], **form)
    sandbox.gateway(account["account"], "decline")
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: owner.post(payment.replace("/payment", "/pay"), attempt="1", **form)[0], range(20))
        )
    assert set(answers) == {sandbox.url + payment}
    assert [paid["state"] for paid in sandbox.state(account["account"])["payments"]] == ["declined"]


def test_two_quotes_at_once_pay_one_period(sandbox: Sandbox) -> None:
    account = sandbox.account("business")
    owner = Browser(sandbox, account)
    renew = f"/subscriptions/{account['subscriptions']['business']}/renew"
    form = {"csrf_token": token(owner.get(renew)[1])}
    payments = [
        owner.post(renew, seats=seats, **form)[0].removeprefix(sandbox.url) for seats in ("13", "14", "15", "16")
    ]
    for payment in payments:
        owner.post(payment, card=account["cards"][0], **form)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda payment: owner.post(payment.replace("/payment", "/pay"), attempt="1", **form), payments))
    account_state = sandbox.state(account["account"])
    assert len(account_state["gateway"]["charges"]) == 1
    assert len(account_state["subscriptions"][0]["periods"]) == 7
