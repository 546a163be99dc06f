from pathlib import Path
from typing import Any

import fakeredis
import pytest

from infrastructure.errors import UsageError
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.storage.hot_keys import (
    ACCESS_TOKEN,
    GEX,
    KEYS,
    LAST_RUN,
    LEVEL2_CHANNEL,
    NAMED_WATCHLIST,
    OPTIONS,
    QUOTE,
    REFRESH_TOKEN,
    TICK_CHANNEL,
    WATCHLIST,
)


def test_names_and_lives_are_those_that_outlive_a_version() -> None:
    assert {key.pattern: key.ttl_s for key in KEYS if key.ttl_s} == {
        "gex:{symbol}": 30.0,
        "options:{symbol}:{expiry}": 60.0,
    }
    assert {key.pattern for key in KEYS if key.kind == "stream"} == {"ticks", "books", "bars"}
    assert all(bool(key.max_length) == (key.kind == "stream") for key in KEYS)
    assert (TICK_CHANNEL, LEVEL2_CHANNEL) == ("market_data:ticks", "market_data:level2")


def test_the_client_writes_keys_of_the_registry_only_with_their_type_and_life() -> None:
    server: Any = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    client = AlgoTraderRedisClient(
        "redis://127.0.0.1:1/0", Realm.sim(Path("home")), connect=lambda address, wait: server
    )
    client.save_access_token(b"a", 60)
    client.save_refresh_token(b"r")
    client.watchlist_add(["IBM"])
    client.watchlist_add(["IBM"], "tech")
    client.save_last_run({"a": 1})
    client.save_gex("SPY", {"a": 1})
    client.save_options("SPY", "2026-01-16", {"a": 1})
    quotes = client.hot_quotes()
    quotes.update(QUOTE.of(symbol="SPY"), {"bid": 1})
    assert quotes.flush()
    used = {
        "schwab_access_token": ACCESS_TOKEN,
        "schwab_refresh_token": REFRESH_TOKEN,
        "watchlist": WATCHLIST,
        "watchlist:tech": NAMED_WATCHLIST,
        "last_run": LAST_RUN,
        "gex:SPY": GEX,
        "options:SPY:2026-01-16": OPTIONS,
        "quote:SPY": QUOTE,
    }
    assert {key.decode() for key in server.scan_iter("*")} == {
        f"algo_trader_sim:{name}" for name in used
    }
    for name, key in used.items():
        full = f"algo_trader_sim:{name}"
        assert server.type(full).decode() == key.kind
        if key.ttl_s is not None:
            assert 0 < server.pttl(full) <= key.ttl_s * 1000
    assert server.ttl("algo_trader_sim:schwab_access_token") > 0


def test_a_name_takes_its_values_and_no_others() -> None:
    assert OPTIONS.of(symbol="SPY", expiry="2026-01-16") == "options:SPY:2026-01-16"
    assert GEX.of(symbol="SPY") == "gex:SPY"
    for wrong in ({}, {"symbol": ""}, {"symbol": "A", "expiry": "x"}):
        with pytest.raises(UsageError, match="needs"):
            QUOTE.of(**wrong)
