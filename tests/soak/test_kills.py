"""Processes are killed at any moment; the next process completes or undoes what they left."""

from itertools import chain, islice

import pytest
from flask import Flask

from tests.soak.killed import Killing
from tests.support import databases

pytestmark = pytest.mark.service
KILLS = 15  # on each database
# Every moment of the first story, then random moments of the others. `make soak-kills` draws from all stories.
STORIES = {
    False: ("pay a renewal", "pay, silent after", "roll over three", "reduce, roll over", "delete a card"),
    True: ("roll over", "pay an addition", "pay, 3-D Secure", "roll over, silent before", "cancel, roll over"),
}


def test_a_killed_process_loses_and_doubles_nothing(app: Flask) -> None:
    first, *others = STORIES[databases.POSTGRESQL]
    killing = Killing(app, 1, (first, *others))
    each = [(first, at) for at in range(1, len(killing.moments[first]) + 1)]
    deaths = [killing.kill(*drawn) for drawn in islice(chain(each, killing.draws(others)), KILLS)]
    assert all(death.killed for death in deaths)
    kinds = {death.moments[-1] for death in deaths}
    assert kinds >= {"before commit", "after commit", "before charge", "after charge"}
