"""Seeded prices as a function of time alone: the same second has the same price in every run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final
from zlib import crc32

_NS_PER_S: Final = 1_000_000_000
# Periods in seconds and their heights as shares of the price; no period divides another.
_PARTS: Final = ((86_400.0, 0.008), (5_413.0, 0.004), (607.0, 0.0015), (61.7, 0.0006), (7.3, 2e-4))


@dataclass(frozen=True, slots=True)
class Wave:
    """The price of an invented instrument.

    Attributes:
        name: What it is of; with the seed it decides the phases.
        base: The price that it moves around.
        tick: Its smallest change.
        seed: Of the phases.
    """

    name: str
    base: float
    tick: float
    seed: int

    def price(self, moment_ns: int) -> float:
        """Return the price of a moment's second, on a tick and at least one."""
        second = moment_ns // _NS_PER_S
        total = 1.0
        for number, (period, height) in enumerate(_PARTS):
            phase = crc32(f"{self.seed}|{self.name}|{number}".encode()) / 2**32
            total += height * math.sin(2 * math.pi * (second / period + phase))
        steps = max(1, round(self.base * total / self.tick))
        return round(steps * self.tick, 10)

    def volume(self, second: int) -> int:
        """Return the contracts traded in one second."""
        return crc32(f"{self.seed}|{self.name}|volume|{second}".encode()) % 10
