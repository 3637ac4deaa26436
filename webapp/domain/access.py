"""How long a sign-in and a password link last."""

from datetime import timedelta

SESSION_LIFETIME = timedelta(hours=12)
RESET_LIFETIME = timedelta(minutes=30)
