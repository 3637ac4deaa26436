"""Contacter le responsable de votre compte Qlik: a message with its context, and a case number."""

import re

from playwright.sync_api import expect

from .labels import ENTERPRISE
from .story import story
from .walk import Walk


def contact(walk: Walk) -> None:
    """A message about the enterprise subscription, from its tile."""
    walk.click(
        "Sur la vignette, cliquez sur Contacter le responsable de votre compte Qlik.",
        "On the tile, click Contact your Qlik account manager.",
        walk.tile(ENTERPRISE).get_by_role("link", name=walk["Contact"]),
    )
    walk.heading("Contact")
    expect(walk.labelled("Subject")).to_have_value("renewal")
    walk.labelled("Your message").fill(
        walk.words(
            "Nous souhaitons passer à 300 licences au renouvellement.", "We would like 300 seats from the renewal on."
        )
    )
    walk.click(
        "Écrivez votre message et cliquez sur Envoyer.", "Write your message and click Send.", walk.button("Send")
    )
    expect(walk.message()).to_contain_text(re.compile(r"C-[2-9A-Z]{8}"))
    walk.see("Un numéro de dossier vous est donné.", "You are given a case number.", walk.message())
    assert len(walk.state()["messages"]) == 1


DOCUMENTED = (
    story("contact", "Contact du responsable de compte", "Contacting the account manager", "enterprise", contact),
)
