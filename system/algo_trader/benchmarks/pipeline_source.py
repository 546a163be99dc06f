"""A local Schwab in a process of its own that streams invented ticks of many symbols, and counts.

It prints one JSON line with its address, then answers each line of standard input: `rate N` lets
N ticks a second run, `count` prints how many updates every service has sent, `end` holds the ticks
and prints the last count, `quit` ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from infrastructure.simulators.schwab.clock_speed import PacedClock
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.ledger import SENT
from infrastructure.simulators.schwab.streamer.room import StreamOptions
from infrastructure.simulators.schwab.streamer.rules import StreamRules
from infrastructure.simulators.schwab.streamer.sources import Publish
from infrastructure.simulators.schwab.streamer.synthetic_ticks import SyntheticTicks

SERVICES = {"LEVELONE_EQUITIES": "SIM", "LEVELONE_OPTIONS": "OPT"}
"""The services that are streamed, and how their keys begin."""
FRAME_S = 0.01
"""Market seconds between two frames of a service."""


class Held:
    """Hold a source's ticks until they are let run.

    Args:
        ticks: The source.
    """

    def __init__(self, ticks: SyntheticTicks) -> None:
        self._ticks = ticks
        self._rate: int | None = None
        self.runs = False

    def pace(self, rate: int) -> None:
        """Let ticks run at a rate, from the next step on."""
        self._rate = rate
        self.runs = True

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish a symbol's whole state."""
        return self._ticks.open(service, key, now_ns, publish)

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish the ticks up to a moment; what happened before they ran is nobody's."""
        self._ticks.advance(now_ns, publish if self.runs else _nowhere)
        rate, self._rate = self._rate, None
        if rate is not None:
            self._ticks.pace(rate, now_ns)


def _nowhere(
    service: str,
    key: str,
    changes: Mapping[str, Any],
    extras: Mapping[str, Any] | None = None,
) -> None:
    """Publish nothing."""


def main(symbols: int) -> None:
    """Serve until told to quit.

    Args:
        symbols: How many in all, half of each service.
    """
    market = ReplayMarket.from_bokeh(from_open=True, clock=PacedClock(1.0))
    sources = [
        Held(SyntheticTicks(symbols // 2, 1, market.now_ns, seed, service=service, prefix=prefix))
        for seed, (service, prefix) in enumerate(SERVICES.items())
    ]
    rules = StreamRules(interval_s=dict.fromkeys(SERVICES, FRAME_S))
    options = StreamOptions(rules, sources=sources)
    with SchwabSimulator(market, stream=options) as simulator:
        print(json.dumps({"url": simulator.base_url, "market": market.now_ns}), flush=True)
        for line in sys.stdin:
            word, _, rate = line.strip().partition(" ")
            if word == "count":
                print(json.dumps(_sent(simulator)), flush=True)
                continue
            for source in sources:
                if word == "rate":
                    source.pace(max(int(rate) // 2, 1))
                else:
                    source.runs = False
            if word == "quit":
                return
            if word == "end":
                print(json.dumps(_settled(simulator)), flush=True)


def _settled(simulator: SchwabSimulator) -> dict[str, int]:
    """Return what was sent once no more is: updates wait up to a frame's time to be conflated."""
    before: dict[str, int] | None = None
    while (now := _sent(simulator)) != before:
        before = now
        time.sleep(25 * FRAME_S)
    return now


def _sent(simulator: SchwabSimulator) -> dict[str, int]:
    return {
        service: sum(
            run.items for run in simulator.streamer.ledger.runs(service) if run.fate == SENT
        )
        for service in SERVICES
    }


if __name__ == "__main__":
    main(int(sys.argv[1]))
