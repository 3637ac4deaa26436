"""The backup card: chosen in the menu of a card, charged where the default is refused, and replaced by the owner."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .matrix import SCRIPTS
from .stories import Walk
from .watcher import violations


def choose(walk: Walk, last4: str, fr: str, en: str) -> None:
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions(last4).click()
    walk.card(last4).get_by_role("button", name=walk.words(fr, en), exact=True).click()


@pytest.mark.parametrize("locale", ["fr", "en"])
@SCRIPTS
def test_the_owner_chooses_a_backup_card_and_changes_their_mind(begin: Begin, scripts: bool, locale: str) -> None:
    walk = begin("business-two-cards", scripts=scripts, locale=locale)
    choose(walk, "4444", "Utiliser comme carte de secours", "Use as backup card")
    expect(walk.message()).to_contain_text(
        walk.words("Mastercard ••••\u00a04444 est désormais la carte de secours", "4444 is now the backup card")
    )
    role = walk.words(
        "Carte de secours\u00a0: débitée si la carte par défaut est refusée",
        "Backup card: charged if the default card is declined",
    )
    expect(walk.card("4444")).to_contain_text(role)
    expect(walk.card("4242")).to_contain_text(walk.words("Prochain débit", "Next charge"))
    expect(walk.card("4242")).not_to_contain_text(role)
    if scripts:
        assert violations(walk.page) == []
    assert [card["backup"] for card in walk.state()["cards"]] == [False, True]
    choose(walk, "4444", "Ne plus utiliser comme carte de secours", "Stop using as backup card")
    expect(walk.message()).to_contain_text(walk.words("n’est plus la carte de secours", "is no longer the backup card"))
    expect(walk.card("4444")).not_to_contain_text(role)
    assert [card["backup"] for card in walk.state()["cards"]] == [False, False]


@SCRIPTS
def test_the_backup_card_pays_and_the_activity_tells_of_both(begin: Begin, scripts: bool) -> None:
    walk = begin("business-backup-card", scripts=scripts, locale="en")
    walk.sandbox.gateway(walk.account["account"], "decline")
    walk.sandbox.clock(walk.account["account"], to="2027-02-15T09:00:00")
    assert walk.payments() == ["declined", "captured"]
    walk.page.goto(f"{walk.sandbox.url}/activity")
    rows = walk.page.get_by_role("main").get_by_role("list").first
    expect(rows).to_contain_text("Card: Visa ••••\u00a04242")
    expect(rows).to_contain_text("Card: Mastercard ••••\u00a04444")


@SCRIPTS
def test_another_card_pays_after_both_were_refused(begin: Begin, scripts: bool) -> None:
    walk = begin("business-past-due", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.button("Add card").click()
    walk.enter_card("4000000000009995")
    choose(walk, "9995", "Utiliser comme carte de secours", "Use as backup card")
    walk.sandbox.clock(walk.account["account"], advance="PT1H")
    assert walk.payments() == ["declined", "declined"]
    walk.page.goto(walk.address())
    checks = walk.page.get_by_role("region", name="Mon renouvellement va-t-il réussir")
    expect(checks).to_contain_text("La banque a aussi refusé la carte de secours")
    walk.page.goto(f"{walk.sandbox.url}/subscriptions")
    walk.tile().get_by_role("button", name="Payer avec une autre carte").click()
    walk.button("new card").click()
    walk.enter_card("5555555555554444")
    walk.button("Continue").click()
    walk.button("Pay").click()
    walk.heading("Receipt")
    assert walk.payments() == ["declined", "declined", "captured"]
    assert walk.subscription()["status"] == "active"
