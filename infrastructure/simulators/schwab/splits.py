"""The known splits of the replayed stocks, and the shares that one old share became."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from infrastructure.exchange.zones import Dates
from infrastructure.simulators.schwab.bars import Floats


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a share.

    Attributes:
        symbol: Whose share.
        ex_date: The first date that trades in new shares.
        ratio: New shares for one old share: 2.0 for a 2:1 split, 0.1 for a 1:10 reverse split.
    """

    symbol: str
    ex_date: date
    ratio: float


# Each shows as a jump between the close before and the open of the date in the unadjusted rows
# of bokeh_sampledata, and as nothing in that table's own adjusted closes. Stock splits that came
# after those rows end (2014 and later) do not exist yet on the replay's date.
KNOWN_SPLITS: tuple[Split, ...] = (
    Split("AAPL", date(2000, 6, 21), 2.0),
    Split("AAPL", date(2005, 2, 28), 2.0),
    Split("MSFT", date(2003, 2, 18), 2.0),
)


def shares_today(dates: Dates, splits: Iterable[Split], today: date) -> Floats:
    """Return how many of today's shares one share of each date is.

    Args:
        dates: Trading dates, datetime64[D].
        splits: The splits of one symbol, in any order.
        today: Splits with a later ex-date have not happened.

    Returns:
        float64 of the shape of `dates`.
    """
    ratio = np.ones(dates.shape, dtype=np.float64)
    for split in splits:
        if split.ex_date <= today:
            ratio[dates < np.datetime64(split.ex_date, "D")] *= split.ratio
    return ratio
