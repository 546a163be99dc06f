"""What the archive holds, gaps that were closed left out."""

from __future__ import annotations

from pathlib import Path

from infrastructure.clock import VirtualClock
from system.algo_trader.market.bars import Series
from system.algo_trader.market.gap import Gap
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_test import bars
from system.algo_trader.storage.inventory import OpenGap, inventory, open_gaps
from system.algo_trader.storage.quota import set_quota
from system.algo_trader.storage.sweep import mark

MINUTE = 60_000_000_000
MINUTES = Series("AAPL", Timeframe.M1)


def test_a_gap_is_open_until_its_bars_are_there_and_counted_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([1.5, 2.5], series=MINUTES), "r1")
    with archive.transaction("r2") as transaction:
        transaction.record_gaps(MINUTES, [Gap(5 * MINUTE, 9 * MINUTE, 5)])
        transaction.record_gaps(MINUTES, [Gap(6 * MINUTE, 9 * MINUTE, 4)])
        transaction.record_gaps(MINUTES, [Gap(20 * MINUTE, 20 * MINUTE, 1)])
    assert open_gaps(archive, "bars_1m", "AAPL") == [
        OpenGap("rth", 5 * MINUTE, 9 * MINUTE, 5),
        OpenGap("rth", 20 * MINUTE, 20 * MINUTE, 1),
    ]
    archive.append(bars([1.5, 2.5], series=MINUTES, first=5), "r3")
    archive.append(bars([1.5], series=MINUTES, first=20), "r4")
    assert open_gaps(archive, "bars_1m", "AAPL") == [OpenGap("rth", 5 * MINUTE, 9 * MINUTE, 3)]
    assert open_gaps(archive, "gaps", "AAPL") == []


def test_the_inventory_says_rows_sizes_versions_and_a_writer_that_died(tmp_path: Path) -> None:
    archive = Archive(tmp_path, clock=VirtualClock(10**18))
    archive.append(bars([10.0, 11.0]), "first")
    archive.append(bars([12.0], first=2), "second")
    set_quota(tmp_path, 10**6)
    found = inventory(archive)
    files = [path.stat().st_size for path in tmp_path.rglob("*.parquet")]
    [dataset] = found["datasets"]
    assert (dataset["dataset"], dataset["rows"], dataset["parts"]) == ("bars_1d", 3, 2)
    assert (dataset["first"], dataset["last"]) == ("1970-01-01T00:00:00Z", "1970-01-03T00:00:00Z")
    assert (dataset["missing"], dataset["gaps"], dataset["schema_versions"]) == (0, [], [1])
    assert found["bytes"] == dataset["bytes"] == sum(files)
    assert found["quota_used"] == round(sum(files) / 10**6, 4)
    assert (found["data_version"], found["last_request"]) == (2, "second")
    assert found["last_commit"] == "2001-09-09T01:46:40Z"
    assert found["unfinished"] is False
    mark(tmp_path)
    assert inventory(archive)["unfinished"] is True
