"""Words of the mails about a member's own access and about what it opens: sign-in, password, e-mail, cards, billing."""

from datetime import datetime
from typing import NamedTuple

from flask_babel import gettext

from ...domain import access
from ...formats import card_name, clock_time, last_minute, ngettext
from ...formats import day as on
from ...urls import public_url
from ..layout import Mail


class Told(NamedTuple):
    """What happened: a title and a sentence; and facts, as labels and values."""

    title: str
    sentence: str
    facts: list[tuple[str, str]] = []  # noqa: RUF012  never changed


def to_member(email: str, told: Told) -> Mail:
    """To the member who did it, or whose access it is about."""
    named = any(value == email for _label, value in told.facts)
    facts = told.facts if named else [(gettext("E-mail"), email), *told.facts]
    action = gettext("See sign-in and sessions"), public_url("sessions.page")
    return Mail(told.title, email, [told.sentence], facts, action)


def with_alarm(mail: Mail, token: str) -> Mail:
    """The same mail with « Ce n’était pas moi », and what this does."""
    advice = ngettext(
        "If you do not recognise this, use the link “This wasn’t me” within %(n)s day: all your sessions end, and you "
        "are shown what to do next.",
        "If you do not recognise this, use the link “This wasn’t me” within %(n)s days: all your sessions end, and you "
        "are shown what to do next.",
        access.ALARM_LIFETIME.days,
    )
    address = public_url("not_me.page", token=token)
    return mail._replace(paragraphs=[*mail.paragraphs, advice], alarm=(gettext("This wasn’t me"), address))


def to_owner(account: str, told: Told, by: str) -> Mail:
    """To the account's owner, about what another member, or support, did."""
    advice = gettext(
        "If you did not expect this, ask %(name)s. In the team you can change a member’s role or end their access.",
        name=by,
    )
    facts = [(gettext("Done by"), by), *told.facts]
    return Mail(told.title, account, [told.sentence, advice], facts, (gettext("See the team"), public_url("team.page")))


def new_browser(browser: str, at: datetime) -> Told:
    sentence = gettext("Someone has just signed in to your My Qlik access from a browser that you had not used before.")
    return Told(gettext("Sign-in from a new browser"), sentence, [*_where(browser), _when(at)])


def factor_missing(browser: str, at: datetime) -> Told:
    sentence = gettext(
        "Someone entered your password but not your second factor, so nobody was signed in. If it was not you, your "
        "password is known to somebody else."
    )
    title = gettext("Your password was used without your second factor")
    return Told(title, sentence, [*_where(browser), _when(at)])


def password_changed(browser: str) -> Told:
    sentence = gettext("Your My Qlik password has been changed, and all other sessions have been ended.")
    return Told(gettext("Your password has been changed"), sentence, _where(browser))


def email_changed(before: str, after: str) -> Told:
    """To the old address and to the new one."""
    sentence = gettext("You now sign in to My Qlik with the new address, and receive your e-mails there.")
    facts = [(gettext("Previous address"), before), (gettext("New address"), after)]
    return Told(gettext("Your e-mail address has been changed"), sentence, facts)


def email_put_back(dropped: str, kept: str) -> Told:
    """To the address that no longer signs in."""
    sentence = gettext(
        "The holder of the previous address has cancelled the change of the e-mail address. The new address no "
        "longer gives access to My Qlik. If you made this change, contact your Qlik account manager."
    )
    facts = [(gettext("Cancelled address"), dropped), (gettext("Restored address"), kept)]
    return Told(gettext("The change of your e-mail address has been cancelled"), sentence, facts)


def confirm_email(name: str, account: str, email: str, ends_at: datetime, token: str) -> Mail:
    """To the new address. The link is the first address in the mail."""
    return Mail(
        gettext("Confirm your new e-mail address"),
        email,
        [
            gettext(
                "%(name)s (%(account)s) wants to sign in to My Qlik with this address. To confirm, open the link while "
                "you are signed in, or sign in when asked.",
                name=name,
                account=account,
            ),
            gettext("If you do not know what this is about, ignore this e-mail: nothing will change."),
        ],
        [(gettext("Link valid until"), last_minute(ends_at))],
        (gettext("Confirm the address"), public_url("own_email.open_link", token=token)),
    )


def factor_required(account: str, owner: str) -> Mail:
    """To a member who has no second factor."""
    sentence = gettext(
        "%(owner)s now requires a second factor of every member of the account. At your next sign-in to My Qlik you "
        "will set one up: an authenticator app or a passkey.",
        owner=owner,
    )
    action = gettext("Set up a second factor"), public_url("second_factor.page")
    return Mail(gettext("Set up your second factor"), account, [sentence], [], action)


def role_given(name: str, before: str, after: str) -> Told:
    """To the owner, who gave it."""
    sentence = gettext("The role of %(name)s has been changed with your access.", name=name)
    facts = [(gettext("Before"), before), (gettext("From now on"), after)]
    return Told(gettext("You have changed a role"), sentence, facts)


def card_changed(what: str, brand: str, last4: str) -> Told:
    """`what`: a kind of the activity about cards."""
    title, sentence = {
        "card_added": (
            gettext("A card has been added"),
            gettext("A card has been added to the payment methods of the account."),
        ),
        "card_deleted": (
            gettext("A card has been deleted"),
            gettext("A card has been deleted from the payment methods of the account."),
        ),
        "card_made_default": (
            gettext("The default card has changed"),
            gettext("Renewals are charged to this card from now on."),
        ),
        "card_made_backup": (
            gettext("A backup card has been chosen"),
            gettext("This card is charged if the default card is declined."),
        ),
        "card_no_backup": (
            gettext("The backup card has been removed"),
            gettext("This card is no longer charged if the default card is declined."),
        ),
    }[what]
    return Told(title, sentence, [(gettext("Card"), card_name(brand, last4))])


def billing_emails_changed(before: list[str], after: list[str]) -> Told:
    sentence = gettext("Invoices and credit notes are now sent to other addresses.")
    facts = [(gettext("Previous addresses"), ", ".join(before)), (gettext("New addresses"), ", ".join(after))]
    return Told(gettext("The billing e-mails have changed"), sentence, facts)


def to_billing_email(account: str, told: Told, owner: str, owner_email: str) -> Mail:
    """To an address that received invoices until now."""
    advice = gettext(
        "If you did not expect this, write to the owner of the account, %(name)s (%(email)s).",
        name=owner,
        email=owner_email,
    )
    action = gettext("Write to %(name)s", name=owner), f"mailto:{owner_email}"
    return Mail(told.title, account, [told.sentence, advice], told.facts, action)


def _where(browser: str) -> list[tuple[str, str]]:
    return [(gettext("Browser"), browser)] if browser else []


def _when(at: datetime) -> tuple[str, str]:
    moment = gettext("%(day)s at %(time)s", day=on(at.date()), time=clock_time(at))
    return gettext("When"), moment
