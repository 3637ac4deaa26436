"""A long sweep in several processes, since a Python process uses one core."""

import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.queues import Queue
from queue import Empty

from flask import Flask

from ..db import locks_rows
from . import sweep
from .rollover import Tally

WORTH_A_PROCESS = 1_000  # subscriptions to check: a process takes a second to start


def run(make_app: Callable[[], Flask], threads: int, processes: int, to_check: int) -> Iterator[Tally]:
    """Sweeps over all accounts, as `sweep.run` does, in up to so many processes. SQLite has one writer, so one process.

    Each begins at another place, and what one has done needs no check by the next. If one dies, the others go on, and
    the next sweep does what it left. `make_app` makes the application of such a process.
    """
    processes = min(processes, to_check // WORTH_A_PROCESS) if locks_rows() else 1
    if processes <= 1:
        yield from sweep.run(threads=threads)
        return
    context = get_context("spawn")
    tallies: Queue[Tally] = context.Queue()
    children = [
        context.Process(target=_sweep_part, args=(make_app, part, threads, tallies), daemon=True)
        for part in sweep.parts(processes)
    ]
    for child in children:
        child.start()
    try:
        while any(child.is_alive() for child in children) or not tallies.empty():
            try:
                yield tallies.get(timeout=1)
            except Empty:
                continue
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.join()
    if any(child.exitcode for child in children):
        yield Tally(failed=1)


def _sweep_part(make_app: Callable[[], Flask], part: sweep.Part, threads: int, tallies: "Queue[Tally]") -> None:
    """The process that began this one tells it when to stop."""
    stopped = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    with make_app().app_context():
        parent = os.getppid()
        for tally in sweep.run(threads=threads, part=part):
            tallies.put(tally)
            if stopped or os.getppid() != parent:
                break
