"""Keeps child processes alive: one that dies is started again.

At once, or after a pause that grows where it dies again and again soon after its start.
"""

import logging
import os
import select
import signal
import subprocess
from collections.abc import Callable, Sequence
from time import monotonic

from ..config import PACKAGE

log = logging.getLogger(__name__)
HOME = PACKAGE.parent  # from where a child finds the package
STOPPING = 30  # seconds that a child has to finish what it has in hand
STARTING = 30  # seconds that a child has to say that it is ready
SETTLED = 10.0  # seconds after which a child that dies has not died young
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
PARENT = "SUPERVISOR_PID"  # the variable in which a child finds whose child it is


def orphaned() -> Callable[[], bool]:
    """What tells whether the process that began this one has died, even if that was before this was called."""
    parent = int(os.environ.get(PARENT) or os.getppid())
    return lambda: os.getppid() != parent


class Child:
    """A process that is to run for ever. `ready`: its last argument is a descriptor that it closes once it is ready."""

    def __init__(self, name: str, command: Sequence[str], ready: bool = False) -> None:
        self.name, self.command, self.ready = name, [*command], ready
        self.process: subprocess.Popen[bytes] | None = None
        self.waits: int | None = None
        self.began = self.due = 0.0
        self.died_young = 0

    def start(self) -> None:
        self.began = monotonic()
        env = {**os.environ, PARENT: str(os.getpid())}
        if not self.ready:
            self.process = subprocess.Popen(self.command, cwd=HOME, env=env)  # noqa: S603  our own commands
            return
        if self.waits is not None:
            os.close(self.waits)
        self.waits, says = os.pipe()
        command = [*self.command, str(says)]
        self.process = subprocess.Popen(command, cwd=HOME, env=env, pass_fds=(says,))  # noqa: S603  our own commands
        os.close(says)

    def wait_until_ready(self) -> None:
        """Or until it died, or took too long."""
        if self.waits is not None:
            select.select([self.waits], [], [], STARTING)  # it closes the other end, as its death does

    def look(self) -> None:
        """Starts it again where it died and its pause is over."""
        if self.process is not None and self.process.poll() is not None:
            lived = monotonic() - self.began
            self.died_young = 0 if lived >= SETTLED else self.died_young + 1
            pause = pause_after(self.died_young)
            self.due = monotonic() + pause
            log.error(
                "%s (process %s) ended with status %s and is started again in %s s",
                *(self.name, self.process.pid, self.process.returncode, round(pause)),
            )
            self.process = None
        if self.process is None and monotonic() >= self.due:
            self.start()

    def replace(self) -> None:
        """Starts the new process before it ends the old one."""
        old = self.process
        self.start()
        self.wait_until_ready()
        if old is not None:
            end([old])


def pause_after(died_young: int) -> float:
    """Seconds before a child is started again that died young so many times in a row."""
    return min(FIRST_PAUSE * 2 ** (died_young - 1), LONGEST_PAUSE) if died_young else 0.0


def end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Asks the processes to stop, and kills those that still run after STOPPING seconds."""
    for process in processes:
        process.terminate()
    latest = monotonic() + STOPPING
    for process in processes:
        try:
            process.wait(max(0.0, latest - monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _Told:
    """What signals told this process to do. Handlers set plain flags: a lock in them could wait for itself."""

    def __init__(self) -> None:
        self.stop = self.replace = False
        self.woken, wakes = os.pipe()
        for descriptor in (self.woken, wakes):
            os.set_blocking(descriptor, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._heard)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)

    def _heard(self, number: int, _frame: object) -> None:
        self.stop = self.stop or number in (signal.SIGTERM, signal.SIGINT)
        self.replace = self.replace or number == signal.SIGHUP

    def wait(self, seconds: float) -> None:
        """Until the next signal, or for so long."""
        if select.select([self.woken], [], [], seconds)[0]:
            os.read(self.woken, 4096)


def supervise(children: Sequence[Child], replaced: Sequence[Child], started: Callable[[], None]) -> None:
    """Runs the children until this process is told to end. SIGHUP replaces `replaced`, one after the other."""
    told = _Told()
    try:
        for child in children:
            child.start()
        for child in children:
            child.wait_until_ready()
        started()
        while not told.stop:
            for child in children:
                child.look()
            if told.replace:
                told.replace = False
                _replace(replaced, told)
            told.wait(1.0)
    finally:
        end([child.process for child in children if child.process is not None])


def _replace(children: Sequence[Child], told: _Told) -> None:
    for child in children:
        if not told.stop:
            child.replace()
