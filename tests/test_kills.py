"""A process that is killed at any moment leaves nothing that the next one does not put right."""

from itertools import islice

import pytest
from flask import Flask

from . import databases
from .killed import Killing

pytestmark = pytest.mark.service
KILLS = 15  # on each database
STORIES = {  # the others are drawn by `make soak-kills`
    False: ("pay a renewal", "pay, silent after", "roll over three", "reduce, roll over", "delete a card"),
    True: ("pay an addition", "pay, 3-D Secure", "roll over", "roll over, silent before", "cancel, roll over"),
}


def test_a_killed_process_loses_and_doubles_nothing(app: Flask) -> None:
    killing = Killing(app, 1, STORIES[databases.POSTGRESQL])
    deaths = [killing.kill(*drawn) for drawn in islice(killing.draws(), KILLS)]
    assert all(death.killed for death in deaths)
    kinds = {death.moments[-1] for death in deaths}
    assert kinds >= {"before commit", "after commit", "before charge", "after charge"}
