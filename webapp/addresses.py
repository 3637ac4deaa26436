"""E-mail addresses: which are accepted, and how they are stored."""

import re

from email_validator import EmailNotValidError, validate_email

from . import pasting

# A name and an address in angle brackets, or an address alone. A name may have commas, and anything in quotation marks.
# Its length is limited, as a list of nothing but commas would take seconds.
ENTRY = re.compile(r"""(?:"[^"\r\n]{0,100}"|[^@<>;"\r\n]){0,100}+<([^<>]*)>|[^,;\s][^,;\r\n]*""")
LONGEST_LIST = 4_000  # characters of ten addresses with their names


class WrongAddress(ValueError):
    """`text` is no address. `accented`: it is one, but with letters that not all mail servers take before the @."""

    def __init__(self, text: str, accented: bool = False) -> None:
        super().__init__("Use letters without accents before the @" if accented else "This is not an e-mail address")
        self.text, self.accented = text, accented


def parse(text: str) -> str:
    """The address as mail servers take it, an international domain in ASCII. Raises WrongAddress.

    Only the syntax is checked. `test_environment` accepts `.test`, which the sandbox uses.
    """
    try:
        address = validate_email(pasting.trimmed(text), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise WrongAddress(text) from None
    if address.ascii_email is None:
        raise WrongAddress(text, accented=True)
    return address.ascii_email


def parse_list(text: str) -> list[str]:
    """The addresses of a list as mail programs write it: between commas, semicolons or line breaks, with or without
    names, each address once. Raises WrongAddress.
    """
    addresses = {}
    for entry in ENTRY.finditer(text):
        try:
            address = parse(entry[0] if entry[1] is None else entry[1])
        except WrongAddress as wrong:
            raise WrongAddress(entry[0].strip(" ,"), wrong.accented) from None
        addresses[address.lower()] = address
    return list(addresses.values())
