"""What goes wrong in an hour, and what the user changes meanwhile: chosen by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from infrastructure.simulators.schwab.simulator import SchwabSimulator

FIRST_S: Final = 90.0
LAST_S: Final = 3_300.0
SHORTEST_S, LONGEST_S = 25.0, 95.0
SEQUENCED: Final = ("CHART_EQUITY", "CHART_FUTURES", "ACCT_ACTIVITY")
CHANGING: Final = ("LEVELONE_EQUITIES", "LEVELONE_OPTIONS", "LEVELONE_FOREX", None)
ROUTES: Final = ("/marketdata/", "/orders", "/accounts")
ORDERS: Final = "POST /trader/v1/accounts/{hash}/orders"

Fault = Callable[[SchwabSimulator, random.Random], None]


@dataclass(frozen=True, slots=True)
class Squall:
    """One thing that happens.

    Attributes:
        at_s: Seconds of the market after the hour's start.
        name: One of `FAULTS`, or of the user's `CHANGES`.
        seed: Of its details.
    """

    at_s: float
    name: str
    seed: int


def _drop_and_refuse(simulator: SchwabSimulator, chance: random.Random) -> None:
    how: Any = chance.choice(("http", "tcp"))
    simulator.streamer.faults.refuse_connects(chance.randint(1, 3), how)
    simulator.streamer.drop_connections()


def _close(simulator: SchwabSimulator, chance: random.Random) -> None:
    simulator.streamer.close_connections(chance.choice((1000, 1001, 1011)))


def _interval(simulator: SchwabSimulator, chance: random.Random) -> None:
    simulator.streamer.drop_interval(chance.uniform(0.05, 0.3))


def _skew(simulator: SchwabSimulator, chance: random.Random) -> None:
    simulator.streamer.faults.skew_ms = chance.randint(-90_000, 90_000)
    simulator.faults.clock_skew_s = chance.uniform(-90, 90)


def _burst(statuses: tuple[int, ...], simulator: SchwabSimulator, chance: random.Random) -> None:
    simulator.faults.answer(
        chance.choice(statuses), times=chance.randint(1, 6), route=chance.choice(ROUTES)
    )


def _early_end(simulator: SchwabSimulator, chance: random.Random) -> None:
    simulator.faults.answer(401, route="userPreference")
    simulator.grants.end_access_tokens()
    simulator.streamer.drop_connections()


def _latency(simulator: SchwabSimulator, chance: random.Random) -> None:
    simulator.faults.latency_s = chance.choice((0.0, 0.01, 0.05))


def _maintenance(simulator: SchwabSimulator, chance: random.Random) -> None:
    kind: Any = chance.choice(("message", "route", "none"))
    simulator.faults.maintenance = kind


FAULTS: Final[Mapping[str, Fault]] = {
    "dropped connection": lambda simulator, _: simulator.streamer.drop_connections(),
    "half-open socket": lambda simulator, _: simulator.streamer.half_open(),
    "refused connects": _drop_and_refuse,
    "close code": _close,
    "dropped interval": _interval,
    "stop streaming": lambda simulator, _: simulator.streamer.stop_streaming("by an operator"),
    "corrupt frame": lambda simulator, chance: simulator.streamer.faults.corrupt_frames(
        chance.choice((*CHANGING, *SEQUENCED)), chance.randint(1, 2)
    ),
    "dropped frame": lambda simulator, chance: simulator.streamer.faults.drop_frames(
        chance.choice(SEQUENCED), chance.randint(1, 2)
    ),
    "duplicated frame": lambda simulator, chance: simulator.streamer.faults.duplicate_frames(
        chance.choice(SEQUENCED), chance.randint(1, 2)
    ),
    "clock skew": _skew,
    "latency": _latency,
    "401": partial(_burst, (401,)),
    "429": partial(_burst, (429,)),
    "5xx": partial(_burst, (500, 502, 503)),
    "early end of tokens": _early_end,
    "REST dropped": lambda simulator, chance: simulator.faults.drop(route=chance.choice(ROUTES)),
    "REST half-open": lambda simulator, chance: simulator.faults.half_open(
        route=chance.choice(ROUTES)
    ),
    "REST answer lost": lambda simulator, _: simulator.faults.lose_answer(route=ORDERS),
    "REST reset": lambda simulator, chance: setattr(
        simulator.faults, "reset_connects", chance.randint(1, 2)
    ),
    "maintenance": _maintenance,
}
CHANGES: Final = ("add keys", "remove keys", "change fields", "replace keys", "second sign-in")


def forecast(seed: int) -> list[Squall]:
    """Return what happens in the hour of a seed: each thing at least once, in its own order."""
    chance = random.Random(seed)
    every = [*FAULTS, *CHANGES]
    waiting: list[str] = []
    squalls = []
    at_s = FIRST_S
    while at_s < LAST_S:
        if not waiting:
            waiting = chance.sample(every, len(every))
        squalls.append(Squall(at_s, waiting.pop(), chance.randrange(1 << 30)))
        at_s += chance.uniform(SHORTEST_S, LONGEST_S)
    return squalls
