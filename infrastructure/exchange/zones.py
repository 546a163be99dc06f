"""Convert between exchange-local wall time and int64 nanoseconds UTC, whole arrays at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

NEW_YORK: Final = "America/New_York"
CHICAGO: Final = "America/Chicago"
LONDON: Final = "Europe/London"

NS_PER_S: Final = 1_000_000_000
S_PER_DAY: Final = 86_400
NS_PER_DAY: Final = S_PER_DAY * NS_PER_S

_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2150
_EPOCH: Final = date(1970, 1, 1)

Dates = npt.NDArray[np.datetime64]
Instants = npt.NDArray[np.int64]


class _Offsets(NamedTuple):
    """UTC offsets of one zone: `offset_s[i]` holds from `utc_s[i]` (or `local_s[i]`) on."""

    utc_s: Instants
    local_s: Instants
    offset_s: Instants


def date_from_day_number(number: int) -> date:
    """Return the date that lies so many days after 1970-01-01."""
    return _EPOCH + timedelta(days=number)


def local_to_ns(dates: Dates, seconds: int, zone: str) -> Instants:
    """Return the instants of one wall time on many days.

    Args:
        dates: Local days, datetime64[D], any shape.
        seconds: Wall time as seconds since local midnight; negative or above 86400 means a
            neighbouring day (-25200 is 17:00 of the day before).
        zone: IANA name of the zone.

    Returns:
        int64 nanoseconds UTC, the shape of `dates`. A wall time that a clock change skips or
        repeats takes the offset that holds before the change.
    """
    offsets = _offsets(zone)
    local_s = dates.astype("datetime64[D]").astype(np.int64) * S_PER_DAY + seconds
    position = np.searchsorted(offsets.local_s, local_s, side="right") - 1
    return (local_s - offsets.offset_s[position]) * NS_PER_S


def local_moment_ns(day: date, seconds: int, zone: str) -> int:
    """Return the instant of a wall time on one day; arguments as in `local_to_ns`."""
    return int(local_to_ns(np.array([np.datetime64(day, "D")]), seconds, zone)[0])


def local_dates(instants: Instants, zone: str) -> Dates:
    """Return the local calendar days of instants as datetime64[D].

    Args:
        instants: int64 nanoseconds UTC.
        zone: IANA name of the zone.
    """
    offsets = _offsets(zone)
    utc_s = np.asarray(instants, dtype=np.int64) // NS_PER_S
    position = np.searchsorted(offsets.utc_s, utc_s, side="right") - 1
    return ((utc_s + offsets.offset_s[position]) // S_PER_DAY).astype("datetime64[D]")


@lru_cache(maxsize=8)
def _offsets(zone: str) -> _Offsets:
    tz = ZoneInfo(zone)

    def offset_at(utc_s: int) -> int:
        moment = datetime.fromtimestamp(utc_s, UTC).astimezone(tz)
        offset = moment.utcoffset()
        assert offset is not None
        return int(offset.total_seconds())

    first = int(datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    steps = [(first - 366 * S_PER_DAY, offset_at(first))]
    for year in range(_FIRST_YEAR, _LAST_YEAR):
        # Any zone we know changes its clock at most once within a third of a year.
        edges = [int(datetime(year, month, 1, tzinfo=UTC).timestamp()) for month in (1, 5, 9)] + [
            int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
        ]
        for low, high in pairwise(edges):
            before, after = offset_at(low), offset_at(high)
            if before == after:
                continue
            start, end = low, high
            while end - start > 1:
                middle = (start + end) // 2
                start, end = (middle, end) if offset_at(middle) == before else (start, middle)
            steps.append((end, after))
    utc_s = np.array([step[0] for step in steps], dtype=np.int64)
    offset_s = np.array([step[1] for step in steps], dtype=np.int64)
    previous = np.concatenate([offset_s[:1], offset_s[:-1]])
    # The wall clock reaches a change at the offset that held until then; in the repeated hour
    # of autumn the earlier offset holds until the wall clock has passed the change twice.
    return _Offsets(utc_s, utc_s + np.maximum(previous, offset_s), offset_s)
