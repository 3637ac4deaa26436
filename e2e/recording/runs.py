"""The kept runs: a folder each in e2e/recordings, with its metadata in run.json. A run erases no other."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..portal import ROOT

OUT = ROOT / "e2e" / "recordings"
BASELINE = "baseline"
KEPT = 20  # runs without a name; KEEP=5 sets another number
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass
class Run:
    """`changes` is empty, or identifies what is not committed. `portal` is the address of a deployed portal, or empty.
    `seconds` is 0 until the run has ended."""

    id: str
    named: bool
    started: str
    commit: str
    changes: str
    browser: str
    devices: list[str]
    portal: str
    seconds: float = 0

    @property
    def folder(self) -> Path:
        return OUT / self.id

    @property
    def code(self) -> str:
        return f"{self.commit}+{self.changes}" if self.changes else self.commit

    def save(self) -> None:
        write_json(self.folder / "run.json", asdict(self))

    def results(self) -> dict[str, Any]:
        path = self.folder / "results.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {"takes": []}


def write_json(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _git(*arguments: str) -> str:
    """Empty where there is no Git, or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def code_of() -> tuple[str, str]:
    """The commit, and what tells apart the changes that are not committed."""
    difference = _git("diff", "HEAD") + _git("ls-files", "--others", "--exclude-standard")
    changes = hashlib.sha256(difference.encode()).hexdigest()[:8] if difference else ""
    return _git("rev-parse", "--short=10", "HEAD") or "unknown", changes


def start(browser: str, devices: list[str], portal: str) -> Run:
    """A folder for a new run. RUN=name names it."""
    now, name = datetime.now().astimezone(), os.environ.get("RUN", "")
    if name and (not NAME.fullmatch(name) or name == BASELINE):
        raise SystemExit(
            f"RUN={name} is no name for a run: use letters, digits, dots and dashes, and not “{BASELINE}”."
        )
    run_id = name or now.strftime("%Y-%m-%d-%H%M%S")
    if not name:
        while (OUT / run_id).exists():  # two runs began within a second
            run_id += "-2"
    run = Run(run_id, bool(name), now.isoformat(timespec="milliseconds"), *code_of(), browser, devices, portal)
    try:
        run.folder.mkdir(parents=True)
    except FileExistsError:
        raise SystemExit(f"There is a run {name} already: give another name, or remove {run.folder}.") from None
    run.save()
    return run


def kept() -> list[Run]:
    """The newest first."""
    runs = [Run(**json.loads(path.read_text(encoding="utf-8"))) for path in OUT.glob("*/run.json")]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def find(run_id: str | None) -> Run:
    """The run of this id, or the newest that has ended. SystemExit if there is none."""
    ended = [run for run in kept() if run.seconds]
    chosen = next((run for run in ended if run_id in (None, "", run.id)), None)
    if chosen is None:
        ids = ", ".join(run.id for run in ended)
        raise SystemExit(
            f"There is no run {run_id}. There are: {ids}." if ids else "No run is kept: `make record` first."
        )
    return chosen


def prune(protected: set[str]) -> list[str]:
    """Removes the oldest runs beyond KEEP, but none that has a name or that the baseline comes from."""
    text = os.environ.get("KEEP") or str(KEPT)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SystemExit(f"KEEP={text} is no number of runs: give 1 or more.")
    unnamed = [run for run in kept() if not run.named and run.id not in protected]
    for run in unnamed[int(text) :]:
        shutil.rmtree(run.folder)
    return [run.id for run in unnamed[int(text) :]]
