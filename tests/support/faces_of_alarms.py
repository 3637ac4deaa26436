"""The pages of a member's own e-mail and of « Ce n’était pas moi », for the walk over all pages."""

from tests.support.alarms import LINK
from tests.support.invitations import last_mail, link_in
from tests.support.visitors import Owner, Visitor

NEW = "quatre mots bien longs"


def disown(owner: Owner) -> None:
    """A new address is refused, asked for, withdrawn, confirmed; then all of it is disowned by the old one."""
    app, made = owner.app, owner.made
    new = f"new-{made.account[:8]}@example.test"
    owner.show("/sessions")
    owner.show("/account/email")
    for email in ("", "x", made.email, new):
        owner.show("/account/email", {"email": email})
    owner.show("/account/email/withdraw", {})
    owner.show("/account/email", {"email": new})
    link = link_in(last_mail(app, made, new))
    owner.show(link)
    owner.show(link, {})
    owner.show(link)
    alarm = owner.matched(LINK.pattern, last_mail(app, made, made.email))
    visitor = Visitor(app, made, owner.locale)
    visitor.show(alarm)
    visitor.show(alarm, {})
    visitor.show("/password/reset", {"new": NEW, "again": NEW})
    visitor.show(alarm)
    visitor.show("/sign-in", {"email": made.email, "password": NEW})
    visitor.show("/activity?about=security")
    owner.faces += visitor.faces
    owner.seen |= visitor.seen
