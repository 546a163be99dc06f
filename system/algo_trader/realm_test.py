from __future__ import annotations

from pathlib import Path

from system.algo_trader.realm import Realm


def test_live_and_simulated_data_share_no_name() -> None:
    live, sim = Realm.live(Path("home")), Realm.sim(Path("home"))
    for name in ("redis_namespace", "database", "datasource_uid", "root", "archive"):
        assert getattr(live, name) != getattr(sim, name)


def test_names_are_those_that_outlive_a_version() -> None:
    sim = Realm.sim(Path("home"))
    assert (sim.redis_namespace, sim.database, sim.datasource_uid) == (
        "algo_trader_sim",
        "algo_trader_sim",
        "algo-influxdb3-sim",
    )
    assert Realm.live(Path("home")).datasource_uid == "algo-influxdb3"
    assert sim.archive == Path("home/sim/archive")
    assert sim.archive_root == Path("home/sim")
    assert sim.is_simulated
    assert not Realm.live(Path("home")).is_simulated
