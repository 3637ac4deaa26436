"""The JSON shapes of Stripe's API, as in its reference; ids and what tests are about vary."""

from typing import Any

Shape = dict[str, Any]


def customer(named: str, params: Shape) -> Shape:
    return {
        "id": named,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": 1795450000,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": "0759376C",
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "name": params.get("name"),
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def payment_method(named: str, owner: str | None, brand: str, last4: str, holder: str | None) -> Shape:
    return {
        "id": named,
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": {
            "address": {
                "city": None,
                "country": "FR",
                "line1": None,
                "line2": None,
                "postal_code": None,
                "state": None,
            },
            "email": "camille@example.test",
            "name": holder,
            "phone": None,
            "tax_id": None,
        },
        "card": {
            "brand": brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "FR",
            "display_brand": brand,
            "exp_month": 8,
            "exp_year": 2031,
            "fingerprint": "mToisGZ01V71BCos",
            "funding": "credit",
            "generated_from": None,
            "last4": last4,
            "networks": {"available": [brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": 1795450000,
        "customer": owner,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def checkout_session(named: str, params: Shape) -> Shape:
    return {
        "id": named,
        "object": "checkout.session",
        "amount_subtotal": None,
        "amount_total": None,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": 1795450000,
        "currency": None,
        "customer": params.get("customer"),
        "customer_details": None,
        "expires_at": 1795536400,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": {},
        "mode": params["mode"],
        "payment_intent": None,
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required",
        "setup_intent": None,
        "status": "open",
        "submit_type": None,
        "success_url": params.get("success_url"),
        "ui_mode": "hosted_page",
        "url": f"https://checkout.stripe.com/c/pay/{named}#fid1d2BpamRhQ2prcSc",
    }


def setup_intent(named: str, owner: str | None, method: str | None, status: str) -> Shape:
    return {
        "id": named,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": f"{named}_secret_1",
        "created": 1795450000,
        "customer": owner,
        "description": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "status": status,
        "usage": "off_session",
    }


def payment_intent(named: str, params: Shape) -> Shape:
    return {
        "id": named,
        "object": "payment_intent",
        "amount": int(params["amount"]),
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{named}_secret_YrKJ",
        "confirmation_method": "automatic",
        "created": params["created"],
        "currency": params["currency"],
        "customer": params["customer"],
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def charge(named: str, intent: Shape, method: Shape) -> Shape:
    """What an intent that asks for its latest charge in full shows of it."""
    card = {name: method["card"][name] for name in ("brand", "country", "exp_month", "exp_year", "funding", "last4")}
    return {
        "id": named,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "captured": True,
        "created": intent["created"],
        "currency": intent["currency"],
        "customer": intent["customer"],
        "livemode": False,
        "metadata": intent["metadata"],
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": card, "type": "card"},
        "refunded": False,
        "status": "succeeded",
    }


def redirect(intent: Shape, return_url: str) -> Shape:
    """The redirect to the bank's page; its addresses are as long as real ones."""
    key = "pk_test_51" + "H" * 97
    query = f"merchant=acct_1032D82eZvKYlo2C&payment_intent={intent['id']}&payment_intent_client_secret="
    page = f"https://hooks.stripe.com/3d_secure_2/hosted?{query}{intent['client_secret']}&publishable_key={key}"
    page += "&source=payatt_" + "3" * 24
    return {"redirect_to_url": {"return_url": return_url, "url": page}, "type": "redirect_to_url"}


def refund(named: str, params: Shape, intent: Shape, status: str) -> Shape:
    return {
        "id": named,
        "object": "refund",
        "amount": int(params["amount"]),
        "balance_transaction": "txn_1",
        "charge": intent["latest_charge"],
        "created": 1795450000,
        "currency": intent["currency"],
        "destination_details": {
            "card": {"reference": None, "reference_status": "pending", "type": "refund"},
            "type": "card",
        },
        "metadata": params.get("metadata", {}),
        "payment_intent": intent["id"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def listed(url: str, rows: list[Shape], more: bool) -> Shape:
    return {"object": "list", "url": url, "has_more": more, "data": rows}


def error(kind: str, code: str | None, message: str, **more: Any) -> Shape:
    doc = {"doc_url": f"https://docs.stripe.com/error-codes/{code}"} if code else {}
    return {"error": {"type": kind, "code": code, "message": message, "request_log_url": None, **doc, **more}}


def declined(decline_code: str, method: Shape) -> Shape:
    """A declined card: the `error` of a 402 answer, and `last_payment_error` of the intent."""
    own = ("expired_card", "incorrect_cvc", "processing_error", "authentication_required")
    code = decline_code if decline_code in own else "card_declined"
    body = error(
        "card_error",
        code,
        "Your card was declined.",
        decline_code=decline_code,
        charge="ch_1",
        param="",
        payment_method=method,
        advice_code="try_again_later",
    )
    kept: Shape = body["error"]
    return kept


def unauthenticated(method: Shape) -> Shape:
    message = "The provided PaymentMethod has failed authentication."
    body = error("invalid_request_error", "payment_intent_authentication_failure", message, payment_method=method)
    kept: Shape = body["error"]
    return kept


def event(named: str, kind: str, about: Shape) -> Shape:
    return {
        "id": named,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1795450000,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
