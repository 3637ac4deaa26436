"""Each bench runs to its end at a tiny size, so that `make bench` works on the day that its numbers are wanted."""

import os
import subprocess
import sys

import pytest

from e2e.portal import ROOT
from tests.support.databases import POSTGRESQL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(POSTGRESQL, reason="the benches choose their own databases: one run is enough"),
]
BENCHES: dict[str, tuple[dict[str, str], str]] = {  # the sizes of each, and what its last line reports
    "pages": ({"PAGES_ROUNDS": "1", "PAGES_REQUESTS": "2"}, "Pay, sandbox gateway"),
    "cost_fragment": (
        {
            "FRAGMENT_WARM_UP": "2",
            "FRAGMENT_CALLS": "5",
            "FRAGMENT_SLICES": "1",
            "FRAGMENT_SLICE_MS": "100",
        },
        "threads",
    ),
    "roll_over": ({"ROLL_OVER_SIZES": "2 4"}, "memory of the larger to the smaller"),
    "invoices": (
        {"INVOICES_SIZES": "10 20", "INVOICES_YEARS": "2 4", "INVOICES_TIMES": "2"},
        "memory of the larger to the smaller",
    ),
    "load": (
        {
            "LOAD_SUBSCRIPTIONS": "6",
            "LOAD_INVOICES": "60",
            "LOAD_DUE": "4",
            "LOAD_OWNERS": "3",
            "LOAD_SECONDS": "2",
            "LOAD_PROCESSES": "1",
            "LOAD_CLIENTS": "1",
        },
        "half, PostgreSQL restarted",
    ),
    "browser": ({"BROWSER_CLICKS": "2"}, "layout shift"),
}


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_runs_to_its_end(name: str) -> None:
    sizes, last = BENCHES[name]
    command = [sys.executable, "-m", f"tests.bench.{name}"]
    bench = subprocess.run(command, cwd=ROOT, env=os.environ | sizes, capture_output=True, text=True, check=False)
    assert bench.returncode == 0, bench.stderr
    assert last in bench.stdout.splitlines()[-1]
    assert "WRONG" not in bench.stdout
