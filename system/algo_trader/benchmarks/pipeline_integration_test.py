"""Judge that nothing is lost between the socket, Redis, the archive and InfluxDB, by counting."""

from system.algo_trader.benchmarks.pipeline import measure


def test_every_update_is_in_every_place_once() -> None:
    counted = measure(symbols=40, rate=800, seconds=5.0)
    assert counted.sent > 40
    assert counted.received == counted.sent
    assert counted.in_redis == counted.accepted
    assert counted.archived == counted.rows
    assert counted.in_influxdb == counted.rows
    assert counted.gaps == 0
    assert counted.lost == 0
