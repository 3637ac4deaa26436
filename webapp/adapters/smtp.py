"""Sends mail over SMTP: one connection for a run of mails, and the meaning of each error."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage

from ..mail_server import Relay, parse_sender
from ..ports import Send, Undelivered

TIMEOUT = 30.0  # seconds to wait for each answer
TOO_LARGE = 552  # the only refusal of MAIL FROM that concerns the mail and not the sender


class Smtp:
    def __init__(self, relay: Relay, sender: str, timeout: float = TIMEOUT) -> None:
        self.relay, self.sender, self.timeout = relay, sender, timeout
        self._from = parse_sender(sender)

    @contextmanager
    def sending(self) -> Iterator[Send]:
        connection = self._connection()
        try:
            yield connection.send
        finally:
            connection.hang_up()

    def greet(self) -> None:
        connection = self._connection()
        connection.connect()
        connection.hang_up()

    def _connection(self) -> "_Connection":
        return _Connection(self.relay, self._from.addr_spec, self._from.domain, self.timeout)


class _Connection:
    """A connection that opens with the first mail, and again after a mail that was refused."""

    def __init__(self, relay: Relay, sender: str, domain: str, timeout: float) -> None:
        self.relay, self.sender, self.domain, self.timeout = relay, sender, domain, timeout
        self.smtp: smtplib.SMTP | None = None

    def send(self, mail: EmailMessage, recipient: str) -> None:
        with self._translated_faults():
            self.connect().send_message(mail, self.sender, [recipient])

    def connect(self) -> smtplib.SMTP:
        with self._translated_faults():
            if self.smtp is None:
                self.smtp = self._open_connection()
        return self.smtp

    @contextmanager
    def _translated_faults(self) -> Iterator[None]:
        """Turns an error into Undelivered, and closes the connection."""
        try:
            yield
        except (smtplib.SMTPException, OSError) as fault:
            self.hang_up(say_quit=False)
            raise _undelivered(fault) from None  # the cause may contain the password

    def _open_connection(self) -> smtplib.SMTP:
        relay, name, seconds = self.relay, self.domain, self.timeout
        trusted = ssl.create_default_context()
        if relay.tls:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, name, timeout=seconds, context=trusted)
        else:
            smtp = smtplib.SMTP(relay.host, relay.port, name, timeout=seconds)
        try:
            smtp.ehlo_or_helo_if_needed()
            if relay.starttls or (not relay.tls and smtp.has_extn("starttls")):
                smtp.starttls(context=trusted)
            if relay.user:
                smtp.login(relay.user, relay.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def hang_up(self, say_quit: bool = True) -> None:
        smtp, self.smtp = self.smtp, None
        if smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                if say_quit:
                    smtp.quit()
            smtp.close()


def _undelivered(fault: smtplib.SMTPException | OSError) -> Undelivered:
    """What an error means: is it final, and was the server silent?"""
    match fault:
        case smtplib.SMTPAuthenticationError():  # the answer is not repeated: it may contain a secret
            return Undelivered(f"the mail server refused the login ({fault.smtp_code})", silent=True)
        case smtplib.SMTPRecipientsRefused():
            ((code, text),) = fault.recipients.values()
            return _refused(code, text, final=code >= 500)
        case smtplib.SMTPSenderRefused():
            return _refused(fault.smtp_code, fault.smtp_error, final=fault.smtp_code == TOO_LARGE)
        case smtplib.SMTPDataError():
            return _refused(fault.smtp_code, fault.smtp_error, final=fault.smtp_code >= 500)
        case smtplib.SMTPNotSupportedError() if "SMTPUTF8" in str(fault):
            return Undelivered("the mail server takes no international addresses (SMTPUTF8)", final=True)
        case smtplib.SMTPResponseException():
            return Undelivered(f"the mail server said {fault.smtp_code} {_one_line(fault.smtp_error)}", silent=True)
        case _:
            return Undelivered(f"the mail server was not reached: {_one_line(str(fault))}", silent=True)


def _refused(code: int, text: bytes | str, final: bool) -> Undelivered:
    return Undelivered(f"{code} {_one_line(text)}", final=final)


def _one_line(answer: bytes | str) -> str:
    plain = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return " ".join(plain.split())[:200]
