"""How long a sign-in, a proof, a mailed link and a draft last, and how many codes there are."""

from datetime import timedelta

SESSION_LIFETIME = timedelta(hours=12)
RESET_LIFETIME = timedelta(minutes=30)
ALARM_LIFETIME = timedelta(days=7)  # of « Ce n’était pas moi » in a mail
EMAIL_CHANGE_LIFETIME = timedelta(hours=24)  # of the link that confirms a new e-mail
UNFINISHED_TOLD_EVERY = timedelta(hours=1)  # a right password without its factor is told once in this time
SESSION_WARNING = timedelta(minutes=5)  # before an idle session ends
DRAFT_LIFETIME = timedelta(hours=1)
HALFWAY_LIFETIME = timedelta(minutes=10)  # between the password and the second factor
PROOF_LIFETIME = timedelta(minutes=15)  # after which some forms ask for the password or a factor again
HELD_LIFETIME = timedelta(minutes=15)  # of a form that waits for this
CHALLENGE_LIFETIME = timedelta(minutes=5)  # of a passkey
TOTP_STEP = timedelta(seconds=30)
TOTP_LEEWAY = 1  # steps that the clock of a telephone may be off
RECOVERY_CODES = 10
