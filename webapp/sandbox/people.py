"""The members of the scenario `team`: one of each role, beside the owner."""

import secrets

from ..access import members, sign_in
from ..domain.permissions import INVITABLE
from ..models.accounts import Member

NAMES = {"manager": "Nadia Benali", "accountant": "Paul Girard", "viewer": "Inès Moreau"}


def add_members(account_id: str, name: str) -> list[dict[str, str]]:
    """Adds them in the open transaction. They want every mail, so that each can be tested."""
    made = []
    for role in INVITABLE:
        email, password = f"{role}-{name}@example.test", secrets.token_urlsafe(9)
        members.add_member(
            Member(
                account_id=account_id,
                role=role,
                name=NAMES[role],
                email=email,
                password_hash=sign_in.hasher.hash(password),
                locale=None,
            )
        )
        made.append({"email": email, "password": password, "role": str(role)})
    return made
