"""A session against a simulator, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.desk import REAL_NOW_NS, Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator


@pytest.fixture(scope="session")
def bokeh_market() -> ReplayMarket:
    return ReplayMarket.from_bokeh(clock=VirtualClock(0))


@pytest.fixture
def desk(bokeh_market: ReplayMarket) -> Iterator[Desk]:
    clock = VirtualClock(REAL_NOW_NS)
    with SchwabSimulator(bokeh_market, clock=clock) as simulator, requests.Session() as session:
        yield Desk(simulator, clock, session)


@pytest.fixture
def signed_in(desk: Desk) -> Desk:
    desk.sign_in()
    return desk
