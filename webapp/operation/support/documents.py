"""`support resend` and `support credit`: mails, invoices, and money that goes back."""

import click
from sqlalchemy import select

from ...accounts import activity
from ...db import db, new_id, transaction
from ...mail import documents_again
from ...models.invoices import Invoice
from ...models.mail import Message
from ...ports import ports
from ..cli import credit_and_tell
from . import acting
from .acting import NOTHING

LONGEST_ABOUT = 200


@click.command("resend")
@acting.acts
@click.option("--invoice", metavar="NUMBER", help="An invoice or a credit note, to the billing e-mails.")
@click.option("--mail", metavar="ID", help="A mail as it was, to its recipient; `show` lists those that were not sent.")
def resend(account_id: str, invoice: str | None, mail: str | None) -> None:
    """Send an invoice or a mail again."""
    if (invoice is None) == (mail is None):
        raise click.ClickException(f"Name one: --invoice NUMBER or --mail ID. {NOTHING}")
    addresses = _document(account_id, invoice) if invoice else [_mail(account_id, mail or "")]
    click.echo(f"It will be sent to {', '.join(addresses)}.")


def _document(account_id: str, number: str) -> list[str]:
    found = select(Invoice).where(Invoice.account_id == account_id, Invoice.number == number)
    invoice = db.session.scalars(found).one_or_none()
    if invoice is None:
        raise click.ClickException(f"This account has no invoice {number}: `show` lists the newest. {NOTHING}")
    if not acting.account_row(account_id).billing_emails:
        raise click.ClickException(f"This account has no billing e-mail: let its owner add one first. {NOTHING}")
    invoice_id, shown = invoice.id, str(len(documents_again.mails_of(invoice)))
    db.session.rollback()
    addresses = documents_again.send_again(account_id, invoice_id, shown)
    if not addresses:
        raise click.ClickException(f"Somebody else sent it at this moment. {NOTHING}")
    return addresses


def _mail(account_id: str, mail_id: str) -> str:
    """Writes a copy, which is sent as any other mail."""
    with transaction() as session:
        mail = session.get(Message, (account_id, mail_id), with_for_update=True)
        if mail is None:
            raise click.ClickException(f"This account has no mail {mail_id}: `show` lists those not sent. {NOTHING}")
        if mail.delivery in ("unsent", "kept"):
            why = "waits to be sent" if mail.delivery == "unsent" else "is kept: SMTP_URL is not set"
            raise click.ClickException(f"The mail {mail_id} {why}. {NOTHING}")
        if not mail.body:
            raise click.ClickException(
                f"The text of the mail {mail_id} was deleted. For a new password, let the member ask for a link; "
                f"for an invoice, use --invoice. {NOTHING}"
            )
        now = ports().clock.now(acting.account_row(account_id))
        same = {name: getattr(mail, name) for name in ("recipient", "reply_to", "subject", "body", "html")}
        about = f"{mail.about[: LONGEST_ABOUT - 40]}/{new_id()}"
        copy = Message(account_id=account_id, about=about, attached_id=mail.attached_id, sent_at=now, **same)
        session.add(copy)
        activity.record(account_id, "mail_sent_again", now, {}, {"subject": mail.subject, "email": mail.recipient})
        return str(copy.recipient)


@click.command("credit")
@acting.acts
@click.argument("number")
@click.option("--net", help="Cents before tax; all that is left where this is not given.")
@click.option("--reason", default="", help="Printed on the credit note.")
def credit(account_id: str, number: str, net: str | None, reason: str) -> None:
    """Refund an invoice, or a part of it, to the card that paid it, and issue the credit note."""
    credit_and_tell(account_id, number, net, reason)
