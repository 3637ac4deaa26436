"""Commands over kept runs: `accept`, `baseline` and `show-trace`, which the Makefile calls."""

import os
import subprocess
import sys

from ..portal import ROOT
from . import compare, pages, runs


def accept() -> int:
    """Accepts the STEPS (steps, recordings, stories, or all) of a RUN, by default the newest."""
    run, wanted = runs.find(os.environ.get("RUN")), os.environ.get("STEPS", "").split()
    if not wanted:
        raise SystemExit('Say which: make accept STEPS=all, or STEPS="RECORDING RECORDING/STEP".')
    print(f"Steps accepted from run {run.id}: {compare.accept(run, wanted)}")
    left = pages.write_reports(run)
    print(*(f"  {change.kind}: {change.id}" for change in left), f"Steps that still differ: {len(left)}", sep="\n")
    return 0


def baseline() -> int:
    """Makes a kept RUN the baseline, in place of what was accepted before."""
    run = runs.find(os.environ.get("RUN"))
    compare.forget()
    print(f"Steps of run {run.id} that are now the baseline: {compare.accept(run, ['all'])}")
    pages.write_reports(run)
    return 0


def show_trace() -> int:
    """Serves the trace of a TAKE at an address of this machine, to be opened in any browser."""
    run, wanted = runs.find(os.environ.get("RUN")), os.environ.get("TAKE", "")
    takes = {take["id"]: take for take in run.results()["takes"]}
    if wanted not in takes:
        raise SystemExit(f"Run {run.id} has no recording {wanted}. TAKE is one of: {', '.join(takes)}.")
    trace = run.folder / takes[wanted]["story"] / wanted.removeprefix(f"{takes[wanted]['story']}-") / "trace.zip"
    command = [sys.executable, "-m", "playwright", "show-trace", "--host", "127.0.0.1", "--port", "0", str(trace)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


COMMANDS = {"accept": accept, "baseline": baseline, "show-trace": show_trace}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]]())
