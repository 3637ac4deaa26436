"""`verify-trail`: what was changed, removed or inserted afterwards is found, and nothing else."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from tests.support import team
from tests.support.world import signed_in
from webapp.accounts import activity
from webapp.db import db, transaction
from webapp.models.activity import Activity
from webapp.models.trail import Person, SecurityEvent, TrailSeal
from webapp.operation import prune, trail
from webapp.ports import ports
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
SEALED = "activity"


@pytest.fixture
def sealed(app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch) -> Made:
    """An account with two seals of each trail, of three rows each or more."""
    monkeypatch.setattr(trail, "SETTLED", timedelta(0))
    for _ in range(2):
        for number in range(3):
            with transaction():
                now = ports().clock.system_now()
                activity.record(business.account, "exported", now, {}, {"number": f"{number}"}, by="Dominique Petit")
            signed_in(app, business)
        assert trail.seal().total() >= 6
    return business


def verify(app: Flask, *options: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["verify-trail", *options])
    return done.exit_code, done.output


def ids(table: type[Activity] | type[SecurityEvent], made: Made) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(table.id).where(table.account_id == made.account).order_by(table.id)))


def change(made: Made) -> None:
    with transaction() as session:
        session.execute(update(Activity).where(Activity.id == ids(Activity, made)[1]).values(after={"number": "9"}))


def change_who(made: Made) -> None:
    this = ids(SecurityEvent, made)[0]
    with transaction() as session:
        session.execute(update(SecurityEvent).where(SecurityEvent.id == this).values(person_id="somebody"))


def remove(made: Made) -> None:
    this = ids(Activity, made)[-1]
    with transaction() as session:
        session.execute(delete(Activity).where(Activity.id == this))


def insert(made: Made) -> None:
    first = ids(Activity, made)[0]
    with transaction() as session:
        row = session.get_one(Activity, (made.account, first))
        copy = {column.name: getattr(row, column.name) for column in Activity.__table__.columns}
        session.add(Activity(**{**copy, "id": f"{first}a"}))


def remove_a_seal(made: Made) -> None:
    with transaction() as session:
        session.execute(delete(TrailSeal).where(TrailSeal.trail == SEALED, TrailSeal.number == 1))


def forge_a_seal(made: Made) -> None:
    """Whoever writes the database, but has no key, changes a row and its seal."""
    change(made)
    digest = trail.Digest()
    seals = select(TrailSeal).where(TrailSeal.trail == SEALED, TrailSeal.number == 1)
    for row in trail._rows(made.account, Activity, "", db.session.scalars(seals).one().last_id, last=True):
        digest.add(row)
    with transaction() as session:
        session.scalars(seals).one().digest = digest.hexdigest()


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (change, "(seal 1) were changed"),
        (change_who, "security_event of account"),
        (remove, "1 were removed"),
        (insert, "1 rows"),
        (remove_a_seal, "the seals 1 to 1 were removed"),
        (forge_a_seal, "the seal 1 was changed, or made with another SECRET_KEY"),
    ],
)
def test_what_was_done_to_it_is_told(app: Flask, sealed: Made, harm: Callable[[Made], None], sentence: str) -> None:
    code, output = verify(app)
    assert (code, "as they were written" in output) == (0, True), output
    harm(sealed)
    code, output = verify(app)
    assert (code, sentence in output, sealed.account in output) == (1, True, True), output


def test_an_account_that_is_sealed_again_and_again_is_as_it_was(app: Flask, sealed: Made) -> None:
    assert trail.seal().total() == 0
    signed_in(app, sealed)
    assert trail.seal().total() == 1
    assert verify(app)[0] == 0


def test_erasing_somebody_breaks_no_seal(app: Flask, sealed: Made) -> None:
    member = team.add(sealed, "manager", email="gone@example.test")
    browser = team.browser(app, member)
    browser.post(f"/sessions/{'x' * 32}/end")
    trail.seal()
    done = app.test_cli_runner().invoke(args=["support", "erase", "gone@example.test", "--as", "Dominique"])
    assert done.exit_code == 0, done.output
    assert verify(app)[0] == 0


def test_a_new_key_verifies_as_long_as_the_old_one_is_a_fallback_and_seals_are_renewed(
    app: Flask, sealed: Made
) -> None:
    old = app.config["SECRET_KEY"]
    app.config.update(SECRET_KEY="another key, long enough", SECRET_KEY_FALLBACKS=[old])
    assert verify(app)[0] == 0
    assert verify(app, "--renew")[0] == 0
    app.config["SECRET_KEY_FALLBACKS"] = []
    assert verify(app)[0] == 0
    app.config["SECRET_KEY"] = old
    assert "another SECRET_KEY" in verify(app)[1]


def test_renewing_seals_nothing_that_was_changed(app: Flask, sealed: Made) -> None:
    change(sealed)
    assert verify(app, "--renew")[0] == 1
    assert verify(app)[0] == 1


def test_pruning_breaks_no_seal_and_what_went_too_early_is_told(app: Flask, sealed: Made) -> None:
    with transaction() as session:  # as if the first seal had been made two years ago, with its key
        years = timedelta(days=2 * 366)
        first = session.get_one(TrailSeal, (sealed.account, "security_event", 1))
        second = session.get_one(TrailSeal, (sealed.account, "security_event", 2))
        first.last_at -= years
        first.mac = trail._macs(first, "")[-1]
        second.mac = trail._macs(second, first.mac)[-1]
    before = len(ids(SecurityEvent, sealed))
    assert prune.prune()["security events"] == first.rows
    assert len(ids(SecurityEvent, sealed)) == before - first.rows
    assert verify(app)[0] == 0
    with transaction() as session:
        session.execute(delete(SecurityEvent).where(SecurityEvent.account_id == sealed.account))
    assert "were removed" in verify(app)[1]


def test_rows_that_nobody_seals_are_told(app: Flask, sealed: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(app, sealed)
    assert verify(app)[0] == 0
    monkeypatch.setattr(trail, "LATE", timedelta(0))
    code, output = verify(app)
    assert (code, "are not sealed. Does the sweep run?" in output) == (1, True)


def test_names_are_in_no_sealed_row(app: Flask, sealed: Made) -> None:
    rows = [*trail._rows(sealed.account, Activity, "", "~"), *trail._rows(sealed.account, SecurityEvent, "", "~")]
    assert rows
    assert not [row for row in rows if "Dominique" in str(row) or "Camille" in str(row) or "@" in str(row)]
    assert db.session.scalars(select(Person.name).where(Person.account_id == sealed.account)).all() == [
        "Dominique Petit"
    ]
