"""A chain that the gateway does not let through whole comes in parts and says the same."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infrastructure.errors import AnswerTooLarge, NoDataError
from infrastructure.simulators.schwab import chains
from system.algo_trader.feeds.schwab_chain import fetch_schwab_chain
from system.algo_trader.options.gex import gex_report
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.runtime import Runtime
from system.algo_trader.settings import load


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path))
    monkeypatch.setenv("ALGO_TRADER_PROBE_DEFAULT_PORTS", "off")
    with Runtime(load(), sim=True) as made:
        yield made


def requests_for(runtime: Runtime, path: str) -> int:
    assert runtime.simulator is not None
    return runtime.simulator.requests.count(f"GET /marketdata/v1/{path}")


def test_a_chain_above_the_gateways_limit_is_fetched_in_parts_and_gives_the_same_report(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = runtime.handler.client()
    whole = fetch_schwab_chain(client, "AAPL").chain
    one = requests_for(runtime, "chains")
    monkeypatch.setattr(chains, "GATEWAY_LIMIT", 300_000)
    parts = fetch_schwab_chain(client, "AAPL").chain
    assert requests_for(runtime, "expirationchain") == 1
    assert requests_for(runtime, "chains") - one > 3
    assert len(parts) == len(whole) > 1000
    for column in ("settles_ns", "strike", "is_call", "bid", "ask", "open_interest"):
        assert np.array_equal(getattr(parts, column), getattr(whole, column))
    assert parts.spot == whole.spot
    # The replay's clock ran on between the two.
    assert parts.as_of_ns >= whole.as_of_ns
    told = [
        gex_report(each, now_ns=whole.as_of_ns, curve=RateCurve.flat(0.0)).as_dict()
        for each in (whole, replace(parts, as_of_ns=whole.as_of_ns))
    ]
    assert told[0] == told[1]


def test_a_single_expiry_above_the_limit_is_one_error(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains, "GATEWAY_LIMIT", 1000)
    with pytest.raises(AnswerTooLarge):
        fetch_schwab_chain(runtime.handler.client(), "AAPL")


def test_an_unknown_symbol_has_no_options(runtime: Runtime) -> None:
    with pytest.raises(NoDataError, match="Schwab lists no options on ZZZZ"):
        fetch_schwab_chain(runtime.handler.client(), "ZZZZ")
