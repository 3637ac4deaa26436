"""The two layouts of a mail (templates/mail): text and HTML, from the same words."""

from typing import NamedTuple

from flask import render_template
from flask_babel import gettext

from ..models.accounts import Account
from ..models.subscriptions import Subscription
from ..urls import public_url

SUBJECT_LENGTH = 200


class Mail(NamedTuple):
    """`of` is what the title is about; `facts` are labels and values; `action` is a label and an absolute address;
    `quoted` is what somebody wrote, line by line."""

    title: str
    of: str
    paragraphs: list[str]
    facts: list[tuple[str, str]]
    action: tuple[str, str]
    quoted: str = ""


class Written(NamedTuple):
    subject: str
    body: str
    html: str


def write(mail: Mail, name: str, footer: str) -> Written:
    """To `name`, in the language of now. Names are kept on one line: none can add a line to the subject or the text."""
    mail = mail._replace(
        title=_line(mail.title),
        of=_line(mail.of),
        paragraphs=[_line(paragraph) for paragraph in mail.paragraphs],
        facts=[(label, _line(value)) for label, value in mail.facts],
    )
    subject = gettext("%(label)s: %(value)s", label=mail.title, value=mail.of)[:SUBJECT_LENGTH]
    told = {"mail": mail, "subject": subject, "name": _line(name), "footer": _line(footer)}
    return Written(subject, render_template("mail/layout.txt", **told), render_template("mail/layout.html", **told))


def footer(account: Account) -> str:
    return gettext(
        "You receive this mail as a service account owner of the organisation %(name)s.", name=account.legal_name
    )


def _line(text: str) -> str:
    return " ".join(text.splitlines())


def subscription_link(subscription: Subscription) -> tuple[str, str]:
    return gettext("See the subscription"), public_url("subscriptions.page", subscription_id=subscription.id)
