"""Sum many normal densities over many levels with two exponentials each, in O(bells) memory.

On levels in equal steps h of the log spot a density is exp(-(z + k g)^2 / 2) with g = h *
steepness: the ratio of neighbours is again a geometric sequence, so each further level costs two
multiplications. The recurrence starts at the level next to the centre and runs outwards, where
values only fall and rounding errors stay small against the peak.
"""

from __future__ import annotations

import math

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.black import Floats


@kernel
def sum_bells(
    centre: Floats,
    steepness: Floats,
    height: Floats,
    first: float,
    step: float,
    cut_off: float,
    total: Floats,
) -> None:
    """Add height * exp(-z^2 / 2) of every bell at every level.

    Args:
        centre: Log price of each bell's top [k].
        steepness: 1 / standard deviation [k].
        height: Value at the top [k].
        first: Log price of the first level.
        step: Distance of neighbouring levels.
        cut_off: |z| beyond which a bell is left out.
        total: The sums, added to [l].
    """
    count = total.size
    for i in range(centre.size):
        g = steepness[i] * step
        nearest = (centre[i] - first) / step
        start = 0
        if nearest >= count - 1:
            start = count - 1
        elif nearest > 0.0:
            start = int(nearest + 0.5)
        z = (first + start * step - centre[i]) * steepness[i]
        if abs(z) > cut_off:
            continue
        peak = height[i] * math.exp(-0.5 * z * z)
        total[start] += peak
        shrink = math.exp(-g * g)
        bend = math.exp(-0.5 * g * g)
        tilt = math.exp(-z * g)
        value = peak
        ratio = tilt * bend
        last = min(count - 1, int(start + (cut_off - z) / g))
        for j in range(start + 1, last + 1):
            value *= ratio
            ratio *= shrink
            total[j] += value
        value = peak
        ratio = bend / tilt
        last = max(0, math.ceil(start - (cut_off + z) / g))
        for j in range(start - 1, last - 1, -1):
            value *= ratio
            ratio *= shrink
            total[j] += value


@kernel
def bells_at(
    centre: Floats, steepness: Floats, height: Floats, log_price: float, cut_off: float
) -> float:
    """Return the sum of all bells at one log price."""
    total = 0.0
    for i in range(centre.size):
        z = (log_price - centre[i]) * steepness[i]
        if abs(z) <= cut_off:
            total += height[i] * math.exp(-0.5 * z * z)
    return total
