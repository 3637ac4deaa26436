"""Connexion et sessions: an authenticator app as the second factor, and signing in with it."""

from datetime import UTC, datetime, timedelta

import pyotp
from playwright.sync_api import expect

from .story import story
from .walk import Walk


def next_code(secret: str) -> str:
    """What a phone shows whose clock is half a minute ahead: each code is accepted once."""
    return pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30))


def to_second_factor(walk: Walk) -> None:
    walk.click(
        "Ouvrez le menu du compte et cliquez sur Connexion et sessions.",
        "Open the account’s menu and click Sign-in & sessions.",
        walk.account_menu(walk.words("Connexion et sessions", "Sign-in & sessions")),
    )


def set_up_app(walk: Walk) -> str:
    """Returns the secret, as it is typed into a phone that has no camera."""
    page = walk.page
    to_second_factor(walk)
    walk.click(
        "Cliquez sur Configurer un second facteur.",
        "Click Set up a second factor.",
        page.get_by_role("link", name=walk.words("Configurer un second facteur", "Set up a second factor")),
    )
    walk.click(
        "Cliquez sur Configurer une application.",
        "Click Set up an app.",
        page.get_by_role("button", name=walk.words("Configurer une application", "Set up an app")),
    )
    walk.see(
        "Scannez l’image avec l’application de votre téléphone, ou saisissez-y le secret.",
        "Scan the picture with the app on your phone, or type the secret into it.",
        page.get_by_role("img", name="QR"),
    )
    secret = "".join(page.locator(".secret code").all_inner_texts())
    page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(secret).now())
    walk.click(
        "Saisissez le code affiché par l’application et cliquez sur Confirmer.",
        "Enter the code that the app shows and click Confirm.",
        walk.button("Confirm"),
    )
    return secret


def second_factor(walk: Walk) -> None:
    """The owner sets up an app, keeps the recovery codes, and signs in with both factors."""
    page, secret = walk.page, set_up_app(walk)
    codes = page.get_by_role("listitem").locator("code")
    expect(codes).to_have_count(10)
    walk.see(
        "Conservez les codes de secours : ils ne sont affichés qu’une fois.",
        "Keep the recovery codes: they are shown only once.",
        codes.first,
    )
    page.get_by_role("link", name=walk.words("Je les ai conservés", "I have kept them")).click()
    walk.account_menu(walk["Sign out"]).click()
    walk.labelled("E-mail").fill(walk.account["email"])
    walk.labelled("Password").fill(walk.account["password"])
    walk.click(
        "Déconnectez-vous, puis connectez-vous avec votre mot de passe.",
        "Sign out, then sign in with your password.",
        walk.button("Sign in"),
    )
    page.get_by_role("textbox", name="Code").fill(next_code(secret))
    walk.click(
        "Saisissez le code affiché par l’application et cliquez sur Se connecter.",
        "Enter the code that the app shows and click Sign in.",
        walk.button("Sign in"),
    )
    walk.see("Vous êtes connecté avec deux facteurs.", "You are signed in with two factors.", walk.tile())
    assert any("facteur" in mail["subject"] or "factor" in mail["subject"] for mail in walk.state()["messages"])


DOCUMENTED = (
    story(
        "second-factor",
        "Configuration d’un second facteur",
        "Setting up a second factor",
        "business",
        second_factor,
    ),
)
