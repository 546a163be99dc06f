"""Judge whose budget of requests a run takes from, without any server."""

from pathlib import Path
from typing import Any

import fakeredis

from infrastructure.clients.schwab_client_budget import KEY, SharedBudget
from infrastructure.clock import VirtualClock
from infrastructure.schwab.budget import PartOfBudget
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.runtime import Runtime
from system.algo_trader.settings import load

CREDENTIALS = {"SCHWAB_API_KEY": "k" * 32, "SCHWAB_SECRET": "s" * 16}


def run_in(home: Path, server: fakeredis.FakeServer, **options: Any) -> Runtime:
    settings = load(environment={"ALGO_TRADER_HOME": str(home), **CREDENTIALS}, workspace=home)
    made = Runtime(settings, clock=VirtualClock(0), **options)

    def connect(*_: Any) -> fakeredis.FakeRedis:
        return fakeredis.FakeRedis(server=server, protocol=2)

    # Stands for the client that would start a server.
    made.__dict__["redis"] = AlgoTraderRedisClient(
        "redis://host", Realm.live(home), connect=connect
    )
    return made


def test_a_run_takes_from_the_budget_that_all_processes_share(tmp_path: Path) -> None:
    server = fakeredis.FakeServer()
    whole, part = (
        run_in(tmp_path, server, live=True, **options)
        for options in ({}, {"requests_per_minute": 60})
    )
    assert isinstance(whole.budget, SharedBudget)
    assert isinstance(part.budget, PartOfBudget)
    # The part's own bucket of 5 is empty before the shared one of 20.
    assert [part.budget.take() == 0.0 for _ in range(6)] == [True] * 5 + [False]
    for _ in range(14):
        whole.budget.take()
    # Twenty were taken of the shared bucket by both; it refills by 1.7 a second meanwhile.
    left = fakeredis.FakeRedis(server=server).hget(f"algo_trader:{KEY}", "tokens")
    assert left is not None
    assert float(left) < 14


def test_the_simulator_has_no_budget_unless_one_is_asked_for(tmp_path: Path) -> None:
    server = fakeredis.FakeServer()
    assert run_in(tmp_path, server, sim=True).budget is None
    asked = run_in(tmp_path, server, sim=True, requests_per_minute=2).budget
    assert asked is not None
    assert [asked.take() == 0.0 for _ in range(2)] == [True, False]
