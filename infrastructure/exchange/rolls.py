"""When to move from one futures contract to the next."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.errors import InputError

Volumes = npt.NDArray[np.float64] | npt.NDArray[np.int64]

# CME's "Equity Index Roll Dates" page: eight calendar days before expiry; from the June 2022
# contracts on the Monday before the third Friday (notice effective trade date 2022-06-13).
_MONDAY_RULE_FROM: Final = date(2022, 6, 13)
_OLD_RULE_DAYS: Final = 8


def equity_index_roll_date(expiry: date) -> date:
    """Return the day from which CME calls the next equity index contract the lead month.

    Args:
        expiry: Last trading day of the contract that is left.
    """
    if expiry < _MONDAY_RULE_FROM:
        return expiry - timedelta(days=_OLD_RULE_DAYS)
    return expiry - timedelta(days=expiry.weekday())


def calendar_roll_date(expiry: date, first_notice: date | None, days: int) -> date:
    """Return the day that lies so many calendar days before a contract must be left.

    Args:
        expiry: Last trading day.
        first_notice: First notice day, None if deliveries cannot be assigned while it trades.
        days: Calendar days before the earlier of the two.
    """
    leave_by = expiry if first_notice is None else min(expiry, first_notice)
    return leave_by - timedelta(days=days)


def roll_index(front: Volumes, following: Volumes, *, confirm: int = 1) -> int | None:
    """Return the row on which to roll by volume or open interest.

    The rule is the usual one: roll once the following contract has had the larger figure for
    `confirm` rows running. The decision uses rows up to and including the one returned, so a
    strategy may act on it from the next row. Once rolled there is no way back.

    Args:
        front: Daily volume or open interest of the contract that is held, shape (n,).
        following: The same of the next contract, shape (n,). A row in which either is NaN counts
            neither for nor against rolling.
        confirm: Rows in a row that are asked for, at least 1.

    Returns:
        The row's index, or None if the rule has not been met.

    Raises:
        InputError: If the shapes differ or `confirm` is below 1.
    """
    if front.shape != following.shape or front.ndim != 1:
        raise InputError(
            f"front and following have to be one-dimensional and equally long, "
            f"got shapes {front.shape} and {following.shape}"
        )
    if confirm < 1:
        raise InputError(f"confirm is {confirm}, expected at least 1")
    known = np.flatnonzero(~(np.isnan(front) | np.isnan(following)))
    larger = following[known] > front[known]
    if larger.size < confirm:
        return None
    runs = np.lib.stride_tricks.sliding_window_view(larger, confirm).all(axis=1)
    hits = np.flatnonzero(runs)
    return int(known[hits[0] + confirm - 1]) if hits.size else None
