"""A session as a model holds one: ten questions, their answers computed anew beside them.

What is right is found by polars in the archive's files, and by NumPy from what was stored in them;
nothing of the service's own reading is used.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
import requests
from mcp import Client
from scipy.stats import norm

from system.algo_trader.options.chain import Chain
from system.algo_trader.options.synthetic import RATE, YIELD, synthetic_chain
from system.algo_trader.testing.model_client import asked, over_http, rows_of
from system.algo_trader.testing.running_service import RunningService, running_service

YEAR_NS = 365 * 86_400 * 10**9


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


def stored(service: RunningService, dataset: str) -> pl.DataFrame:
    return pl.read_parquet(f"{service.realm.archive}/**/{dataset}/**/*.parquet")


def bars(service: RunningService, timeframe: str, symbol: str) -> pl.DataFrame:
    found = stored(service, f"bars_{timeframe}").filter(pl.col("symbol") == symbol)
    return found.sort("start")


def the_chain() -> Chain:
    """Return the chain that was stored, made anew."""
    return synthetic_chain(spot=6000.0, expiries=4, strikes=41, half_spread=0.05)


def at(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def last_close(client: Client, service: RunningService) -> None:
    answer = await asked(client, "candles", symbol="aapl", limit=1)
    (row,) = rows_of(answer)
    expected = bars(service, "1d", "AAPL").row(-1, named=True)
    assert row["close"] == expected["close"]
    assert (answer["source"], answer["is_simulated"]) == ("schwab-sim", True)


async def busiest_minute(client: Client, service: RunningService) -> None:
    """Ask page by page, as `next` says."""
    words = {"symbol": "MSFT", "timeframe": "1m", "start_time": "2024-01-30"}
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(20):
        answer = await asked(client, "candles", **words, **cursor)
        rows += rows_of(answer)
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    frame = bars(service, "1m", "MSFT")
    begin = int(datetime(2024, 1, 30, 5, tzinfo=UTC).timestamp()) * 10**9
    expected = frame.filter(pl.col("start") >= begin)
    assert [row["time"] for row in rows] == [at(each) for each in expected["start"]]
    best = max(rows, key=lambda row: int(row["volume"]))
    assert best["time"] == at(expected["start"][int(expected["volume"].arg_max() or 0)])


async def average_price_of_the_tape(client: Client, service: RunningService) -> None:
    answer = await asked(client, "tape", symbol="AAPL", date="2024-01-31")
    trades = stored(service, "trades")
    price, size = (trades[name].to_numpy() for name in ("price", "size"))
    expected = (price * size).sum() / size.sum()
    assert answer["summary"]["vwap"] == pytest.approx(expected, rel=1e-6)
    assert answer["summary"]["volume"] == size.sum()


async def large_trades(client: Client, service: RunningService) -> None:
    answer = await asked(
        client, "sql", sql="SELECT count(*) AS n, sum(size) AS shares FROM trades WHERE size >= 50"
    )
    large = stored(service, "trades").filter(pl.col("size") >= 50)
    (row,) = rows_of(answer)
    assert (row["n"], row["shares"]) == (large.height, large["size"].sum())
    assert answer["source"] == "file"


async def mean_spread(client: Client, service: RunningService) -> None:
    answer = await asked(
        client,
        "sql",
        sql="SELECT avg(ask_price - bid_price) AS spread FROM quotes WHERE symbol = 'AAPL'",
    )
    quotes = stored(service, "quotes")
    expected = (quotes["ask_price"] - quotes["bid_price"]).mean()
    assert rows_of(answer)[0]["spread"] == pytest.approx(expected, rel=1e-6)


async def puts_for_a_call(client: Client, service: RunningService) -> None:
    answer = await asked(client, "gex", symbol="$SPX")
    chain = the_chain()
    puts, calls = (chain.open_interest[mask].sum() for mask in (~chain.is_call, chain.is_call))
    assert answer["summary"]["put_call_open_interest"] == pytest.approx(puts / calls, rel=1e-6)


async def net_gamma(client: Client, service: RunningService) -> None:
    """Compare with Black and Scholes, written down here."""
    answer = await asked(client, "gex", symbol="$SPX")
    chain = the_chain()
    years = (chain.settles_ns - chain.as_of_ns) / YEAR_NS
    sigma, spot = chain.vendor_volatility, chain.spot
    d1 = (np.log(spot / chain.strike) + (RATE - YIELD + sigma**2 / 2) * years) / (
        sigma * np.sqrt(years)
    )
    gamma = np.exp(-YIELD * years) * norm.pdf(d1) / (spot * sigma * np.sqrt(years))
    dollars = gamma * chain.open_interest * 100 * spot**2 * 0.01
    total = answer["summary"]["total"]["gex"]
    assert total["call"] == pytest.approx(dollars[chain.is_call].sum(), rel=5e-3)
    assert total["put"] == pytest.approx(-dollars[~chain.is_call].sum(), rel=5e-3)
    assert total["net"] == pytest.approx(total["call"] + total["put"], rel=1e-5)


async def crowded_strike(client: Client, service: RunningService) -> None:
    listed = (await asked(client, "gex", symbol="$SPX"))["summary"]["expiries"]
    answer = await asked(client, "option_chain", symbol="$SPX", right="C", expiry=listed[0]["date"])
    chain = the_chain()
    mask = chain.is_call & (chain.settles_ns == chain.settles_ns.min())
    rows = rows_of(answer)
    assert len(rows) == mask.sum()
    best = max(rows, key=lambda row: float(row["open_interest"]))
    expected = chain.strike[mask][np.argmax(chain.open_interest[mask])]
    assert best["strike"] == pytest.approx(expected, rel=1e-6)


async def pivot(client: Client, service: RunningService) -> None:
    answer = await asked(client, "levels", symbol="MSFT", date="2024-01-31")
    minutes = bars(service, "1m", "MSFT").with_columns(
        day=pl.from_epoch("start", time_unit="ns").dt.date()
    )
    before = minutes.filter(pl.col("day") < pl.date(2024, 1, 31))
    before = before.filter(pl.col("day") == before["day"].max())
    daily = bars(service, "1d", "MSFT").row(-2, named=True)
    by_day = (daily["high"] + daily["low"] + daily["close"]) / 3
    by_minute = (before["high"].max() + before["low"].min() + before["close"][-1]) / 3  # type: ignore[operator]
    shown = {row["level"]: row["price"] for row in rows_of(answer)}["P"]
    assert min(abs(shown - by_day), abs(shown - by_minute)) <= 0.0051


async def coverage(client: Client, service: RunningService) -> None:
    answer = await asked(client, "quality", symbols="MSFT", days=5)
    days = bars(service, "1m", "MSFT").select(
        pl.from_epoch("start", time_unit="ns").dt.date().alias("day")
    )
    counts = days.group_by("day").len().sort("day").tail(5)
    rows = sorted(rows_of(answer), key=lambda row: str(row["date"]))
    assert [row["present"] for row in rows] == counts["len"].to_list()
    assert [row["date"] for row in rows] == [str(each) for each in counts["day"]]


async def moving_together(client: Client, service: RunningService) -> None:
    answer = await asked(
        client,
        "sql",
        sql="SELECT corr(a.close, m.close) AS r, count(*) AS n FROM bars_1d a JOIN bars_1d m "
        "USING (start, session, adjustment) WHERE a.symbol = 'AAPL' AND m.symbol = 'MSFT'",
    )
    closes = [bars(service, "1d", symbol)["close"].to_numpy() for symbol in ("AAPL", "MSFT")]
    (row,) = rows_of(answer)
    assert row["r"] == pytest.approx(np.corrcoef(closes[0], closes[1])[0, 1], rel=1e-6)
    assert row["n"] == len(closes[0])


QUESTIONS = (
    *(last_close, busiest_minute, average_price_of_the_tape, large_trades, mean_spread),
    *(puts_for_a_call, net_gamma, crowded_strike, pivot, coverage, moving_together),
)


def test_a_session_of_questions_is_answered_as_the_data_say(service: RunningService) -> None:
    async def talk() -> None:
        async with over_http(service, service.key("read:ticks", "read:options")) as client:
            for question in QUESTIONS:
                await question(client, service)

    asyncio.run(talk())


def test_sql_over_http_is_an_answer_like_any_other(service: RunningService) -> None:
    both = {"Authorization": f"Bearer {service.key('read:ticks', 'read:options')}"}
    body = {"sql": "SELECT symbol, count(*) AS n FROM bars_1m GROUP BY 1 ORDER BY 1"}
    with requests.Session() as session:
        session.trust_env = False
        url = f"{service.url}/api/v1/sql"
        answer = session.post(url, json=body, headers=both, timeout=30)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        counts = stored(service, "bars_1m").group_by("symbol").len().sort("symbol")
        assert found["columns"] == {
            "symbol": counts["symbol"].to_list(),
            "n": counts["len"].to_list(),
        }
        assert (found["source"], found["is_synthetic"]) == ("schwab-sim", True)
        cut = session.post(url, json={**body, "max_rows": 1}, headers=both, timeout=30).json()
        assert (cut["rows"], cut["summary"]["truncated"]) == (1, True)
        for wrong in (
            {"sql": "SELECT * FROM read_text('/etc/passwd')"},
            {"sql": "SELECT 1", "max_rows": 10_001},
            {"sql": "SELECT 1", "max_rows": 0},
            {"sql": "SELECT 1", "timeout_s": 100},
            {"sql": ""},
            {},
        ):
            refused = session.post(url, json=wrong, headers=both, timeout=30)
            assert refused.status_code == 400, refused.text
            assert refused.headers["content-type"] == "application/problem+json"
        for scope in ("read:ticks", "read:options"):
            one = {"Authorization": f"Bearer {service.key(scope)}"}
            assert session.post(url, json=body, headers=one, timeout=30).status_code == 403
