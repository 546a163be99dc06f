"""Judge the rows of `pipeline_metrics` by what a run has counted, figure by figure."""

from __future__ import annotations

from collections import Counter

from system.algo_trader.feeds.live import GapEvent
from system.algo_trader.market.stream_gap import GapState
from system.algo_trader.pipeline.counts import LiveCounts
from system.algo_trader.pipeline.gap_log import GapLog
from system.algo_trader.pipeline.live_metrics import Moment, live_metrics
from system.algo_trader.storage.tables import table_named

S = 1_000_000_000
EQUITIES, CHART = "LEVELONE_EQUITIES", "CHART_EQUITY"


def rows() -> dict[str, dict[str, object]]:
    counts = LiveCounts(
        received=Counter({EQUITIES: 10}), accepted=Counter({EQUITIES: 8}),
        rejected=Counter({"spike": 2}), stored=13, bars=Counter({"1s": 5, "1m": 1}), late=4,
        gaps=Counter({CHART: 1}), reconnects=3,
    )  # fmt: skip
    counts.lag.add(3_000_000, 8)
    counts.to_redis.add(900_000, 8)
    gaps = GapLog()
    gaps.add(GapEvent(CHART, "sequence", 10 * S, 12 * S, 7))
    states = {CHART: {str(GapState.OPEN): 1, str(GapState.BACKFILLED): 2}}
    moment = Moment("r1", 99, 120.0, (6, 2), states, ((CHART,), ("AAPL", "IBM")))
    return {str(row["job"]): row for row in live_metrics(counts, gaps, moment)}


def test_the_whole_is_one_row_of_totals() -> None:
    [whole] = [row for job, row in rows().items() if "/" not in job]
    assert (whole["time"], whole["run_id"], whole["failed"]) == (99, "r1", False)
    assert (whole["fetched"], whole["new"], whole["rejected"], whole["written"]) == (10, 8, 2, 13)
    assert (whole["gaps"], whole["revised"], whole["bars"], whole["reconnects"]) == (1, 4, 6, 3)
    assert (whole["waiting_redis"], whole["waiting_archive"]) == (6, 2)
    assert (whole["token_age_s"], whole["silent"]) == (120.0, 3)
    assert (whole["gaps_open"], whole["gaps_backfilled"], whole["gaps_lost"]) == (1, 2, 0)
    lag, to_redis = whole["lag_ms"], whole["latency_ms"]
    assert isinstance(lag, float)
    assert isinstance(to_redis, float)
    # A bucket is a twelfth wide at most.
    assert 3.0 <= lag <= 3.3
    assert 0.9 <= to_redis <= 1.0


def test_each_service_and_each_rule_has_a_row_of_its_own() -> None:
    found = {job.partition("/")[2]: row for job, row in rows().items()}
    assert set(found) == {"", EQUITIES, CHART, "rule/spike"}
    assert (found[EQUITIES]["fetched"], found[EQUITIES]["new"], found[EQUITIES]["gaps"]) == (
        10, 8, 0
    )  # fmt: skip
    chart = found[CHART]
    assert (chart["gaps"], chart["missing"], chart["gap_s"], chart["silent"]) == (1, 7, 2.0, 1)
    assert (chart["gaps_open"], chart["gaps_backfilled"]) == (1, 2)
    assert found["rule/spike"]["rejected"] == 2


def test_every_figure_is_a_column_of_the_table() -> None:
    columns = {column.name for column in table_named("pipeline_metrics").columns} | {"time"}
    for row in rows().values():
        assert set(row) <= columns
