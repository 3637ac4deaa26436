"""Connexion et sessions: a new e-mail address, confirmed by a link; and « Ce n’était pas moi » in a security mail."""

import re

from playwright.sync_api import expect

from .second_factor import to_second_factor as to_sign_in_and_sessions
from .story import story
from .team import ADDRESS, PASSWORD, answer_as
from .walk import Walk

ALARM = re.compile(r"https?://\S+/not-me/\S+")


def text_to(walk: Walk, email: str) -> str:
    """Of the newest mail to this address."""
    return [str(mail["text"]) for mail in walk.state()["messages"] if mail["to"] == email][-1]


def members(walk: Walk) -> list[str]:
    return [str(member["email"]) for member in walk.state()["members"]]


def change_email(walk: Walk) -> str:
    """Asks for the address and confirms it; returns it."""
    page, email = walk.page, f"camille-{walk.account['account'][:8]}@example.test"
    to_sign_in_and_sessions(walk)
    walk.click(
        "Cliquez sur Modifier l’adresse e-mail.",
        "Click Change the e-mail address.",
        page.get_by_role("link", name=walk.words("Modifier l’adresse e-mail", "Change the e-mail address")),
    )
    page.get_by_label(walk.words("Nouvelle adresse e-mail", "New e-mail address")).fill(email)
    walk.click(
        "Saisissez la nouvelle adresse et cliquez sur Envoyer le lien de confirmation.",
        "Enter the new address and click Send the confirmation link.",
        page.get_by_role("button", name=walk.words("Envoyer le lien de confirmation", "Send the confirmation link")),
    )
    walk.see("La nouvelle adresse est à confirmer.", "The new address is to be confirmed.", walk.message())
    assert members(walk) == [walk.account["email"]]
    found = ADDRESS.search(text_to(walk, email))
    assert found
    page.goto(found[0])
    walk.click(
        "Ouvrez le lien de l’e-mail envoyé à la nouvelle adresse et cliquez sur Confirmer l’adresse.",
        "Open the link in the e-mail sent to the new address and click Confirm the address.",
        page.get_by_role("button", name=walk.words("Confirmer l’adresse", "Confirm the address")),
    )
    walk.see("L’adresse est modifiée.", "The address is changed.", walk.message())
    assert members(walk) == [email]
    return email


def own_email(walk: Walk) -> None:
    """The owner signs in with the new address."""
    email = change_email(walk)
    walk.account_menu(walk["Sign out"]).click()
    walk.account = {**walk.account, "email": email}
    walk.sign_in()
    walk.see("Vous vous connectez avec la nouvelle adresse.", "You sign in with the new address.", walk.tile())


def not_me(walk: Walk) -> None:
    """Somebody else has changed the address: the holder of the old one takes the access back."""
    page, old = walk.page, walk.account["email"]
    change_email(walk)
    alarm = ALARM.search(text_to(walk, old))
    assert alarm
    answer_as(walk, alarm[0])
    walk.see(
        "L’ancienne adresse a reçu un e-mail : ouvrez son lien Ce n’était pas moi.",
        "The previous address has received an e-mail: open its link This wasn’t me.",
        page.get_by_role("heading", level=1),
    )
    expect(page.get_by_text(old).first).to_be_visible()
    walk.click(
        "Cliquez sur Fermer toutes les sessions.",
        "Click End all sessions.",
        page.get_by_role("button", name=walk.words("Fermer toutes les sessions", "End all sessions")),
    )
    assert members(walk) == [old]
    for label in (
        walk.words("Nouveau mot de passe", "New password"),
        walk.words("Confirmer le nouveau mot de passe", "Confirm new password"),
    ):
        page.get_by_label(re.compile(f"^{label}")).fill(PASSWORD)
    walk.click(
        "Définissez un nouveau mot de passe.",
        "Set a new password.",
        page.get_by_role("button", name=walk.words("Définir le mot de passe", "Set the password")),
    )
    walk.account = {**walk.account, "password": PASSWORD}
    walk.sign_in()
    walk.see("Vous seul avez de nouveau accès.", "You alone have access again.", walk.tile())


DOCUMENTED = (
    story("own-email", "Modification de votre adresse e-mail", "Changing your e-mail address", "business", own_email),
    story("not-me", "Ce n’était pas moi", "This wasn’t me", "business", not_me),
)
