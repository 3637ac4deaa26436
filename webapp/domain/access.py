"""How long a sign-in, a password link and a draft last."""

from datetime import timedelta

SESSION_LIFETIME = timedelta(hours=12)
RESET_LIFETIME = timedelta(minutes=30)
SESSION_WARNING = timedelta(minutes=5)  # before an idle session ends
DRAFT_LIFETIME = timedelta(hours=1)
