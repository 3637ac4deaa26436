"""Security events: sign-ins, sessions that ended, changed passwords and factors, and attempts that were refused.

What succeeds is written each time, in the transaction of the change. What is refused is written at its 1st, 10th and
100th time within an hour, and so on, by kind and person: nobody can flood the table.
"""

from sqlalchemy.orm import Session

from ..accounts import activity
from ..db import insert_rows, new_id, transaction
from ..models.trail import SecurityEvent
from ..ports import ports
from . import limits

WINDOW = 3600  # seconds
WRITTEN = frozenset(10**power for power in range(10))


def happened(account_id: str, person_id: str, kind: str, detail: str = "", times: int = 1) -> None:
    """Writes an event, in the open transaction. `kind` and `detail` are keys of SECURITY_EVENTS and SECURITY_DETAILS in
    `sentences/labels.py`."""
    browser, system = activity.browser_here()
    insert_rows(
        SecurityEvent(
            account_id=account_id,
            id=activity.ordered_id(),
            person_id=person_id,
            at=ports().clock.system_now(),
            kind=kind,
            detail=detail,
            times=times,
            browser=browser,
            system=system,
        )
    )


def refused(account_id: str, person_id: str, kind: str, detail: str = "") -> None:
    """Counts an attempt, and writes it if its turn has come."""
    with transaction():
        times = limits.tally(WINDOW, kind, account_id, person_id)
        if times in WRITTEN:
            happened(account_id, person_id, kind, detail, times)


def sign_in_refused(email: str, member: tuple[str, str] | None, detail: str) -> None:
    """The same, for whoever has this e-mail: the ids of account and member, if there is one.

    For an unknown e-mail the same work is done, and the row is taken back, so the time does not tell.
    """
    account_id, person_id = member or (new_id(), new_id())
    with transaction() as session:
        times = limits.tally(WINDOW, "sign_in_refused", email)
        if times in WRITTEN:
            _written_if(member is not None, session, account_id, person_id, detail, times)


def _written_if(known: bool, session: Session, account_id: str, person_id: str, detail: str, times: int) -> None:
    point = session.begin_nested()
    happened(account_id, person_id, "sign_in_refused", detail, times)
    if known:
        point.commit()
    else:
        point.rollback()
