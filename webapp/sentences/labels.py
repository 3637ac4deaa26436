"""Labels of case subjects and of recorded activity."""

from ..words import lazy_gettext

CASE_SUBJECTS = {
    "renewal": lazy_gettext("Renewal"),
    "change": lazy_gettext("Change to the subscription"),
    "upgrade": lazy_gettext("Upgrade to capacity-based Qlik Cloud Analytics"),
    "billing": lazy_gettext("Billing"),
    "other": lazy_gettext("Other"),
}
ACTIVITIES = {
    "renewal_paid": lazy_gettext("Renewal paid"),
    "addition_paid": lazy_gettext("Seats added"),
    "payment_refused": lazy_gettext("Payment refused"),
    "payment_not_made": lazy_gettext("Payment not made"),
    "reduction_requested": lazy_gettext("Reduction requested"),
    "reduction_undone": lazy_gettext("Reduction undone"),
    "cancellation_requested": lazy_gettext("Cancellation requested"),
    "cancellation_undone": lazy_gettext("Cancellation undone"),
    "ended": lazy_gettext("Subscription ended"),
    "card_added": lazy_gettext("Card added"),
    "card_updated": lazy_gettext("Card updated"),
    "card_deleted": lazy_gettext("Card deleted"),
    "card_made_default": lazy_gettext("Default card changed"),
    "billing_information_changed": lazy_gettext("Billing information changed"),
    "case_opened": lazy_gettext("Message to the account manager"),
    "credit_note_issued": lazy_gettext("Credit note issued"),
    "document_sent": lazy_gettext("Document sent again by e-mail"),
}
ACTIVITY_FACTS = {
    "seats": lazy_gettext("Seats"),
    "total": lazy_gettext("Amount"),
    "invoice": lazy_gettext("Invoice"),
    "credit_note": lazy_gettext("Credit note"),
    "day": lazy_gettext("From"),
    "end": lazy_gettext("Last day"),
    "card": lazy_gettext("Card"),
    "brand": lazy_gettext("Card"),
    "last4": lazy_gettext("Last four digits"),
    "number": lazy_gettext("Number"),
    "subject": lazy_gettext("Subject"),
    "legal_name": lazy_gettext("Legal name"),
    "street": lazy_gettext("Street"),
    "postal_code": lazy_gettext("Postal code"),
    "city": lazy_gettext("City"),
    "country": lazy_gettext("Country"),
    "siren": "SIREN",
    "vat_number": lazy_gettext("VAT number"),
    "purchase_order": lazy_gettext("Purchase order"),
    "billing_emails": lazy_gettext("Billing e-mails"),
    "document_locale": lazy_gettext("Language of documents"),
}
