"""A recorded hour of bad weather; `chaos_soak_test.py` plays as many as one likes."""

import pytest

from infrastructure.clients.chaos.hour import play_hour
from infrastructure.clients.chaos.weather import CHANGES, FAULTS

SEEDS = (20130301,)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_an_hour_of_faults_the_client_has_what_the_simulator_has(seed: int) -> None:
    hour = play_hour(seed)
    assert {squall.name for squall in hour.done} == {*FAULTS, *CHANGES}
    assert hour.record.disconnects > 5
    assert hour.evictions > 0
    assert hour.answered > 10
    assert len(hour.orders.placed) > 10
