"""A passkey in software, and shorthand for the tests of second factors."""

import hashlib
import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from html import unescape
from typing import Any

import cbor2
import pyotp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from webapp.adapters.clock import machine_now
from webapp.db import db, transaction
from webapp.models.access import MemberSession
from webapp.models.second_factor import Totp
from webapp.sandbox.scenarios import Made

ORIGIN = "http://localhost"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def data(of: str) -> bytes:
    return urlsafe_b64decode(of + "=" * (-len(of) % 4))


class Authenticator:
    """One passkey. `origin` is where its browser says to be; `verifies`: whether it asks for a PIN or a finger."""

    def __init__(self, origin: str = ORIGIN, rp_id: str = "localhost", verifies: bool = True) -> None:
        self.origin, self.rp_id, self.verifies = origin, rp_id, verifies
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id, self.count, self.handle = secrets.token_bytes(32), 0, b""

    def create(self, options: dict[str, Any]) -> str:
        self.handle = data(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        credential = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + credential}
        response = {"attestationObject": text(cbor2.dumps(attestation))}
        return self._credential(response | {"clientDataJSON": text(self._client("webauthn.create", options))})

    def get(self, options: dict[str, Any]) -> str:
        self.count += 1
        client, known = self._client("webauthn.get", options), self._data(0)
        signed = known + hashlib.sha256(client).digest()
        response = {
            "authenticatorData": text(known),
            "clientDataJSON": text(client),
            "signature": text(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
            "userHandle": text(self.handle),
        }
        return self._credential(response)

    def _data(self, flags: int) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _credential(self, response: dict[str, str]) -> str:
        own = text(self.id)
        return json.dumps(
            {"id": own, "rawId": own, "type": "public-key", "response": response, "clientExtensionResults": {}}
        )


def options(client: FlaskClient, purpose: str) -> dict[str, Any]:
    answer = client.get(f"/passkeys/{purpose}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    return found


def with_passkey(client: FlaskClient, name: str = "Camille Martin", **given: Any) -> Authenticator:
    """Adds a passkey to the signed-in member."""
    key = Authenticator(**given)
    form = {"name": name, "credential": key.create(options(client, "add"))}
    answer = client.post("/second-factor/passkeys", data=form)
    assert answer.status_code in (200, 303), answer.text
    return key


def with_app(client: FlaskClient) -> tuple[pyotp.TOTP, list[str]]:
    """Sets up an authenticator app; returns it with the recovery codes. The present code is not used up."""
    assert client.post("/second-factor/app/begin").status_code == 303
    page = client.get("/second-factor/app").text
    app = pyotp.TOTP("".join(re.findall(r"<code>([A-Z2-7]+)</code>", page)))
    answer = client.post("/second-factor/app", data={"code": code_at(app)})
    assert answer.status_code in (200, 303), answer.text
    forget_last_codes()
    return app, codes_of(answer.text)


def codes_of(page: str) -> list[str]:
    return re.findall(r"<code>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</code>", unescape(page))


def code_at(app: pyotp.TOTP, seconds: int = 0) -> str:
    """What the app shows when its clock differs by so many seconds from the portal's."""
    return app.at(machine_now() + timedelta(seconds=seconds))


def forget_last_codes() -> None:
    """So that a code that was used can be used again."""
    with transaction() as session:
        session.execute(update(Totp).values(last_step=0))


def halfway(app: Flask, made: Made, locale: str = "en") -> FlaskClient:
    """A browser that gave the right password of an owner who has a second factor."""
    client = app.test_client()
    client.set_cookie("locale", locale)
    answer = client.post("/sign-in", data={"email": made.email, "password": made.password})
    assert answer.headers["Location"].startswith("/sign-in/factor"), answer.text
    return client


def is_in(client: FlaskClient) -> bool:
    return client.get("/billing").status_code == 200


def age_proofs(made: Made, by: timedelta = timedelta(minutes=16)) -> None:
    """As if the last proof in each session of the account were that old."""
    with transaction() as session:
        for row in session.scalars(select(MemberSession).where(MemberSession.account_id == made.account)):
            row.proved_at -= by
    db.session.remove()
