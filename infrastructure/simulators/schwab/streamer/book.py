"""Book snapshots around a price: five levels a side, each the sum of its venues."""

from __future__ import annotations

from typing import Any, Final
from zlib import crc32

from infrastructure.simulators.schwab.streamer.forms import service_forms

# Venue codes are upper case on NYSE_BOOK and OPTIONS_BOOK, mostly lower case on NASDAQ_BOOK. [O]
VENUES: Final = {
    "NYSE_BOOK": ("NYSE", "ARCX", "BATX"),
    "NASDAQ_BOOK": ("NSDQ", "arcx", "edgx"),
    "OPTIONS_BOOK": ("CBOE", "PHLX", "ISEX"),
}
LEVELS: Final = 5


def book_values(
    service: str, key: str, price: float, tick: float, snapshot_ms: int, midnight_ms: int, seed: int
) -> dict[str, Any]:
    """Return a snapshot by field number; bids fall, asks rise. [O]

    Args:
        service: One of the three books.
        key: Its symbol; with the seed and the time it decides the sizes.
        price: The middle, in dollars.
        tick: Distance of two levels, in dollars.
        snapshot_ms: Market time.
        midnight_ms: Midnight in New York before it; venue times count from there. [D]
        seed: Of the sizes.
    """
    chance = crc32(f"{seed}|{key}|{snapshot_ms}".encode())
    since_midnight = snapshot_ms - midnight_ms
    sides = []
    for sign, salt in ((-1, 1), (1, 7)):
        levels = []
        for step in range(1, LEVELS + 1):
            draw = (chance >> (step + salt)) & 0xFF
            venues = VENUES[service][: 1 + draw % 3]
            shares = [
                {"0": venue, "1": 100 * (1 + (draw >> place) % 9), "2": since_midnight}
                for place, venue in enumerate(venues)
            ]
            levels.append(
                {
                    "0": round(max(price + sign * step * tick, 0.0), 4),
                    "1": sum(share["1"] for share in shares if isinstance(share["1"], int)),
                    "2": len(shares),
                    "3": shares,
                }
            )
        sides.append(levels)
    return service_forms()[service].numbered(
        {
            "marketSnapshotTime": snapshot_ms,
            "bidSideLevels": sides[0],
            "askSideLevels": sides[1],
        }
    )
