"""The mails about second factors: what happened, what to do if it was somebody else, and no secret."""

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.support.authenticator import halfway, with_app, with_passkey
from tests.support.mails import says_the_same_twice, sent
from tests.support.world import signed_in
from webapp.access import second_factor
from webapp.db import db, transaction
from webapp.models.accounts import Member
from webapp.models.second_factor import Passkey
from webapp.sandbox.scenarios import Made

ADVICE = {"fr": "utilisez le lien «\u00a0Ce n’était pas moi\u00a0»", "en": "use the link “This wasn’t me”"}
TITLES = {  # by kind: in French, in English
    "second_factor_added": ("Un second facteur a été ajouté", "A second factor has been added"),
    "recovery_codes_made": ("Nouveaux codes de secours", "New recovery codes"),
    "recovery_code_used": ("Un code de secours a été utilisé", "A recovery code was used"),
    "second_factor_removed": ("Un second facteur a été supprimé", "A second factor has been removed"),
    "new_browser": ("Connexion depuis un nouveau navigateur", "Sign-in from a new browser"),
    "second_factor_reset": ("Votre second facteur a été réinitialisé", "Your second factor has been reset"),
}


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_each_change_of_a_factor_is_told_to_its_member(app: Flask, business: Made, locale: str) -> None:
    client = signed_in(app, business)
    with transaction() as session:
        session.execute(update(Member).values(locale=locale))
    phone, _first = with_app(client)
    with_passkey(client)
    codes = client.post("/second-factor/codes").text
    code = codes.split("<li><code>")[1].split("<")[0]
    halfway(app, business).post("/sign-in/factor/recovery", data={"recovery": code})
    passkey = db.session.scalars(select(Passkey.id)).one()
    client.post(f"/second-factor/passkeys/{passkey}/remove")
    member_id = db.session.scalars(select(Member.id)).one()
    second_factor.reset(business.account, member_id, "Dominique Petit")
    mails = sent()
    kinds = [mail.about.split("/")[1] for mail in mails]
    assert sorted(kinds) == sorted([*TITLES, "second_factor_added"])
    for mail, kind in zip(mails, kinds, strict=True):
        assert mail.recipient == business.email
        assert mail.subject.startswith(TITLES[kind][locale == "en"])
        assert ADVICE[locale] in mail.body
        assert says_the_same_twice(mail, "\u00a0: " if locale == "fr" else ": ")
        assert code not in mail.body + mail.html
        assert phone.secret not in mail.body + mail.html
    assert [kind for mail, kind in zip(mails, kinds, strict=True) if "Dominique Petit" in mail.body] == [
        "second_factor_reset"
    ]
