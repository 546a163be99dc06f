"""Redis gone for a minute, InfluxDB for five: what came meanwhile is everywhere once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.stream_deeds import Deed, Stage, perform, served_home

LONGEST_S = 900.0


@pytest.fixture
def home() -> Iterator[Path]:
    with served_home() as folder:
        yield folder


def away(service: str, seconds: float) -> Deed:
    """Return a deed that ends a server and starts it again after a while."""

    def deed(stage: Stage) -> None:
        line = CommandLine(stage.home)
        assert line.run("services", "stop", service).code == 0
        before = stage.sent()
        threading.Event().wait(seconds)
        assert stage.sent() > before + seconds
        assert line.run("services", "start", service).code == 0
        stage.reach_redis()
        stage.streams()

    return deed


@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize(("service", "seconds"), [("redis", 60.0), ("influxdb", 300.0)])
def test_a_server_that_was_away_gets_what_came_meanwhile(
    home: Path, service: str, seconds: float
) -> None:
    _, document, gaps = perform(home, away(service, seconds), LONGEST_S)
    assert document["reconnects"] == 0
    assert [gap for gap in gaps if gap.reason != "silent"] == []
