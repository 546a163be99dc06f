"""What the calendar libraries get wrong, as data: each entry says why and where that is known.

Tags: [P] the exchange's own notice or specification page, [D] derived from a pattern of such
notices, [?] not established.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

_H: Final = 3_600
_M: Final = 60


def easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar.

    Source: Meeus, "Astronomical Algorithms", chapter 8.
    """
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 19 * weekday) // 433
    month = (h + weekday - 7 * m + 90) // 25
    return date(year, month, (h + weekday - 7 * m + 33 * month + 19) % 32)


def good_friday(year: int) -> date:
    """Return the Friday before Easter Sunday."""
    return easter(year) - timedelta(days=2)


def is_good_friday_without_jobs_report(day: date) -> bool:
    """Say whether a date is a Good Friday on which CME's financial futures do not trade at all.

    pandas_market_calendars lets equity, rate and currency futures trade a short session on every
    Good Friday after 2022. CME opens them only when the US Employment Situation comes out that
    morning, which is on a month's first Friday: 2010, 2012, 2015, 2021, 2023 and 2026 were such
    years; 2022, 2024 and 2025 were not and Globex stayed closed. [D]
    """
    return day == good_friday(day.year) and day.day > 7


# Trade dates that the library lists and that did not trade.
# - After the attacks of 2001-09-11 CME's equity index futures reopened with the NYSE on 09-17 [D];
#   how the other groups traded in that week is not established [?] and left as the library has it.
# - 2018-12-05, CME Group's release of 2018-12-02: interest rate products did not open for the
#   National Day of Mourning for President Bush. [P]
CLOSED: Final[Mapping[str, frozenset[date]]] = MappingProxyType(
    {
        "CME_EQUITY": frozenset(date(2001, 9, day) for day in (11, 12, 13, 14)),
        "CME_RATES": frozenset({date(2018, 12, 5)}),
    }
)

# Seconds after midnight in Chicago at which a session ended early though the library thinks it
# ended as usual.
EARLY_CLOSES: Final[Mapping[str, Mapping[date, int]]] = MappingProxyType(
    {
        # CME Group's release of 2024-12-30: on the National Day of Mourning for President Carter
        # equity products closed at 08:30, interest rates and agricultural products at 12:15,
        # energy, metals and FX traded as usual. [P]
        # 2018-12-05 (President Bush), release of 2018-12-02: equity products closed at 08:30. [P]
        # Hurricane Sandy, release of 2012-10-29: equity products closed at 08:15 on both days,
        # interest rates at 11:00 on the first and as usual on the second. [P]
        "CME_EQUITY": {
            date(2012, 10, 29): 8 * _H + 15 * _M,
            date(2012, 10, 30): 8 * _H + 15 * _M,
            date(2018, 12, 5): 8 * _H + 30 * _M,
            date(2025, 1, 9): 8 * _H + 30 * _M,
        },
        "CME_RATES": {
            date(2012, 10, 29): 11 * _H,
            date(2025, 1, 9): 12 * _H + 15 * _M,
        },
        "CME_GRAINS": {date(2025, 1, 9): 12 * _H + 15 * _M},
        "CME_LIVESTOCK": {date(2025, 1, 9): 12 * _H + 15 * _M},
    }
)


def rule_early_close_s(name: str, day: date, nyse_early: bool) -> int | None:
    """Return the early close that follows from a rule the library lacks, in Chicago seconds.

    - Grains stop at 12:05 on the day after Thanksgiving and on Christmas Eve, and trade their
      usual day session on the third of July. [D]

    Args:
        name: Our name of the calendar.
        day: The trade date.
        nyse_early: Whether the NYSE closes early on it.
    """
    if not nyse_early:
        return None
    if name == "CME_GRAINS" and day.month in (11, 12):
        return 12 * _H + 5 * _M
    return None


def grains_skip_evening(day: date, previous: date) -> bool:
    """Say whether grains open only at 08:30 because the evening before lay in a holiday.

    So it is after Thanksgiving and Independence Day (DTN's schedule for July 2024 has it), and
    after Christmas and New Year's Day [D]; after the other Monday holidays grains reopen on Monday
    evening. [D]

    Args:
        day: The trade date.
        previous: The trade date before it.
    """
    eve = day - timedelta(days=1)
    if eve == previous or day.weekday() == 0:
        return False
    return eve.weekday() != 0 or (eve.month, eve.day) in {(12, 25), (12, 26), (1, 1), (1, 2)}
