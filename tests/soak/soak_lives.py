"""`make soak RUNS=2000 STEPS=60`: many random lives of a subscription, on all cores; each failure can be repeated.

`SEED` draws the lives (random and printed by default). `DATABASE_URL` names a migrated database to use instead of one
SQLite file per process. A failure prints its steps and how to repeat it; SHRINK=1 shortens it first (minutes).
"""

import logging
import multiprocessing
import os
import secrets
import sys
import tempfile
import traceback
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from flask_migrate import upgrade
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

BATCH = 20  # runs per seed; RUNS=20 with its SEED repeats a failure
PHASES = [Phase.generate, Phase.shrink] if os.environ.get("SHRINK") == "1" else [Phase.generate]


class Ran(NamedTuple):
    seed: int
    tally: Counter[tuple[str, str]]
    failure: str


def batch(number: int, runs: int, steps: int) -> Ran:
    """Runs the lives of one seed on their own database."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SANDBOX": "1", "INSTANCE_DIR": folder}
        from tests.soak.life import MIXED, Life, machine, still
        from webapp import create_app
        from webapp.db import db

        url = os.environ.get("DATABASE_URL", f"sqlite:///{Path(folder) / 'portal.sqlite3'}")
        app = create_app({"SQLALCHEMY_DATABASE_URI": url, "SANDBOX": True})
        Life.tally.clear()
        logging.disable()  # a gateway that is down is expected
        printed, failure = StringIO(), ""
        with redirect_stdout(printed), app.app_context():
            upgrade()
            try:
                with still():
                    many = settings(MIXED, max_examples=runs, stateful_step_count=steps, phases=PHASES)
                    run_state_machine_as_test(seed(number)(machine(app)), settings=many)
            except BaseException as fault:
                failure = "".join(traceback.format_exception(fault, limit=-6)) + printed.getvalue()
            db.engine.dispose()
        return Ran(number, Counter(Life.tally), failure)


def a_batch(asked: tuple[int, int, int]) -> Ran:
    return batch(*asked)


def main(runs: int, steps: int, first: int) -> int:
    since, ran, failures = perf_counter(), [], 0
    print(f"soak: {runs} runs of up to {steps} steps, SEED={first}", flush=True)
    sizes = [min(BATCH, runs - done) for done in range(0, runs, BATCH)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=5) as pool:
        for finished in pool.imap_unordered(a_batch, ((first + i, size, steps) for i, size in enumerate(sizes))):
            ran.append(finished)
            if ran[-1].failure:
                failures += 1
                print(f"--- seed {ran[-1].seed}: make soak RUNS={BATCH} STEPS={steps} SEED={ran[-1].seed}")
                print(ran[-1].failure, flush=True)
    answers = sum((batch_run.tally for batch_run in ran), Counter[tuple[str, str]]())
    totals = Counter[str]()
    for (command, _), count in answers.items():
        totals[command] += count
    for command, count in totals.most_common():
        by_answer = sorted(((n, answer) for (name, answer), n in answers.items() if name == command), reverse=True)
        print(f"  {command:<18}{count:>8}   ", ", ".join(f"{answer} {n}" for n, answer in by_answer))
    took, steps_run = perf_counter() - since, totals["step"]
    print(
        f"{totals['begin']} runs, {steps_run} steps, {failures} failures, {took:.0f} s, {steps_run / took:.0f} steps/s"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    env = os.environ
    sys.exit(
        main(int(env.get("RUNS") or 400), int(env.get("STEPS") or 50), int(env.get("SEED") or secrets.randbelow(10**6)))
    )
