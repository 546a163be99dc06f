"""Judge what a process shows by Prometheus' own parser, and its health by what happened to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from infrastructure.clock import VirtualClock
from infrastructure.errors import ConfigError, PortTaken, UsageError
from system.algo_trader.feeds.live import FeedHealth
from system.algo_trader.pipeline.counts import LiveCounts
from system.algo_trader.processes.control import Processes
from system.algo_trader.processes.face import Face
from system.algo_trader.processes.health import Health, Pulse, State
from system.algo_trader.processes.order import Order, health_at, spec_of
from system.algo_trader.processes.pulse_figures import PulseFigures
from system.algo_trader.processes.run_figures import RunFigures
from system.algo_trader.processes.run_health import run_health
from system.algo_trader.settings import AppSettings, load

CONNECTED = FeedHealth(
    connected=True, connections=1, updates=9, bad_frames=1, waiting=4, conflated=2, dropped=0,
    unseen={},
)  # fmt: skip


def run(**changes: Any) -> Any:
    """A run that has done something."""
    counts = LiveCounts(
        received=Counter(LEVELONE_EQUITIES=10), accepted=Counter(LEVELONE_EQUITIES=8),
        rejected=Counter(spike=2), published=8, stored=13, bars=Counter({"1s": 5, "1m": 1}),
        gaps=Counter(LEVELONE_EQUITIES=1), reconnects=3, unknown={"XX"}, write_errors=0,
    )  # fmt: skip
    counts.lag.add(3_000_000, 8)
    counts.to_redis.add(900_000, 6)
    counts.to_redis.add(40_000_000, 2)
    values = {
        "counts": counts, "waiting": (7, 2), "health": CONNECTED, "beat_ns": 0, "status": "gone",
        "token_age_s": lambda: 120.0,
        "gap_states": lambda: {"LEVELONE_EQUITIES": {"open": 1, "backfilled": 2}},
        **changes,
    }  # fmt: skip
    return SimpleNamespace(**values)


@pytest.fixture
def face() -> Iterator[Face]:
    shown = Face(Health.of, [RunFigures(run())], facts={"realm": "sim", "is_synthetic": "true"})
    with shown.shown():
        yield shown


def samples(text: str) -> dict[tuple[str, str], float]:
    """Return values by the sample's name and its labels as JSON."""
    return {
        (sample.name, json.dumps(sample.labels, sort_keys=True)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_figure_of_a_run_is_read_by_prometheus(face: Face) -> None:
    found = samples(requests.get(f"{face.url}/metrics", timeout=5).text)

    def value(name: str, **labels: str) -> float:
        return found[name, json.dumps(labels, sort_keys=True)]

    stream = "algo_trader_stream"
    assert value(f"{stream}_received_total", service="LEVELONE_EQUITIES") == 10
    assert value(f"{stream}_accepted_total", service="LEVELONE_EQUITIES") == 8
    assert value(f"{stream}_rejected_total", rule="spike") == 2
    assert (value(f"{stream}_published_total"), value(f"{stream}_stored_total")) == (8, 13)
    assert value(f"{stream}_bars_total", timeframe="1m") == 1
    assert value(f"{stream}_gaps_total", service="LEVELONE_EQUITIES") == 1
    assert value(f"{stream}_reconnects_total") == 3
    assert value(f"{stream}_queue_depth", queue="to_redis") == 7
    assert value(f"{stream}_queue_depth", queue="from_feed") == 4
    assert value(f"{stream}_token_age_seconds") == 120
    assert value(f"{stream}_recorded_gaps", service="LEVELONE_EQUITIES", state="backfilled") == 2
    assert value("algo_trader_info", realm="sim", is_synthetic="true") == 1


def test_histograms_count_up_to_each_bound(face: Face) -> None:
    found = samples(requests.get(f"{face.url}/metrics", timeout=5).text)
    name = "algo_trader_stream_to_redis_seconds"
    buckets = {
        float(json.loads(labels)["le"]): count
        for (sample, labels), count in found.items()
        if sample == f"{name}_bucket"
    }
    counted = [count for _, count in sorted(buckets.items())]
    assert counted == sorted(counted)
    assert buckets[0.000512] == 0
    assert buckets[0.001024] == 6
    assert buckets[0.032768] == 6
    assert buckets[0.065536] == buckets[float("inf")] == 8
    assert found[f"{name}_count", "{}"] == 8
    assert found[f"{name}_sum", "{}"] == pytest.approx(6 * 0.0009 + 2 * 0.04)


def test_health_is_a_status_a_word_and_reasons() -> None:
    health = Health.of(("late",))
    face = Face(lambda: health)
    with face.shown():
        answer = requests.get(f"{face.url}/health", timeout=5)
        assert (answer.status_code, answer.json()) == (
            200, {"state": "degraded", "reasons": ["late"]}
        )  # fmt: skip
        health = Health.of(("late",), ("stuck",))
        answer = requests.get(f"{face.url}/health", timeout=5)
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["stuck", "late"])
        assert health_at(face.url) == {"state": "down", "reasons": ["stuck", "late"]}
        assert requests.get(f"{face.url}/secret", timeout=5).status_code == 404
    assert health_at(face.url) is None


def test_a_page_of_another_site_is_refused(face: Face) -> None:
    answer = requests.get(f"{face.url}/health", headers={"Host": "evil.example"}, timeout=5)
    assert answer.status_code == 421


def test_a_port_that_is_taken_is_named(face: Face) -> None:
    port = int(face.url.rpartition(":")[2])
    with pytest.raises(PortTaken, match=f"port {port}"):
        Face(Health.of, port=port)


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"counts": LiveCounts()}, State.OK, None),
        ({"counts": LiveCounts(write_errors=2)}, State.DEGRADED, "2 writes to InfluxDB failed"),
        ({"counts": LiveCounts(unknown={"XX"})}, State.DEGRADED, "1 keys are refused"),
        (
            {"counts": LiveCounts(), "health": replace(CONNECTED, connected=False)},
            *(State.DEGRADED, "gone"),
        ),
        (
            {"counts": LiveCounts(), "health": replace(CONNECTED, dropped=5)},
            *(State.DEGRADED, "5 updates were dropped"),
        ),
        ({"counts": LiveCounts(), "waiting": (1_500, 1)}, State.DEGRADED, "1501 frames"),
        (
            {"counts": LiveCounts(), "beat_ns": -31_000_000_000},
            *(State.DOWN, "nothing has moved for 31 s"),
        ),
    ],
)
def test_a_runs_health_says_what_is_wrong(
    changes: dict[str, Any], state: State, reason: str | None
) -> None:
    clock = VirtualClock(0)
    started = clock.monotonic_ns()
    changes = {"beat_ns": 0, **changes}
    changes["beat_ns"] += started
    health = run_health(run(**changes), clock)
    assert health.state is state
    assert (reason is None) == (not health.reasons)
    if reason is not None:
        assert health.reasons[0].startswith(reason)


def test_a_pulse_is_silent_after_its_time() -> None:
    clock = VirtualClock(0)
    pulse = Pulse(clock, longest_s=60)
    pulse.beat()
    clock.sleep(60)
    assert pulse.health() == Health.of()
    clock.sleep(1)
    assert pulse.health().reasons == ("its last round was 61 s ago",)
    rounds, silent = PulseFigures(pulse).collect()
    assert (rounds.samples[0].value, silent.samples[0].value) == (1, 61)


def settings(home: Path, **environment: str) -> AppSettings:
    return load({}, environment={"ALGO_TRADER_HOME": str(home), **environment}, workspace=home)


def test_secrets_of_a_shell_are_refused_and_never_passed_on(tmp_path: Path) -> None:
    told = settings(tmp_path, SCHWAB_API_KEY="app-key-1", SCHWAB_SECRET="s3cret-word")
    with pytest.raises(ConfigError, match="SCHWAB_API_KEY, SCHWAB_SECRET stands in this shell"):
        spec_of(Order("stream", (), False), told, tmp_path)
    with pytest.raises(ConfigError, match="REDIS_URL"):
        spec_of(
            Order("stream", (), False),
            settings(tmp_path, REDIS_URL="redis://:pass-word@127.0.0.1:1/0"),
            tmp_path,
        )


def test_an_order_keeps_its_side_and_its_options(tmp_path: Path) -> None:
    order = Order("stream", ("--channels", "ticks"), True)
    order.write(tmp_path)
    assert Order.read("stream", tmp_path) == order
    assert Order.read("stream", tmp_path / "other") is None
    argv = spec_of(order, settings(tmp_path), tmp_path).argv
    assert argv[-4:] == ("stream", "--json", "--channels", "ticks")
    assert "--sim" in argv
    assert (
        "--live" in spec_of(replace(order, is_simulated=False), settings(tmp_path), tmp_path).argv
    )


def test_unknown_names_and_options_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    processes = Processes(settings(tmp_path))
    with pytest.raises(UsageError, match="'foo' is no service"):
        processes.status("foo")
    with pytest.raises(UsageError, match="cannot be read"):
        processes.start("stream", "--channels 'ticks", is_simulated=True)
