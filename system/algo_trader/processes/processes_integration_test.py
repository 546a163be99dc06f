"""A kept stream: it answers, comes back after kill -9, drains at its stop, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from infrastructure.supervision.process import is_alive, start_time
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import QUOTES
from system.algo_trader.testing.command_line import kept

WAIT_S = 90.0


class Home:
    """Run the program in a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def say(self, *words: str) -> tuple[int, Any, str]:
        """Run a command; return its exit code, what it printed as JSON, and its errors."""
        places = os.pathsep.join(place for place in sys.path if place)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "system.algo_trader.main"),
                *("--home", str(self.folder), "--sim", *words, "--json"),
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "PYTHONPATH": places,
                **kept(),
            },
            capture_output=True,
            text=True,
            timeout=WAIT_S * 2,
            check=False,
        )
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    def stream(self) -> dict[str, Any]:
        """Return the row of the stream."""
        row: dict[str, Any] = self.say("services", "status", "stream")[1][0]
        return row


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.say("services", "stop")


def wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def published(url: str) -> float:
    text = requests.get(f"{url}/metrics", timeout=5).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "algo_trader_stream_published_total":
                return float(sample.value)
    raise AssertionError(text)


def test_a_kept_stream_is_watched_restarted_and_drained(home: Home) -> None:
    code, [row], error = home.say(
        *("services", "start", "stream", "--with", "--speed 20 --commit-seconds 600")
    )
    assert (code, row["state"]) == (0, "running"), error
    wait_until(lambda: published(row["url"]) > 20)
    assert home.stream()["health"] == "ok"

    code, _, error = home.say("services", "start", "stream")
    assert (code, "runs already" in error) == (2, True)

    os.kill(row["pid"], signal.SIGKILL)
    wait_until(lambda: home.stream()["restarts"] == 1 and home.stream()["state"] == "running")
    again = home.stream()
    assert again["pid"] != row["pid"]
    wait_until(lambda: published(again["url"]) > 20)

    before, began = published(again["url"]), start_time(again["pid"])
    code, rows, _ = home.say("services", "stop")
    assert code == 0
    assert {each["name"]: each["state"] for each in rows}["stream"] == "stopped"
    # The archive was due in ten minutes: the stop has stored what there was by then.
    quotes = Archive(Realm.sim(home.folder).archive).records(QUOTES, None)
    assert quotes.num_rows >= before
    assert began is not None
    assert not is_alive(again["pid"], began)
    assert home.say("services", "status", "redis")[1][0]["state"] == "stopped"


def test_what_keeps_a_process_from_running_is_said_at_its_start(home: Home) -> None:
    names = home.say("watchlist", "list")[1]["symbols"]
    assert home.say("watchlist", "remove", *names)[0] == 0
    wrong = [
        (("start", "stream"), 4, "the watchlist is empty"),
        (("start", "stream", "--with", "--channels nonsense"), 2, "names no channel"),
        (("start", "candles-sync"), 4, "the watchlist is empty"),
        (("restart", "keep-fresh"), 4, "was never started"),
        (("start", "everything"), 2, "is no service"),
    ]
    for words, code, sentence in wrong:
        done = home.say("services", *words)
        assert (done[0], sentence in done[2]) == (code, True), (words, done)
    assert home.stream()["state"] in ("stopped", "gave up")
