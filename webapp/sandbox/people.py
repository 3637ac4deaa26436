"""The members of the scenario `team`: one of each role, beside the owner."""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from argon2.exceptions import InvalidHashError, VerificationError

from ..access import members, sign_in
from ..domain.permissions import INVITABLE
from ..models.accounts import Member

NAMES = {"manager": "Nadia Benali", "accountant": "Paul Girard", "viewer": "Inès Moreau"}


def add_members(account_id: str, name: str, owner_password: str) -> list[dict[str, str]]:
    """Adds them in the open transaction. They want every mail, so that each can be tested."""
    made = []
    for role in INVITABLE:
        email = f"{role}-{name}@example.test"
        password = password_of(email, owner_password)
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


def password_of(email: str, owner_password: str) -> str:
    """The password that a member of the scenario began with. It follows from the owner's, which alone is stored."""
    return urlsafe_b64encode(blake2b(email.encode(), key=owner_password.encode(), digest_size=9).digest()).decode()


def known_password(member: Member, owner_password: str) -> str:
    """The password that the scenario gave this member; "" if it has another: whoever was invited chose it."""
    began_as = member.email.split("-")[0]
    password = password_of(member.email, owner_password) if began_as in NAMES else owner_password
    try:
        sign_in.hasher.verify(member.password_hash, password)
    except (VerificationError, InvalidHashError):
        return ""
    return password
