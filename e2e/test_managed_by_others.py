"""A subscription that the account manager or a reseller manages refuses each change, and says who to ask."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .watcher import expect_forbidden


@pytest.mark.parametrize("procedure", ["renew", "add", "reduce", "cancel"])
@pytest.mark.parametrize(
    ("scenario", "plan", "reason"),
    [("enterprise", "enterprise", "responsable de votre compte"), ("third-party", "business", "Nordlys Data")],
)
def test_each_change_is_refused(begin: Begin, procedure: str, scenario: str, plan: str, reason: str) -> None:
    walk = begin(scenario)
    expect_forbidden(walk, walk.address(f"/{procedure}", plan))
    expect(walk.page.get_by_role("main")).to_contain_text(reason)
