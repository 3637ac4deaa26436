"""Faults of the database that may pass: a full disk, a lock that is held, a server that is away."""

import errno
import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

FULL, LOCKED, UNREACHABLE = "disk full", "database locked", "database unreachable"
SQLITE_ERRORS = {
    "SQLITE_FULL": FULL,
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_CANTOPEN": UNREACHABLE,
    "SQLITE_IOERR": UNREACHABLE,
    "SQLITE_READONLY": UNREACHABLE,
}
# disk_full; lock_not_available, query_canceled; connections that fail, are too many, or are ended by an administrator
SQLSTATES = {
    "53100": FULL,
    "55P03": LOCKED,
    "57014": LOCKED,
    "08": UNREACHABLE,
    "53300": UNREACHABLE,
    "57P": UNREACHABLE,
}


FAULTS = (DBAPIError, PoolTimeout, OSError)  # that may be temporary


def temporary_fault(fault: BaseException) -> str | None:
    """What keeps the database from working, in two words; None for a fault that will not pass by itself."""
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL
    if isinstance(fault, PoolTimeout):
        return LOCKED
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "")
        return next((word for begin, word in SQLITE_ERRORS.items() if name.startswith(begin)), None)
    if isinstance(cause, psycopg.Error):
        if cause.sqlstate is None:  # the server did not say so
            return UNREACHABLE if isinstance(cause, psycopg.OperationalError) else None
        return next((word for begin, word in SQLSTATES.items() if cause.sqlstate.startswith(begin)), None)
    return None
