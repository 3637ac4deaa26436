"""The seller of each sandbox account, and the organisation that is its customer."""

from ..db import new_id
from ..models.accounts import Account, Issuer


def new_issuer() -> Issuer:
    return Issuer(
        id=new_id(),
        legal_name="My Qlik Démonstration SAS",
        street="12 rue de la Facture",
        postal_code="75002",
        city="Paris",
        country="FR",
        siren="900100207",
        vat_number="FR83900100207",
        invoice_prefix="MQ",
        legal_form="SAS",
        share_capital=5_000_000,
        register="Paris",
    )


def new_account(name: str, zone: str, issuer_id: str) -> Account:
    return Account(
        id=new_id(),
        issuer_id=issuer_id,
        legal_name="Ateliers Beaumont SARL",
        street="8 quai des Analyses",
        postal_code="69002",
        city="Lyon",
        country="FR",
        siren="900300401",
        vat_number="FR41900300401",
        purchase_order=None,
        billing_emails=[f"compta-{name}@example.test"],
        document_locale="fr",
        zone=zone,
        manager_name="Sophie Laurent",
        manager_email="sophie.laurent@example.test",
        manager_phone="+33 1 99 00 12 34",
    )
