"""A fixture that publishes prices from a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.support.prices import DEARER, PRODUCT, Publish, support
from webapp.sandbox.scenarios import Made


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    def run(made: Made, day: str, tiers: Any = DEARER, **given: Any) -> Result:
        file = tmp_path / "prices.json"
        file.write_text(json.dumps({"product": PRODUCT, "currency": "EUR", "tiers": tiers} | given))
        return support("publish-prices", str(file), "--from", day, "--account", made.account)

    return run
