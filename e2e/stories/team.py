"""Équipe: inviting somebody who accepts, changing a role, removing a member, and handing the account over."""

import re

from playwright.sync_api import Locator, expect

from .story import story
from .walk import Walk

ADDRESS = re.compile(r"https?://\S+")
PASSWORD = "quatre mots bien longs"


def to_team(walk: Walk) -> None:
    walk.click(
        "Ouvrez le menu de votre compte et cliquez sur Équipe.",
        "Open the menu of your account and click Team.",
        walk.account_menu(walk["Team"]),
    )
    walk.heading("Team")


def row(walk: Walk, email: str) -> Locator:
    return walk.page.get_by_role("listitem").filter(has_text=email)


def member(walk: Walk, role: str) -> str:
    """The e-mail of the member of this role."""
    return next(str(found["email"]) for found in walk.state()["members"] if found["role"] == role)


def role_of(walk: Walk, email: str) -> str | None:
    return next((str(found["role"]) for found in walk.state()["members"] if found["email"] == email), None)


def answer_as(walk: Walk, address: str) -> None:
    """Somebody else opens a link of a mail, in this browser."""
    walk.page.context.clear_cookies(name=re.compile("my_qlik.*"))
    walk.page.goto(address)


def invite(walk: Walk) -> None:
    """An invitation by e-mail, and its acceptance with a password."""
    email = f"nadia-{walk.account['account'][:8]}@example.test"
    to_team(walk)
    walk.labelled("E-mail").fill(email)
    walk.page.get_by_role("radio", name=walk["Accountant"]).check()
    walk.click(
        "Saisissez l’adresse e-mail, choisissez le rôle et cliquez sur Envoyer l’invitation.",
        "Enter the e-mail address, choose the role and click Send the invitation.",
        walk.button("Send the invitation"),
    )
    walk.see("L’invitation est en attente.", "The invitation is pending.", row(walk, email))
    text = next(message["text"] for message in walk.state()["messages"] if message["to"] == email)
    found = ADDRESS.search(text)
    assert found
    answer_as(walk, found[0])
    walk.labelled("Your name").fill("Nadia Benali")
    walk.labelled("Password").fill(PASSWORD)
    walk.click(
        "La personne invitée ouvre le lien de l’e-mail, choisit un mot de passe et clique sur Accepter l’invitation.",
        "The invited person opens the link in the e-mail, chooses a password and clicks Accept the invitation.",
        walk.button("Accept the invitation"),
    )
    walk.see("La personne est connectée.", "The person is signed in.", walk.tile())
    expect(walk.tile().get_by_role("link", name=walk["Renew"])).to_have_count(0)
    assert role_of(walk, email) == "accountant"


def change_role(walk: Walk) -> None:
    email = member(walk, "viewer")
    to_team(walk)
    row(walk, email).get_by_role("combobox").select_option("accountant")
    walk.click(
        "Choisissez le nouveau rôle et cliquez sur Modifier le rôle.",
        "Choose the new role and click Change the role.",
        row(walk, email).get_by_role("button", name=walk["Change the role"]),
    )
    walk.see("Le rôle est modifié.", "The role is changed.", walk.message())
    assert role_of(walk, email) == "accountant"


def open_actions(walk: Walk, email: str) -> Locator:
    walk.click(
        "Cliquez sur l’icône Plus d’actions du membre.",
        "Click the More actions icon of the member.",
        row(walk, email).get_by_role("button", name=walk["More actions"], exact=True),
    )
    return row(walk, email)


def understand(walk: Walk, name: str, fr: str, en: str) -> None:
    walk.page.get_by_label(walk["I understand"]).check()
    walk.click(fr, en, walk.button(name))


def remove(walk: Walk) -> None:
    email = member(walk, "manager")
    to_team(walk)
    item = open_actions(walk, email).get_by_role("link", name=walk["Remove from the team"])
    walk.click("Sélectionnez Retirer de l’équipe.", "Select Remove from the team.", item)
    understand(
        walk,
        "Remove from the team",
        "Cochez Je comprends et cliquez sur Retirer de l’équipe.",
        "Tick I understand and click Remove from the team.",
    )
    walk.heading("Team")
    expect(row(walk, email)).to_have_count(0)
    walk.see("Le membre n’y est plus.", "The member is no longer there.", walk.message())
    assert role_of(walk, email) is None


def hand_over(walk: Walk) -> None:
    """The owner offers the account, the member accepts, and both have changed places."""
    new, before = next(found for found in walk.account["members"] if found["role"] == "manager"), walk.account["email"]
    to_team(walk)
    item = open_actions(walk, new["email"]).get_by_role("link", name=walk["Hand over the account"])
    walk.click("Sélectionnez Transférer le compte.", "Select Hand over the account.", item)
    understand(
        walk,
        "Offer the account",
        "Cochez Je comprends et cliquez sur Proposer le transfert.",
        "Tick I understand and click Offer the account.",
    )
    walk.see(
        "La proposition est ouverte ; rien ne change encore.",
        "The proposal is open; nothing changes yet.",
        walk.button("Cancel the proposal"),
    )
    assert role_of(walk, before) == "owner"
    walk.page.context.clear_cookies(name=re.compile("my_qlik.*"))
    walk.account = {**walk.account, "email": new["email"], "password": new["password"]}
    walk.sign_in()
    walk.page.goto(f"{walk.sandbox.url}/team/handover")
    understand(
        walk,
        "Accept",
        "L’autre membre ouvre le lien de l’e-mail, coche Je comprends et clique sur Accepter.",
        "The other member opens the link in the e-mail, ticks I understand and clicks Accept.",
    )
    walk.heading("Team")
    walk.see("Le compte a un nouveau propriétaire.", "The account has a new owner.", walk.message())
    assert (role_of(walk, new["email"]), role_of(walk, before)) == ("owner", "manager")


DOCUMENTED = (
    story("invite", "Invitation d’un membre", "Inviting a member", "team", invite),
    story("change-role", "Modification d’un rôle", "Changing a role", "team", change_role),
    story("remove-member", "Retrait d’un membre", "Removing a member", "team", remove),
    story("hand-over", "Transfert du compte", "Handing over the account", "team", hand_over),
)
