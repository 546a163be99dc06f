import pytest

from infrastructure.errors import UsageError
from system.algo_trader.clients import redis_client
from system.algo_trader.storage.hot_keys import (
    ACCESS_TOKEN,
    GEX,
    KEYS,
    LAST_RUN,
    LEVEL2_CHANNEL,
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
    assert {key.pattern for key in KEYS if key.kind == "stream"} == {"ticks", "books"}
    assert all(bool(key.max_length) == (key.kind == "stream") for key in KEYS)
    assert (TICK_CHANNEL, LEVEL2_CHANNEL) == ("market_data:ticks", "market_data:level2")


def test_the_client_uses_the_registered_names() -> None:
    assert ACCESS_TOKEN.pattern == redis_client.ACCESS_TOKEN
    assert REFRESH_TOKEN.pattern == redis_client.REFRESH_TOKEN
    assert WATCHLIST.pattern == redis_client.WATCHLIST
    assert LAST_RUN.pattern == redis_client.LAST_RUN


def test_a_name_takes_its_values_and_no_others() -> None:
    assert OPTIONS.of(symbol="SPY", expiry="2026-01-16") == "options:SPY:2026-01-16"
    assert GEX.of(symbol="SPY") == "gex:SPY"
    for wrong in ({}, {"symbol": ""}, {"symbol": "A", "expiry": "x"}):
        with pytest.raises(UsageError, match="needs"):
            QUOTE.of(**wrong)
