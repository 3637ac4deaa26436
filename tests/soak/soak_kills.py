"""`make soak-kills KILLS=1000`: kills processes at random moments and reports the outcomes; status 1 after a fault.

A run uses one database: PostgreSQL with DATABASE=postgresql, a cluster with DATABASE=citus (tests/support/citus.py),
otherwise SQLite. SEED repeats a run.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from flask_migrate import upgrade

from tests.soak.killed import Killing
from tests.support import databases
from webapp import create_app
from webapp.db import db
from webapp.operation.distribution import distribute

LOT = 100  # kills on a database before a fresh one


def main(kills: int, seed: int) -> int:
    since, met, moments, outcomes = time.monotonic(), Counter[str](), 0, Counter[str]()
    databases.hurry()
    for lot in range(0, kills, LOT):
        with tempfile.TemporaryDirectory() as folder, databases.fresh_database(Path(folder)) as url:
            app = create_app({"SQLALCHEMY_DATABASE_URI": url, "SANDBOX": True, "WTF_CSRF_ENABLED": False})
            with app.app_context():
                upgrade()
                if databases.CITUS:
                    with db.engine.begin() as connection:
                        distribute(connection)
                killing = Killing(app, seed + lot)
                moments = sum(map(len, killing.moments.values()))
                for name, at in islice(killing.draws(), min(LOT, kills - lot)):
                    try:
                        death = killing.kill(name, at)
                    except AssertionError as fault:
                        outcomes["FAULT"] += 1
                        print(f"seed {seed + lot}: {name}, moment {at}: {fault}", flush=True)
                    else:
                        met[death.moments[-1]] += 1
                        outcomes[f"killed after {death.steps} steps" if death.killed else "survived"] += 1
                db.session.remove()
                db.engine.dispose()
    on = "Citus" if databases.CITUS else "PostgreSQL" if databases.POSTGRESQL else "SQLite"
    print(
        f"{on}: {kills} kills at {moments} moments of {len(killing.moments)} stories, {time.monotonic() - since:.0f} s"
    )
    print(", ".join(f"{count} {kind}" for kind, count in sorted(met.items())))
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())), flush=True)
    return 1 if outcomes["FAULT"] else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as instance:
        os.environ.update(SANDBOX="1", INSTANCE_DIR=instance)
        sys.exit(main(int(os.environ.get("KILLS", "1000")), int(os.environ.get("SEED", "1"))))
