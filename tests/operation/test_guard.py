"""A silent outside service keeps some threads at most, and is left alone after a while; nothing is charged unseen."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from threading import Barrier, Event

import pytest
from flask import Flask

from tests.support.faces import provider
from tests.support.world import RETURN_URL, quoted, signed_in, state, step, subscription
from webapp import _guarded, guard
from webapp.access import provider as identity_provider
from webapp.db import db, transaction
from webapp.guard import PAUSE, SILENCES, Guard, allowed_to_wait
from webapp.ports import Cancelled, Captured, GatewaySilent, OutcomeUnknown, ports
from webapp.purchases import payments
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount

THREADS = 4


class Silent(Exception):
    pass


class Refused(Exception):
    pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [1000.0]
    monkeypatch.setattr(guard, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def guarded(clock: list[float]) -> Guard:
    return Guard("a service", allowed_to_wait(THREADS), (Silent,), Refused)


def silent(guarded: Guard, address: str = "") -> None:
    with pytest.raises(Silent), guarded.asking(address):
        raise Silent


def asked(guarded: Guard, address: str = "") -> bool:
    try:
        with guarded.asking(address):
            return True
    except Refused:
        return False


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 14)])
def test_two_threads_stay_free_where_there_are_as_many(threads: int, most: int) -> None:
    assert allowed_to_wait(threads) == most


def test_more_than_may_wait_are_refused_at_once_and_let_in_when_one_is_done(guarded: Guard) -> None:
    inside, leave = Barrier(guarded.most + 1), Event()

    def wait() -> None:
        with guarded.asking():
            inside.wait(10)
            leave.wait(10)

    with ThreadPoolExecutor(guarded.most) as pool:
        waiting = [pool.submit(wait) for _ in range(guarded.most)]
        inside.wait(10)
        assert not asked(guarded)
        leave.set()
        for one in waiting:
            one.result(10)
    assert asked(guarded)


def test_after_some_silences_in_a_row_one_at_a_time_asks_again(guarded: Guard, clock: list[float]) -> None:
    for _ in range(SILENCES):
        silent(guarded)
    assert not asked(guarded)
    clock[0] += PAUSE
    silent(guarded)
    assert not asked(guarded), "it was still silent"
    clock[0] += PAUSE
    with guarded.asking():
        assert not asked(guarded), "another one is just asking"
    assert all(asked(guarded) for _ in range(SILENCES)), "it answered"


def test_an_answer_between_silences_counts_them_anew(guarded: Guard) -> None:
    for _ in range(SILENCES * 3):
        silent(guarded)
        assert asked(guarded)


def test_another_fault_is_an_answer(guarded: Guard) -> None:
    for _ in range(SILENCES * 2):
        with pytest.raises(ArithmeticError), guarded.asking():
            raise ArithmeticError
    assert asked(guarded)
    assert guarded.waiting == 0


def test_a_tenant_that_is_silent_keeps_no_other_one_from_being_asked(guarded: Guard) -> None:
    for _ in range(SILENCES):
        silent(guarded, "a.example.test")
    assert not asked(guarded, "a.example.test")
    assert asked(guarded, "b.example.test")


class Gateway:
    """The sandbox's gateway behind a line that is dead or not; `calls` is what went over it."""

    def __init__(self, inner: object) -> None:
        self.inner, self.dead, self.calls = inner, True, list[str]()
        self.silence: Callable[[], object] = lambda: None  # waits

    def __getattr__(self, name: str) -> object:
        def call(*given: object, **named: object) -> object:
            self.calls.append(name)
            if self.dead:
                self.silence()
                raise GatewaySilent(name)
            return getattr(self.inner, name)(*given, **named)

        return call


@contextmanager
def dead_line(app: Flask) -> Iterator[Gateway]:
    """Until the block ends, the portal asks its gateway over a guarded line that is dead at first."""
    before = ports()
    gateway = Gateway(before.gateway)
    app.extensions["ports"] = _guarded(replace(before, gateway=gateway), THREADS)  # type: ignore[arg-type]
    try:
        yield gateway
    finally:
        app.extensions["ports"] = before


def test_a_silent_gateway_with_eight_purchases_leaves_another_owners_page_alone(app: Flask) -> None:
    """Eight purchases come to a web process's workers before the page, which is shown before they end."""
    buyers = [scenarios.make("business") for _ in range(8)]
    paying = [(signed_in(app, made), step(made, quoted(app, made), "pay")) for made in buyers]
    other = signed_in(app, scenarios.make("business"))
    db.session.remove()
    over = Event()
    with dead_line(app) as gateway, ThreadPoolExecutor(THREADS) as workers:
        gateway.silence = lambda: over.wait(60)
        try:
            waiting = [workers.submit(client.post, url, data={"attempt": "1"}) for client, url in paying]
            assert workers.submit(other.get, "/subscriptions").result(30).status_code == 200
            refused = [*islice(as_completed(waiting, 30), len(buyers) - allowed_to_wait(THREADS))]
            assert len(refused) == len(buyers) - allowed_to_wait(THREADS)
            assert sum(not one.done() for one in waiting) == allowed_to_wait(THREADS)
        finally:
            over.set()
        assert {one.result(30).status_code for one in waiting} == {303}
        assert len(gateway.calls) == allowed_to_wait(THREADS)
    for made in buyers:
        assert payment_states(app, made) == ["pending"]


def payment_states(app: Flask, made: Made) -> list[str]:
    return [payment["state"] for payment in state(app, made)["payments"]]


def test_a_payment_that_was_never_sent_is_pending_and_then_given_up(
    app: Flask, business: Made, clock: list[float]
) -> None:
    quote = quoted(app, business)
    with dead_line(app) as gateway:
        for _ in range(SILENCES):
            with pytest.raises(OutcomeUnknown):
                ports().gateway.find(business.account, "nothing.1")
        gateway.calls.clear()
        paid = payments.pay(business.account, subscription(business), quote, 1, RETURN_URL)
        assert paid.state == "pending"
        assert gateway.calls == [], "it was not sent"
        with pytest.raises(OutcomeUnknown):
            payments.reconcile(business.account, subscription(business), quote)
        assert payment_states(app, business) == ["pending"], "an open breaker says nothing of a payment"
        gateway.dead = False
        clock[0] += PAUSE
        payments.reconcile(business.account, subscription(business), quote)
        assert payment_states(app, business) == ["pending"], "the charge may still be on its way"
        wait(business)
        payments.reconcile(business.account, subscription(business), quote)
        assert payment_states(app, business) == ["cancelled"]
        assert ports().gateway.find(business.account, f"{quote}.1") == Cancelled(), "nor can it be charged late"


def test_a_payment_that_was_never_sent_is_charged_once_when_it_is_sent_again(
    app: Flask, business: Made, clock: list[float]
) -> None:
    quote = quoted(app, business)
    with dead_line(app) as gateway:
        for _ in range(SILENCES):
            with pytest.raises(OutcomeUnknown):
                ports().gateway.find(business.account, "nothing.1")
        assert payments.pay(business.account, subscription(business), quote, 1, RETURN_URL).state == "pending"
        gateway.dead = False
        clock[0] += PAUSE
        for _ in range(2):
            assert payments.pay(business.account, subscription(business), quote, 1, RETURN_URL).state == "captured"
        assert len(state(app, business)["gateway"]["charges"]) == 1
        assert isinstance(ports().gateway.find(business.account, f"{quote}.1"), Captured)


def wait(made: Made) -> None:
    """Until the silence of the gateway means no."""
    with transaction() as session:
        session.get_one(SandboxAccount, made.account).set_to += payments.UNHEARD_OF_AFTER


def test_a_sign_in_provider_that_is_silent_is_left_alone_for_a_while(app: Flask, clock: list[float]) -> None:
    app.config["WORKER_THREADS"] = THREADS
    with provider(app, "http://127.0.0.1:9"):  # where nobody listens
        heard = app.extensions["guards"][guard.PROVIDER].heard
        for _ in range(SILENCES + 3):
            with pytest.raises(identity_provider.SignInRefused, match="unreachable"):
                identity_provider.check_description()
        assert heard[""].silences == SILENCES, "it was asked no more"
        clock[0] += PAUSE
        with pytest.raises(identity_provider.SignInRefused, match="unreachable"):
            identity_provider.check_description()
        assert heard[""].silences == SILENCES + 1
    app.extensions["guards"].clear()
