"""The process that plays Schwab for `bench pipeline`, and what it is asked for."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

from system.algo_trader.benchmarks.pipeline_source import FRAME_S

_MORE = 1.03
"""Frames come a little later than their interval, and so carry more ticks of one key each."""


class Feeder:
    """Hold the process that streams.

    Args:
        symbols: How many, half of each service.

    Attributes:
        url: Of the local Schwab.
        market_ns: Its market's time when it began, nanoseconds UTC.
        pid: The process.
    """

    def __init__(self, symbols: int) -> None:
        self._symbols = symbols
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "system.algo_trader.benchmarks.pipeline_source"),
                str(symbols),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        facts = json.loads(self._answer())
        self.url: str = facts["url"]
        self.market_ns: int = facts["market"]

    def pace(self, rate: int) -> None:
        """Have it stream about so many updates a second.

        Ticks of one key within one frame are one update; it is told to make so many more.
        """
        keys = self._symbols / 2
        wanted = min(rate / 2 * FRAME_S, 0.95 * keys)
        drawn = _MORE * math.log(1 - wanted / keys) / math.log(1 - 1 / keys) / FRAME_S * 2
        self._say(f"rate {round(drawn)}")

    def sent(self) -> int:
        """Return how many updates it has sent so far."""
        self._say("count")
        return sum(json.loads(self._answer()).values())

    def end(self) -> dict[str, int]:
        """Hold the ticks and return how many updates each service sent."""
        self._say("end")
        sent: dict[str, int] = json.loads(self._answer())
        return sent

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()
