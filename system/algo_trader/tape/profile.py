"""The volume profile: how much traded at each price, the busiest price and the value area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified
from system.algo_trader.tape.columns import Floats, Int64s
from system.algo_trader.tape.sides import MISSING

VALUE_AREA: Final = 0.7
"""The part of the volume that the value area holds. CBOT, "Market Profile" handbook (1991)."""

MOST_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class VolumeProfile:
    """Hold volume by price, lowest first, each column float64 (k,).

    Attributes:
        price: Lower edge of each row, without holes.
        volume: Traded there.
        delta: Bought minus sold there.
        point_of_control: Price of the busiest row; None when `reason` says why.
        value_low: Lowest row of the value area.
        value_high: Highest row of it.
        reason: Why there is no profile.
        sampled: Whether the feed left trades out.
    """

    price: Floats
    volume: Floats
    delta: Floats
    point_of_control: float | None
    value_low: float | None
    value_high: float | None
    reason: str | None
    sampled: bool


def volume_profile(
    tape: Classified, *, row_ticks: int = 1, value_area: float = VALUE_AREA
) -> VolumeProfile:
    """Return the volume profile of classified trades.

    The point of control is the busiest row, of several the one nearest to the middle of the
    range, then the lower. The value area grows from it: of the two rows above and the two below,
    the pair with more volume is added (the upper one of equal pairs) until the part is reached.

    Args:
        tape: Classified trades.
        row_ticks: Height of a row in ticks; rows begin at multiples of it.
        value_area: The part of the volume in the value area, above 0 and at most 1.

    Raises:
        InputError: If an argument is out of range, or there would be over a million rows.
    """
    if row_ticks < 1 or not 0.0 < value_area <= 1.0:
        raise InputError(
            f"rows have one tick or more and the value area a part of at most 1, "
            f"not {row_ticks} and {value_area}"
        )
    usable = (tape.trades.price != MISSING) & (tape.trades.size > 0)
    if not usable.any():
        nothing = np.empty(0)
        return VolumeProfile(nothing, nothing, nothing, None, None, None, "no volume", tape.sampled)
    rows = tape.trades.price[usable] // row_ticks
    lowest = int(rows.min())
    count = int(rows.max()) - lowest + 1
    if count > MOST_ROWS:
        raise InputError(
            f"prices span {count} rows of {row_ticks} ticks",
            next_step="Give higher rows, or leave out prices that are errors.",
        )
    size = tape.trades.size[usable]
    volume = _by_row(rows - lowest, size, count)
    delta = _by_row(rows - lowest, size * tape.side[usable], count)
    ticks = (np.arange(count, dtype=np.float64) + lowest) * row_ticks
    price = ticks * tape.trades.tick_size
    control = _busiest(volume)
    low, high = _value_rows(volume, control, value_area)
    return VolumeProfile(
        price,
        volume,
        delta,
        float(price[control]),
        float(price[low]),
        float(price[high]),
        None,
        tape.sampled,
    )


def _by_row(rows: Int64s, values: Floats, count: int) -> Floats:
    return np.bincount(rows, values, minlength=count).astype(np.float64)


def _busiest(volume: Floats) -> int:
    busiest = np.flatnonzero(volume == volume.max())
    from_middle = np.abs(2 * busiest - (len(volume) - 1))
    return int(busiest[np.argmin(from_middle)])


def _value_rows(volume: Floats, control: int, value_area: float) -> tuple[int, int]:
    low = high = control
    held, wanted = float(volume[control]), value_area * float(volume.sum())
    while held < wanted and (low > 0 or high < len(volume) - 1):
        above, below = volume[high + 1 : high + 3], volume[max(low - 2, 0) : low]
        if below.size == 0 or (above.size and above.sum() >= below.sum()):
            high += len(above)
            held += float(above.sum())
        else:
            low -= len(below)
            held += float(below.sum())
    return low, high
