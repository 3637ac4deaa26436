"""The command `serve`: web processes, and the sweep and the sender of mails beside them, all kept alive."""

import os
import socket
import sys
from collections.abc import Mapping

import click
from flask import current_app
from flask.cli import with_appcontext

from ..config import DEMO_EMAIL, DEMO_PASSWORD
from ..db import db
from . import health, jobs, logs, metrics
from .supervision import Child, supervise


@click.command("serve")
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="PORT", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", envvar="WORKERS", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--threads", envvar="THREADS", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--sweep-every", envvar="SWEEP_EVERY", default=30, show_default=True, type=click.IntRange(0))
@with_appcontext
def serve(host: str, port: int, workers: int, threads: int, sweep_every: int) -> None:
    """Serve the portal, and keep it running."""
    health.check_database()
    _check_port(host, port)
    metrics.prepare_files(port)
    os.environ.update(HOST=host, PORT=str(port))  # for the children, where options named them
    os.environ.update(whole_paths({**os.environ, "INSTANCE_DIR": current_app.config["INSTANCE_DIR"]}))
    web = [_web(number, host, port, threads) for number in range(1, workers + 1)]
    address = f"http://{_shown(host)}:{port}"
    greeting = f"\nMy Qlik is at {address}\n"
    if current_app.config["SANDBOX"]:
        greeting += (
            f"Sign in with {DEMO_EMAIL} and the password {DEMO_PASSWORD}\nThe sandbox panel is at {address}/sandbox"
        )
    db.session.remove()
    db.engine.dispose()
    supervise([*web, *_beside(sweep_every)], web, lambda: logs.say(greeting))


def _shown(host: str) -> str:
    """Browsers accept passkeys at a name, not at 127.0.0.1."""
    return "localhost" if host == "127.0.0.1" else f"[{host}]" if ":" in host else host


def whole_paths(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that name a file or a folder, absolute: the children do not run where this process was started."""
    named = {name: path for name, path in settings.items() if name.endswith(("_FILE", "_DIR")) and path}
    return {name: os.path.abspath(path) for name, path in named.items()}


def _web(number: int, host: str, port: int, threads: int) -> Child:
    command = [sys.executable, "-m", f"{__package__}.web", host, str(port), str(threads)]
    return Child(f"web process {number}", command, ready=True)


def _beside(every: int) -> list[Child]:
    """The sweep and the sender of mails, each in a process of its own: they delay no page."""
    names = [jobs.SWEEP, *([jobs.SENDER] if current_app.config["SMTP_URL"] else [])] if every else []
    command = [sys.executable, "-m", "flask", "--app", "webapp"]
    return [Child(name, [*command, name, "--every", str(every)]) for name in names]


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise click.ClickException(
                f"{host}:{port} cannot be used ({fault.strerror}). Choose another PORT or HOST."
            ) from None
