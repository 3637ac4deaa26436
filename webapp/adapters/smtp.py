"""Mail over SMTP: one connection for the mails that follow one another, and what an answer means."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage

from ..mail_server import Relay, parse_sender
from ..ports import Send, Undelivered

TIMEOUT = 30.0  # seconds for each answer
TOO_LARGE = 552  # the one refusal of MAIL FROM that is about the mail and not about us


class Smtp:
    def __init__(self, relay: Relay, sender: str, timeout: float = TIMEOUT) -> None:
        self.relay, self.sender, self.timeout = relay, sender, timeout
        self._from = parse_sender(sender)

    @contextmanager
    def sending(self) -> Iterator[Send]:
        line = self._line()
        try:
            yield line.send
        finally:
            line.hang_up()

    def greet(self) -> None:
        line = self._line()
        line.connect()
        line.hang_up()

    def _line(self) -> "_Line":
        return _Line(self.relay, self._from.addr_spec, self._from.domain, self.timeout)


class _Line:
    """A connection that is made with the first mail, and anew after one that was not taken."""

    def __init__(self, relay: Relay, sender: str, domain: str, timeout: float) -> None:
        self.relay, self.sender, self.domain, self.timeout = relay, sender, domain, timeout
        self.open: smtplib.SMTP | None = None

    def send(self, mail: EmailMessage, recipient: str) -> None:
        with self._understood():
            self.connect().send_message(mail, self.sender, [recipient])

    def connect(self) -> smtplib.SMTP:
        with self._understood():
            if self.open is None:
                self.open = self._connected()
        return self.open

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (smtplib.SMTPException, OSError) as fault:
            self.hang_up(politely=False)
            raise _meaning(fault) from None  # a cause may hold what was said while signing in

    def _connected(self) -> smtplib.SMTP:
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

    def hang_up(self, politely: bool = True) -> None:
        smtp, self.open = self.open, None
        if smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                if politely:
                    smtp.quit()
            smtp.close()


def _meaning(fault: smtplib.SMTPException | OSError) -> Undelivered:
    match fault:
        case smtplib.SMTPAuthenticationError():  # ours to mend: what the server said is not repeated
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
            return Undelivered(f"the mail server said {fault.smtp_code} {_text(fault.smtp_error)}", silent=True)
        case _:
            return Undelivered(f"the mail server was not reached: {_text(str(fault))}", silent=True)


def _refused(code: int, text: bytes | str, final: bool) -> Undelivered:
    return Undelivered(f"{code} {_text(text)}", final=final)


def _text(said: bytes | str) -> str:
    plain = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join(plain.split())[:200]
