"""When jobs last ran, and who holds a lease."""

from datetime import datetime

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model


class JobRun(Model):
    """The last run of a job. `every` is its interval in seconds, where it repeats. `totals`: of all runs."""

    __tablename__ = "job_run"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    every: Mapped[int | None]
    started_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime] = mapped_column(Instant)
    outcome: Mapped[dict[str, int]] = mapped_column(JSON)
    totals: Mapped[dict[str, int]] = mapped_column(JSON, default=dict, server_default="{}")


class Lease(Model):
    """`holder` tells a lease from a later one of the same name."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40))
    ends_at: Mapped[datetime] = mapped_column(Instant)
