"""Lays a mail out as text and as HTML, from the same words (templates/mail)."""

from typing import NamedTuple

from flask import render_template
from flask_babel import gettext

from ..domain.permissions import Role
from ..models.accounts import Account
from ..models.subscriptions import Subscription
from ..urls import public_url

SUBJECT_LENGTH = 200


class Mail(NamedTuple):
    """The words of a mail.

    `of` is what the title is about, such as the name of a subscription. `facts` are labels and values. `action` is a
    label and an absolute address; `alarm` is another one, for whoever did not do this. `quoted` is a text that somebody
    wrote, with its line breaks.
    """

    title: str
    of: str
    paragraphs: list[str]
    facts: list[tuple[str, str]]
    action: tuple[str, str]
    quoted: str = ""
    alarm: tuple[str, str] | None = None


class Written(NamedTuple):
    subject: str
    body: str
    html: str


def write(mail: Mail, name: str, footer: str) -> Written:
    """Renders a mail to `name`, in the current language.

    Each text is put on one line, so that a name with a line break cannot add a line to the subject or the body.
    """
    mail = mail._replace(
        title=_on_one_line(mail.title),
        of=_on_one_line(mail.of),
        paragraphs=[_on_one_line(paragraph) for paragraph in mail.paragraphs],
        facts=[(label, _on_one_line(value)) for label, value in mail.facts],
    )
    subject = gettext("%(label)s: %(value)s", label=mail.title, value=mail.of)[:SUBJECT_LENGTH]
    context = {"mail": mail, "subject": subject, "name": _on_one_line(name), "footer": _on_one_line(footer)}
    body, html = render_template("mail/layout.txt", **context), render_template("mail/layout.html", **context)
    return Written(subject, body, html)


def footer(account: Account, role: str) -> str:
    """Why a member of this role receives the mail."""
    if role == Role.OWNER:
        return gettext(
            "You are receiving this e-mail as a service account owner for %(name)s.", name=account.legal_name
        )
    return gettext("You are receiving this e-mail as a member of the team of %(name)s.", name=account.legal_name)


def manager_footer(account: Account) -> str:
    return gettext("You are receiving this e-mail as the account manager for %(name)s.", name=account.legal_name)


def _on_one_line(text: str) -> str:
    return " ".join(text.splitlines())


def subscription_link(subscription: Subscription) -> tuple[str, str]:
    """The `action` of a mail about a subscription."""
    return gettext("See the subscription"), public_url("subscriptions.page", subscription_id=subscription.id)
