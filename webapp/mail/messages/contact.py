"""Words of the mail to the account manager."""

from urllib.parse import quote

from flask_babel import gettext

from ...access.identity import SignedIn
from ...models.accounts import Account
from ...models.activity import Case
from ...models.subscriptions import Subscription
from ..layout import Mail


def case(opened: Case, account: Account, subscription: Subscription | None, owner: SignedIn, subject: str) -> Mail:
    """From the contact page to the account manager; `subject` is the subject of the case in words."""
    facts = [
        (gettext("Case"), opened.number),
        (gettext("Organisation"), account.legal_name),
        (gettext("Subject"), subject),
    ]
    if subscription:
        facts.append((gettext("Subscription"), f"{subscription.product} ({subscription.tenant})"))
        if subscription.reseller:
            facts.append((gettext("Reseller"), subscription.reseller))
    title = gettext("Case %(number)s", number=opened.number)
    return Mail(
        title,
        f"{subject} – {account.legal_name}",
        [gettext("%(name)s (%(email)s) wrote from My Qlik.", name=owner.name, email=owner.email)],
        facts,
        (gettext("Reply to %(name)s", name=owner.name), f"mailto:{quote(owner.email, safe='@+')}"),
        opened.message,
    )
