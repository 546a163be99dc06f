"""Kill a stream in the middle of a minute; what it had published is in the archive once."""

import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.redis.embedded import url_with_password
from infrastructure.redis.frames import decode_frame
from infrastructure.supervision import Supervisor
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.testing.command_line import CommandLine

MINUTE = 60_000_000_000
RUN = ("--sim", "--symbols", "AAPL,MSFT,IBM", "stream", "--speed", "60", "--channels", "ticks")
VALUES = ("open", "high", "low", "close", "volume")
TRADE = ["symbol", "sequence", "ts_recv", "last", "volume"]


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def line(home: Path) -> Iterator[CommandLine]:
    made = CommandLine(home)
    assert made.run("services", "start").code == 0
    yield made
    made.run("services", "stop")


def _published(home: Path) -> pa.Table:
    endpoint = Supervisor(home / "services").status("redis").endpoint
    assert endpoint is not None
    with BaseRedisClient(url_with_password(endpoint), "algo_trader_sim") as redis:
        frames = [decode_frame(entry) for entry in redis.xrange("ticks")]
    return pa.concat_tables([frame.replace_schema_metadata(None) for frame in frames])


def _stored(home: Path, dataset: str) -> pa.Table:
    return Archive(home / "sim" / "archive").records(dataset, None)


def _count(table: pa.Table, names: list[str]) -> Counter[tuple[object, ...]]:
    return Counter(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def _killed_run(line: CommandLine, home: Path) -> None:
    """Run until something is in the archive and more is only in Redis, and kill it there."""
    with line.start(*RUN, "--commit-seconds", "4", "--json") as process:
        wait_until(lambda: bool(Archive(home / "sim" / "archive").commits()))
        stored = _stored(home, "quotes").num_rows
        wait_until(lambda: _published(home).num_rows > stored + 50)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def test_what_a_killed_run_published_is_in_the_archive_once_and_its_bars_are_rebuilt(
    line: CommandLine, home: Path
) -> None:
    _killed_run(line, home)
    published = _published(home)
    before = _count(_stored(home, "trades"), ["symbol", "sequence", "ts_recv", "price", "size"])
    trades = _count(published.filter(published.column("is_trade")), TRADE)
    assert before < trades
    second = line.run(*RUN, "--commit-seconds", "60", "--for", "1s", "--json")
    assert second.code == 0, second.err
    (recovered,) = second.json()["recovered"]
    assert recovered["updates"] > 0
    stored = _stored(home, "trades")
    after = _count(stored, ["symbol", "sequence", "ts_recv", "price", "size"])
    assert {row: after[row] for row in trades} == dict(trades)
    quotes = _count(
        published.filter(published.column("is_quote")), ["symbol", "sequence", "ts_recv", "bid"]
    )
    kept = _count(_stored(home, "quotes"), ["symbol", "sequence", "ts_recv", "bid_price"])
    assert {row: kept[row] for row in quotes} == dict(quotes)
    _bars_are_those_of_polars(published, home)
    third = line.run(*RUN, "--for", "1s", "--json")
    assert sum(each["updates"] for each in third.json()["recovered"]) == 0


def _bars_are_those_of_polars(published: pa.Table, home: Path) -> None:
    """Compare the minutes of the killed run that only it has seen: the second began anew."""
    last = max(published.column("ts_recv").to_pylist()) - 2_000_000_000
    frame = pl.from_arrow(published)
    assert isinstance(frame, pl.DataFrame)
    expected = {
        (row["symbol"], row["start"]): tuple(row[name] for name in "ohlcv")
        for row in frame.filter(pl.col("is_trade"))
        .sort("symbol", "ts_trade", "sequence")
        .group_by("symbol", (pl.col("ts_trade") // MINUTE * MINUTE).alias("start"))
        .agg(
            o=pl.col("last").first(),
            h=pl.col("last").max(),
            l=pl.col("last").min(),
            c=pl.col("last").last(),
            v=pl.col("volume").sum(),
        )
        .to_dicts()
        if row["start"] + MINUTE <= last
    }
    archive = Archive(home / "sim" / "archive")
    compared = 0
    for symbol in ("AAPL", "MSFT", "IBM"):
        rows = archive.revisions(symbol, Timeframe.M1).table.to_pylist()
        built = {(row["start"], *(row[name] for name in VALUES)) for row in rows}
        mine = {(start, *ohlcv) for (name, start), ohlcv in expected.items() if name == symbol}
        assert mine <= built
        compared += len(mine)
    assert compared > 3
