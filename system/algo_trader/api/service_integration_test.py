"""The whole service as a process on seeded data, asked as its clients ask it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import TRADES
from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.running_service import (
    CHAIN_SYMBOL,
    TRADE_COUNT,
    RunningService,
    running_service,
)

ARROW = {"Accept": "application/vnd.apache.arrow.stream"}
LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


def archive_of(service: RunningService) -> Archive:
    return Archive(service.realm.archive)


def arrow(content: bytes) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
        return reader.read_all()


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000


def test_candles_are_the_archives_in_every_form(service: RunningService) -> None:
    path = "/api/v1/candles?symbol=aapl&timeframe=1m&limit=1000"
    stored = archive_of(service).winners("AAPL", Timeframe.M1).last(1000)
    columns = service.get(path).json()
    assert columns["rows"] == 1000
    assert [ns(each) for each in columns["columns"]["time"]] == stored.start.tolist()
    assert columns["columns"]["close"] == stored.floats("close").tolist()
    table = arrow(service.get(path, headers=ARROW).content)
    assert table.column("close").to_pylist() == columns["columns"]["close"]
    head, *lines = service.get(path, headers=LINES).text.splitlines()
    assert [json.loads(line)["close"] for line in lines] == columns["columns"]["close"]
    facts = json.loads(table.schema.metadata[b"algo_trader"])
    for name in ("source", "licence", "is_simulated", "is_synthetic", "as_of", "gaps"):
        assert facts[name] == columns[name] == json.loads(head)[name]
    assert (facts["source"], facts["is_simulated"], facts["is_synthetic"]) == (
        "schwab-sim", True, True,
    )  # fmt: skip


def test_the_pages_of_a_range_are_the_range(service: RunningService) -> None:
    base = "/api/v1/candles?symbol=MSFT&timeframe=1m&start_time=2024-01-10&end_time=2024-01-25"
    found: list[str] = []
    cursor, pages = "", 0
    while True:
        page = service.get(f"{base}&limit=700{cursor}").json()
        found += page["columns"]["time"]
        pages += 1
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    starts = archive_of(service).winners("MSFT", Timeframe.M1).start
    low, high = (int(datetime(2024, 1, day, 5, tzinfo=UTC).timestamp()) * 10**9 for day in (10, 25))
    wanted = starts[(starts >= low) & (starts < high)]
    assert [ns(each) for each in found] == wanted.tolist()
    assert pages == -(-len(wanted) // 700)


def test_a_long_range_is_streamed_as_it_is_stored(service: RunningService) -> None:
    base = "/api/v1/ticks/historical?symbols=AAPL&start_time=2024-01-31&limit=1000000"
    table = arrow(service.get(base, headers=ARROW).content)
    stored = archive_of(service).records(TRADES, "AAPL")
    assert table.num_rows == TRADE_COUNT
    assert table.column("price").to_pylist() == stored.column("price").to_pylist()
    lines = [json.loads(line) for line in service.get(base, headers=LINES).text.splitlines()]
    rows = [line for line in lines if "price" in line]
    assert [row["price"] for row in rows] == stored.column("price").to_pylist()
    assert all(line["source"] == "file" for line in lines)
    refused = service.get(base)
    assert (refused.status_code, refused.json()["parameter"]) == (400, "limit")


def test_ticks_of_one_instant_are_given_out_once_across_pages(service: RunningService) -> None:
    base = "/api/v1/ticks/historical?symbols=AAPL,MSFT&kind=quotes&start_time=2024-01-31&limit=999"
    found: list[int] = []
    cursor = ""
    while True:
        page = service.get(f"{base}{cursor}").json()
        found += page["columns"]["sequence"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == list(range(TRADE_COUNT))


def test_bars_of_stored_trades_are_what_numpy_makes_of_them(service: RunningService) -> None:
    path = "/api/v1/ticks/historical?symbols=AAPL&interval=5m&start_time=2024-01-31"
    bars = service.get(path).json()["columns"]
    trades = archive_of(service).records(TRADES, "AAPL")
    price, size = (trades.column(name).to_numpy() for name in ("price", "size"))
    group = np.arange(TRADE_COUNT) // 300
    for number in range(group[-1] + 1):
        mine = price[group == number]
        assert bars["open"][number] == mine[0]
        assert bars["close"][number] == mine[-1]
        assert (bars["high"][number], bars["low"][number]) == (mine.max(), mine.min())
        assert bars["volume"][number] == size[group == number].sum()
    assert len(bars["open"]) == group[-1] + 1


def test_a_chain_is_found_filtered_and_summed(service: RunningService) -> None:
    name = CHAIN_SYMBOL
    chain = service.get(f"/api/v1/options/{name}?strikes=3&right=C").json()
    assert set(chain["columns"]["right"]) == {"C"}
    assert len(set(chain["columns"]["strike"])) == 3
    assert chain["summary"]["store"] == "archive"
    gex = service.get(f"/api/v1/gex/{name}").json()
    columns = gex["columns"]
    total = sum(columns["gex_call"]) + sum(columns["gex_put"])
    assert gex["summary"]["net_gex"] == pytest.approx(total, rel=1e-9)
    assert sum(columns["gex_net"]) == pytest.approx(total, rel=1e-9)
    metrics = service.get(f"/api/v1/metrics/{name}").json()
    values = dict(zip(metrics["columns"]["metric"], metrics["columns"]["value"], strict=True))
    assert values["net_gex"] == pytest.approx(total, rel=1e-9)
    assert values["tape_delta"] is None
    assert "no trades" in metrics["summary"]["tape"]["reason"]


def test_levels_tape_and_quality_answer(service: RunningService) -> None:
    levels = service.get("/api/v1/levels/AAPL?date=2024-01-31").json()
    rows = dict(zip(levels["columns"]["level"], levels["columns"]["price"], strict=True))
    day = archive_of(service).winners("AAPL", Timeframe.D1)
    high, low, close = (float(day.floats(name)[-2]) for name in ("high", "low", "close"))
    assert rows["P"] == pytest.approx((high + low + close) / 3, abs=0.005)
    tape = service.get("/api/v1/tape/AAPL").json()
    sizes = archive_of(service).records(TRADES, "AAPL").column("size").to_numpy()
    columns = tape["columns"]
    counted = sum(
        columns[name][row] or 0
        for name in ("buy_volume", "sell_volume", "unknown_volume")
        for row in range(tape["rows"])
    )
    assert counted == sizes.sum()
    assert tape["is_sampled"] is False
    quality = service.get("/api/v1/quality?symbols=MSFT&days=3").json()
    assert quality["columns"]["present"] == [390, 390, 390]


def test_what_did_not_change_is_not_sent_again(service: RunningService) -> None:
    path = "/api/v1/candles?symbol=AAPL&timeframe=1d&limit=5"
    first = service.get(path)
    again = service.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    other = service.get(path, headers={**ARROW, "If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/api/v1/candles", 400, "symbol"),
        ("/api/v1/candles?symbol=AAPL&timeframe=7m", 400, "timeframe"),
        ("/api/v1/candles?symbol=AAPL&limit=0", 400, "limit"),
        ("/api/v1/candles?symbol=AAPL&limit=many", 400, "limit"),
        ("/api/v1/candles?symbol=AAPL&start_time=yesterday", 400, "start_time"),
        ("/api/v1/candles?symbol=AAPL&colour=red", 400, "colour"),
        ("/api/v1/candles?symbol=AAPL&symbol=MSFT", 400, "symbol"),
        ("/api/v1/candles?symbol=AAPL&cursor=!!", 400, "cursor"),
        ("/api/v1/candles?symbol=ZZZZ", 404, None),
        ("/api/v1/nothing", 404, None),
        ("/api/v1/options/$SPX?expiry=2030-01-01", 404, None),
        ("/api/v1/levels/AAPL?date=2024-01-01", 400, None),
        ("/api/v1/quotes?symbols=AAPL", 404, None),
    ],
)
def test_wrong_input_is_named(
    service: RunningService, path: str, status: int, parameter: str | None
) -> None:
    answer = service.get(path)
    problem: dict[str, Any] = answer.json()
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem.get("parameter") == parameter
    assert problem["detail"]


def test_a_revoked_key_is_refused_within_a_second(service: RunningService) -> None:
    key = service.key("read:ticks", rate=1000)
    path = "/api/v1/candles?symbol=AAPL&limit=1"
    assert service.get(path, key).status_code == 200
    CommandLine(service.home).run("--sim", "keys", "revoke", key.split("_")[1])
    revoked = monotonic()
    while service.get(path, key).status_code == 200:
        assert monotonic() - revoked < 1.0
        sleep(0.02)
    assert service.get(path, key).status_code == 401
