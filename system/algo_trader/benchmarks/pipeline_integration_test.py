"""Judge that nothing is lost between the socket, Redis, the archive and InfluxDB, by counting."""

from system.algo_trader.benchmarks.pipeline_counts import Plan
from system.algo_trader.benchmarks.pipeline_run import measure


def test_a_minute_of_ten_thousand_updates_a_second_is_in_every_place_once() -> None:
    counted = measure(Plan(symbols=1_000, rate=10_000, seconds=60.0, bursts=2))
    # A busy machine may send and carry less; what was sent is everywhere, each update once.
    assert counted.sent > 60_000
    assert counted.received == counted.sent
    assert counted.in_redis == counted.accepted
    assert counted.archived == counted.rows
    assert counted.in_influxdb == counted.rows
    assert (counted.gaps, counted.conflated, counted.lost) == (0, 0, 0)
    assert counted.rss_growth < 0.1
