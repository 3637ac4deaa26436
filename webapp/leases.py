"""What only one process may do at a time, on any machine. A lease of a process that died ends by itself."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite

from .db import db, new_id, transaction
from .models.operation import Lease
from .ports import ports

LASTS = timedelta(seconds=60)  # unless it is renewed


class Taken(Exception):
    """Somebody else holds it. `seconds` is when it ends at the latest, if it is not renewed."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@contextmanager
def held(name: str) -> Iterator[Callable[[], None]]:
    """Holds the lease until the block ends; what is yielded renews it where that is needed. Raises Taken."""
    holder, clock = new_id(), ports().clock
    renewed_at = clock.system_now()
    _take(name, holder, renewed_at)
    mine = (Lease.name == name, Lease.holder == holder)

    def renew() -> None:
        nonlocal renewed_at
        now = clock.system_now()
        if now - renewed_at >= LASTS / 4:
            with transaction() as session:
                session.execute(update(Lease).where(*mine).values(ends_at=now + LASTS))
            renewed_at = now

    try:
        yield renew
    finally:
        with transaction() as session:
            session.execute(delete(Lease).where(*mine))


def _take(name: str, holder: str, now: datetime) -> None:
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    row = dialect.insert(Lease).values(name=name, holder=holder, ends_at=now + LASTS)
    taken = row.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": row.excluded.holder, "ends_at": row.excluded.ends_at},
        where=Lease.ends_at <= now,
    )
    with transaction() as session:
        if session.execute(taken.returning(Lease.name)).first() is None:
            left = session.get_one(Lease, name).ends_at - now
            raise Taken(max(1, math.ceil(left.total_seconds())))
