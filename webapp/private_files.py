"""The portal's own files can be read by the account that runs it, and by nobody else."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError


def begin() -> None:
    """For every file that this process writes from now on."""
    os.umask(0o077)


def list_loose(config: dict[str, Any]) -> list[Path]:
    """Those of the portal's files that others can read or write."""
    return [path for path in _files(config) if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]


def tighten(config: dict[str, Any]) -> None:
    """Mends what an older version left; `doctor` tells of a file that belongs to somebody else."""
    for path in list_loose(config):
        with suppress(OSError):
            path.chmod(0o600)


def _files(config: dict[str, Any]) -> list[Path]:
    files = [Path(config["INSTANCE_DIR"]) / "secret_key"]
    with suppress(ValueError, ArgumentError):  # a wrong address is told of when the database is opened
        url = make_url(config["SQLALCHEMY_DATABASE_URI"])
        if url.get_backend_name() == "sqlite" and url.database:
            files += [Path(f"{url.database}{ending}") for ending in ("", "-wal", "-shm")]
    return files
