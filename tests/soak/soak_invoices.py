"""`make soak-invoices COUNT=1000`: checks the documents of many random invoices; `SEED=7` repeats a run."""

import os
import random
import secrets
import sys
import tempfile
from time import perf_counter

from tests.support.document_faults import faults
from tests.support.random_invoices import drawn
from webapp.db import db


def main(count: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SANDBOX": "1", "INSTANCE_DIR": folder}
        from flask_migrate import upgrade

        from webapp import create_app
        from webapp.sandbox import scenarios

        since, failed = perf_counter(), 0
        print(f"soak: {count} documents, SEED={seed}", flush=True)
        with create_app({"SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/portal.sqlite3"}).app_context():
            upgrade()
            made = scenarios.make("business")
            for number in range(seed, seed + count):
                invoice, wanted = drawn(made, made.subscriptions["business"] or "", random.Random(number))
                for fault in faults(invoice, wanted):
                    failed += 1
                    print(f"--- make soak-invoices COUNT=1 SEED={number}: {fault}", flush=True)
                db.session.rollback()
            db.session.remove()
            db.engine.dispose()
        took = perf_counter() - since
        print(f"{count} documents, {failed} faults, {took:.0f} s, {count / took:.1f} documents/s")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(os.environ.get("COUNT") or 1000), int(os.environ.get("SEED") or secrets.randbelow(10**6))))
