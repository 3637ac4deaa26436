"""A short load on PostgreSQL while server and database restart: no payment is lost, and every fault heals."""

import pytest

from tests.bench import load as bench_load
from tests.bench.load_data import Size
from tests.support.databases import POSTGRESQL

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRESQL, reason="it is PostgreSQL that is restarted"),
]


def test_no_acknowledged_payment_is_lost_and_every_fault_heals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_load, "LAPSE", 0.8)
    size = Size(subscriptions=20, invoices=200, owners=4, clients=2, seconds=2.5, processes=(2,))
    assert bench_load.report(size) == []
    report = capsys.readouterr().out
    assert "20 in " in report
    assert "server restarted (0 times)" not in report
    assert "PostgreSQL restarted (0 times)" not in report
    assert "told by /metrics" in report
