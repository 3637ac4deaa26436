"""Random tokens for cookies and links. Only their hashes are stored."""

import hashlib
import secrets


def new_token(account_id: str) -> str:
    """For a cookie or a link. It names its account, so that only this account is searched for it."""
    return f"{account_id}.{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def account_named(token: str) -> str:
    """The account that a token names; "" if it names none."""
    account_id, dot, _ = token.partition(".")
    return account_id if dot else ""
