"""What the service counts is what Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from system.algo_trader.api.http.figures import Figures


def test_prometheus_reads_what_was_counted() -> None:
    figures = Figures()
    took = (0.0005, 0.001, 0.0011, 0.3, 99.0)
    for each in took:
        figures.answered("/candles", 200, each, 1.0)
    figures.answered("/candles", 404, 0.002, 1.0)
    figures.refused("key")
    figures.socket("/ws", 1)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(figures.text().decode())
        for sample in family.samples
    }
    assert samples["algo_trader_api_requests_total", "/candles", "200"] == 5
    assert samples["algo_trader_api_requests_total", "/candles", "404"] == 1
    assert samples["algo_trader_api_seconds_count", "/candles"] == 6
    assert samples["algo_trader_api_seconds_sum", "/candles"] == sum(took) + 0.002
    # At most so long: a bound counts what is equal to it.
    for bound, count in (("0.001", 2), ("0.0025", 4), ("0.25", 4), ("0.5", 5), ("+Inf", 6)):
        key = ("algo_trader_api_seconds_bucket", *sorted(("/candles", bound)))
        assert samples[key] == count, bound
    assert samples["algo_trader_api_refused_total", "key"] == 1
    assert samples["algo_trader_api_sockets", "/ws"] == 1


def test_what_was_asked_lately_is_told() -> None:
    figures = Figures()
    assert figures.recent(0.0)["p95_ms"] is None
    for at in range(100):
        figures.answered("/x", 200, at / 1000, float(at))
    found = figures.recent(99.0)
    assert (found["total"], found["per_s"]) == (100, 61 / 60)
    assert 90 < found["p95_ms"] < 97
