"""Secrets that the portal must read again, encrypted with a key that follows from SECRET_KEY.

A copy of the database alone does not give them away. What was sealed with a key of SECRET_KEY_FALLBACKS can be opened,
too; `renewed` seals it with the present one.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app

from ..config import signing_keys


def seal(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str | None:
    """None if none of the keys opens it."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def renewed(sealed: str) -> str:
    return _fernet().rotate(sealed.encode()).decode()


def _fernet() -> MultiFernet:
    return _with(tuple(reversed(signing_keys(current_app.config))))


@lru_cache
def _with(keys: tuple[str, ...]) -> MultiFernet:
    """The first key seals."""
    derived = (hmac.digest(key.encode(), b"second factor", hashlib.sha256) for key in keys)
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in derived])
