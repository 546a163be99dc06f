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
# ended otherwise. Not modelled: the Saturday sessions, 05:00 to 17:00, that CME announced for
# equity indices and currencies on trade dates 2026-06-22, 2026-07-06 and 2027-06-21. [?]
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
        # CME Group's Christmas schedules of 2024 and 2025 say 12:15, the one of 2026 12:05. [P]
        "CME_LIVESTOCK": {
            date(2024, 12, 24): 12 * _H + 15 * _M,
            date(2025, 1, 9): 12 * _H + 15 * _M,
            date(2025, 12, 24): 12 * _H + 15 * _M,
        },
    }
)


def is_juneteenth(day: date) -> bool:
    """Say whether CME keeps Juneteenth on a date: since 2022, on a Friday or Monday if need be."""
    if day.year < 2022 or day.month != 6:
        return False
    return day.day == 19 or (day.day, day.weekday()) in {(18, 4), (20, 0)}


def is_closed(name: str, day: date) -> bool:
    """Say whether a trade date that the library lists did not or will not trade.

    - pandas_market_calendars does not know that grains and livestock keep Juneteenth: CME Group's
      schedules of 2022 to 2027 say "closed" for both. [P]

    Args:
        name: Our name of the calendar.
        day: The trade date.
    """
    if name in {"CME_GRAINS", "CME_LIVESTOCK"} and is_juneteenth(day):
        return True
    return day in CLOSED.get(name, frozenset())


def early_close_s(name: str, day: date, nyse_early: bool) -> int | None:
    """Return when a session ends that the library ends otherwise, in seconds after midnight.

    Where no notice is in `EARLY_CLOSES`, these rules hold; they say what CME Group's schedules of
    the holidays of 2022 to 2027 say [P], and are carried on from there [D]:

    - Energy and metals stop at 12:45 on Christmas Eve (so in 2012 and 2018 too), at 13:30 on Labor
      Day, since 2024 at 13:45 on the day after Thanksgiving, and at 12:00 when Juneteenth or
      Independence Day is kept on a Friday.
    - Currencies stop at 12:00 on those Fridays, since 2024 at 12:45 on Christmas Eve, since 2025
      at 13:45 on the day after Thanksgiving.
    - Grains stop at 12:05 on the day after Thanksgiving and on Christmas Eve, and trade their
      usual day session on the third of July.

    Args:
        name: Our name of the calendar.
        day: The trade date.
        nyse_early: Whether the NYSE closes early on it.
    """
    known = EARLY_CLOSES.get(name, {}).get(day)
    if known is not None:
        return known
    christmas_eve = nyse_early and (day.month, day.day) == (12, 24)
    after_thanksgiving = nyse_early and day.month == 11
    if name in {"CME_ENERGY", "CME_METALS"}:
        if _is_friday_holiday(day):
            return 12 * _H
        if day.year >= 2022 and day.month == 9 and day.weekday() == 0 and day.day <= 7:
            return 13 * _H + 30 * _M
        if after_thanksgiving and day.year >= 2024:
            return 13 * _H + 45 * _M
        return 12 * _H + 45 * _M if christmas_eve and day.year >= 2012 else None
    if name == "CME_FX":
        if _is_friday_holiday(day):
            return 12 * _H
        if after_thanksgiving and day.year >= 2025:
            return 13 * _H + 45 * _M
        return 12 * _H + 45 * _M if christmas_eve and day.year >= 2024 else None
    if name == "CME_GRAINS" and nyse_early and day.month in (11, 12):
        return 12 * _H + 5 * _M
    return None


def grains_skip_evening(day: date, previous: date) -> bool:
    """Say whether grains open only at 08:30 because the evening before lay in a holiday.

    So it is after Thanksgiving, Independence Day, Christmas and New Year's Day. After Juneteenth
    and the other Monday holidays they reopen in the evening, and after Christmas or New Year's Day
    if it was kept on a Monday that is not its date. CME Group's schedules of 2022 to 2027 [P];
    before them nothing is established of an Independence Day kept on a Monday, which is taken for
    one of the other Mondays, nor of Christmas and New Year's Day kept on one, which are not. [D]

    Args:
        day: The trade date.
        previous: The trade date before it.
    """
    eve = day - timedelta(days=1)
    if eve == previous or day.weekday() == 0 or is_juneteenth(eve):
        return False
    if eve.weekday() != 0 or (eve.month, eve.day) in {(12, 25), (1, 1)}:
        return True
    return eve.month == 7 if day.year >= 2022 else (eve.month, eve.day) in {(12, 26), (1, 2)}


def _is_friday_holiday(day: date) -> bool:
    """Say whether Juneteenth or Independence Day is kept on this date, a Friday, since 2022."""
    if day.weekday() != 4 or day.year < 2022:
        return False
    return is_juneteenth(day) or (day.month == 7 and day.day in (3, 4))
