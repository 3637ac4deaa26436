"""The tile of a subscription, in each state that asks the owner for something."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .watcher import violations


@pytest.mark.parametrize(
    ("scenario", "badge", "action"),
    [
        ("business-past-due", "Paiement en retard", "Renouveler"),
        ("business-lapsed", "Expiré", "Renouveler"),
        ("third-party", "Nordlys Data", "Contacter le responsable de votre compte Qlik"),
        ("expiring-card", "La carte par défaut expire", "Choisir une autre carte"),
    ],
)
def test_each_state_shows_its_badge_and_its_action(begin: Begin, scenario: str, badge: str, action: str) -> None:
    walk = begin(scenario)
    expect(walk.tile()).to_contain_text(badge)
    expect(walk.tile().get_by_role("link", name=action).first).to_be_visible()
    assert violations(walk.page) == []
