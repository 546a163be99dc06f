"""Trading hours of each calendar as data, and the tables of instants built from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.exchange import calendar_corrections as corrections
from infrastructure.exchange.calendar_sources import TradingDays, exchange_days, globex_days
from infrastructure.exchange.session import SessionKind
from infrastructure.exchange.zones import (
    CHICAGO,
    LONDON,
    NEW_YORK,
    S_PER_DAY,
    Dates,
    Instants,
    date_from_day_number,
    local_to_ns,
)


def _at(hour: int, minute: int = 0, day: int = 0) -> int:
    return day * S_PER_DAY + hour * 3_600 + minute * 60


@dataclass(frozen=True, slots=True)
class Era:
    """Hours that hold from a date on; all times are seconds after local midnight.

    Attributes:
        since: First trading date, ISO.
        all: Spans of any trading on a usual day; the last one ends at the usual close.
        rth: Span of regular trading hours.
    """

    since: str
    all: tuple[tuple[int, int], ...]
    rth: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hours:
    """The rulebook of one calendar.

    Attributes:
        zone: IANA zone of its wall times.
        days: Where its trading dates come from: an ISO 10383 code of exchange_calendars or
            "globex:" and a name of pandas_market_calendars.
        eras: Its hours, oldest first.
        main_kind: Which session is meant when none is named.
        early: For calendars whose dates come from exchange_calendars: the seconds from that
            exchange's early close to the end of all trading and to the end of regular trading.
        title: What trades by it.
    """

    zone: str
    days: str
    eras: tuple[Era, ...]
    main_kind: SessionKind
    title: str
    early: tuple[int, int] | None = None


_GLOBEX_DAY: Final = ((_at(17, day=-1), _at(16)),)
# CME, "Equity Index Later Close for CME Globex Trading Day" (November 2012): from trade date
# 2012-11-19 on a halt from 15:15 to 15:30 and a close at 16:15; from 2015-09-21 on a close at
# 16:00. [P] The halt went with trade date 2021-06-28. [D] Before 2012 the evening's 15:30 to 16:30
# slot is not modelled.
_EQUITY_ERAS: Final = (
    Era("1985-01-01", ((_at(17, day=-1), _at(15, 15)),), (_at(8, 30), _at(15))),
    Era(
        "2012-11-19",
        ((_at(17, day=-1), _at(15, 15)), (_at(15, 30), _at(16, 15))),
        (_at(8, 30), _at(15)),
    ),
    Era(
        "2015-09-21",
        ((_at(17, day=-1), _at(15, 15)), (_at(15, 30), _at(16))),
        (_at(8, 30), _at(15)),
    ),
    Era("2021-06-28", _GLOBEX_DAY, (_at(8, 30), _at(15))),
)


def _nymex(rth: tuple[int, int]) -> tuple[Era, ...]:
    # NYMEX and COMEX specification pages: 17:00 to 16:15 until 2015-09-18, then to 16:00. [P]
    return (
        Era("1985-01-01", ((_at(17, day=-1), _at(16, 15)),), rth),
        Era("2015-09-21", _GLOBEX_DAY, rth),
    )


# Regular hours of futures are the former pit hours of the group's leading contract, by which
# traders still split day from overnight. [D]
HOURS: Final[Mapping[str, Hours]] = MappingProxyType(
    {
        # NYSE rule 7.34: core session 09:30 to 16:00, to 13:00 on the listed days; 10:00 was the
        # opening until 1985-09-27. Schwab's candles with extended hours run 07:00 to 20:00
        # (schwab-api.md §2.1 [O]); late trading ends at 17:00 after an early close (NYSE hours
        # page; that Schwab's candles stop there too is [D]).
        "XNYS": Hours(
            NEW_YORK,
            "XNYS",
            (
                Era("1985-01-01", ((_at(7), _at(20)),), (_at(10), _at(16))),
                Era("1985-09-30", ((_at(7), _at(20)),), (_at(9, 30), _at(16))),
            ),
            "rth",
            "US equities and ETFs",
            early=(_at(4), 0),
        ),
        # Cboe Options rule 5.1: equity options 09:30 to 16:00 (13:00 on early closes).
        # pandas_market_calendars' Cboe calendars lack 2001-09-11 to 14 and Christmas Eve's early
        # close, so the dates are the NYSE's, which Cboe follows.
        "CBOE_EQUITY_OPTIONS": Hours(
            NEW_YORK,
            "XNYS",
            (Era("1985-01-01", ((_at(9, 30), _at(16)),), (_at(9, 30), _at(16))),),
            "rth",
            "options on single stocks",
            early=(0, 0),
        ),
        # Cboe Options rule 5.1: index options to 16:15 (13:15 on early closes). Global trading
        # hours of SPX, VIX and XSP: 03:00 to 09:15 from March 2015 [D], 20:15 of the evening
        # before to 09:15 from trade date 2021-11-22 [D]; curb session 16:15 to 17:00 from
        # 2022-04-25 [P]. Cboe has since moved 09:15 to 09:25 on a date not established, and hours
        # after an early close are not either [?]: both are left out.
        "CBOE_INDEX_OPTIONS": Hours(
            NEW_YORK,
            "XNYS",
            (
                Era("1985-01-01", ((_at(9, 30), _at(16, 15)),), (_at(9, 30), _at(16, 15))),
                Era(
                    "2015-03-09",
                    ((_at(3), _at(9, 15)), (_at(9, 30), _at(16, 15))),
                    (_at(9, 30), _at(16, 15)),
                ),
                Era(
                    "2021-11-22",
                    ((_at(20, 15, day=-1), _at(9, 15)), (_at(9, 30), _at(16, 15))),
                    (_at(9, 30), _at(16, 15)),
                ),
                Era(
                    "2022-04-25",
                    ((_at(20, 15, day=-1), _at(9, 15)), (_at(9, 30), _at(17))),
                    (_at(9, 30), _at(16, 15)),
                ),
            ),
            "rth",
            "options on indices and on ETFs that trade to 16:15",
            early=(_at(0, 15), _at(0, 15)),
        ),
        # CFE rule 1202 (VX): 17:00 of the evening before to 16:00, regular hours 08:30 to 15:00.
        # CFE's short sessions on US holidays are not modelled; early closes at 12:15. [D]
        "CFE": Hours(
            CHICAGO,
            "XNYS",
            (Era("1985-01-01", _GLOBEX_DAY, (_at(8, 30), _at(15))),),
            "all",
            "Cboe volatility futures",
            early=(-_at(0, 45), -_at(0, 45)),
        ),
        "CME_EQUITY": Hours(
            CHICAGO, "globex:CME Globex Equity", _EQUITY_ERAS, "all", "equity index futures"
        ),
        "CME_ENERGY": Hours(
            CHICAGO,
            "globex:CMEGlobex_CL",
            _nymex((_at(8), _at(13, 30))),
            "all",
            "energy futures",
        ),
        "CME_METALS": Hours(
            CHICAGO,
            "globex:CMEGlobex_GC",
            _nymex((_at(7, 20), _at(12, 30))),
            "all",
            "metal futures",
        ),
        "CME_RATES": Hours(
            CHICAGO,
            "globex:CME Globex Fixed Income",
            (Era("1985-01-01", _GLOBEX_DAY, (_at(7, 20), _at(14))),),
            "all",
            "interest rate futures",
        ),
        "CME_FX": Hours(
            CHICAGO,
            "globex:CMEGlobex_FX",
            (Era("1985-01-01", _GLOBEX_DAY, (_at(7, 20), _at(14))),),
            "all",
            "currency futures",
        ),
        # CBOT specification pages of corn, wheat and soybeans: 19:00 to 07:45 and 08:30 to 13:20.
        "CME_GRAINS": Hours(
            CHICAGO,
            "globex:CMEGlobex_Grains",
            (
                Era(
                    "1985-01-01",
                    ((_at(19, day=-1), _at(7, 45)), (_at(8, 30), _at(13, 20))),
                    (_at(8, 30), _at(13, 20)),
                ),
            ),
            "all",
            "grain and oilseed futures",
        ),
        # CME specification pages of live cattle, feeder cattle and lean hogs: 08:30 to 13:05.
        "CME_LIVESTOCK": Hours(
            CHICAGO,
            "globex:CMEGlobex_Livestock",
            (Era("1985-01-01", ((_at(8, 30), _at(13, 5)),), (_at(8, 30), _at(13, 5))),),
            "all",
            "livestock futures",
        ),
        # London Stock Exchange; its days are the UK business days that end Brent futures.
        "XLON": Hours(
            LONDON,
            "XLON",
            (Era("1985-01-01", ((_at(8), _at(16, 30)),), (_at(8), _at(16, 30))),),
            "rth",
            "UK equities",
            early=(0, 0),
        ),
    }
)

_NO_EARLY: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class HoursTable:
    """Sessions of one calendar as arrays of n rows.

    Attributes:
        dates: datetime64[D], strictly rising.
        spans: For each kind int64 (n, k, 2): start and end in nanoseconds UTC; an empty span has
            start equal to end.
        early: bool (n,): the session ended before the usual time.
        last_year: The last year that the table covers completely.
    """

    dates: Dates
    spans: Mapping[SessionKind, Instants]
    early: npt.NDArray[np.bool_]
    last_year: int


def build_table(name: str, last_year: int) -> HoursTable:
    """Build the sessions of a calendar from 1985 to the end of a year.

    Args:
        name: A key of `HOURS`.
        last_year: The last year to cover.
    """
    hours = HOURS[name]
    if hours.days.startswith("globex:"):
        days = _corrected(
            name, globex_days(hours.days.removeprefix("globex:"), last_year), last_year
        )
    else:
        days = exchange_days(
            hours.days, hours.zone if hours.zone == LONDON else NEW_YORK, last_year
        )
    all_s, rth_s, early = _wall_spans(hours, days)
    if name == "CME_GRAINS":
        skipped = _rows_without_evening(days.dates)
        all_s[skipped, 0, 0] = all_s[skipped, 0, 1]
    return HoursTable(
        dates=days.dates,
        spans=MappingProxyType(
            {
                "rth": _instants(days.dates, rth_s[:, None, :], hours.zone),
                "all": _instants(days.dates, all_s, hours.zone),
                "ext": _instants(days.dates, _outside(all_s, rth_s), hours.zone),
            }
        ),
        early=early,
        last_year=last_year,
    )


def _corrected(name: str, days: TradingDays, last_year: int) -> TradingDays:
    nyse = exchange_days("XNYS", NEW_YORK, last_year)
    nyse_early = set(nyse.dates[nyse.close_s < _at(16)].astype(np.int64).tolist())
    drops_good_friday = name in {"CME_EQUITY", "CME_RATES", "CME_FX"}
    keep = np.ones(days.dates.size, dtype=np.bool_)
    close_s = days.close_s.copy()
    for row, number in enumerate(days.dates.astype(np.int64).tolist()):
        day = date_from_day_number(number)
        if corrections.is_closed(name, day) or (
            drops_good_friday
            and day.weekday() == 4
            and corrections.is_good_friday_without_jobs_report(day)
        ):
            keep[row] = False
        early_s = corrections.early_close_s(name, day, number in nyse_early)
        if early_s is not None:
            close_s[row] = early_s
    return TradingDays(days.dates[keep], close_s[keep])


def _rows_without_evening(dates: Dates) -> npt.NDArray[np.bool_]:
    days = [date_from_day_number(number) for number in dates.astype(np.int64).tolist()]
    skips = [corrections.grains_skip_evening(day, before) for before, day in pairwise(days)]
    return np.array([False, *skips], dtype=np.bool_)


def _wall_spans(
    hours: Hours, days: TradingDays
) -> tuple[Instants, Instants, npt.NDArray[np.bool_]]:
    """Return wall seconds of all (n, k, 2) and rth (n, 2), and which rows close early."""
    widest = max(len(era.all) for era in hours.eras)
    since = np.array([np.datetime64(era.since, "D") for era in hours.eras])
    era_of = np.searchsorted(since, days.dates, side="right") - 1
    all_of = np.array(
        [list(era.all) + [(era.all[-1][1],) * 2] * (widest - len(era.all)) for era in hours.eras],
        dtype=np.int64,
    )
    rth_of = np.array([era.rth for era in hours.eras], dtype=np.int64)
    usual_close = np.array([era.all[-1][1] for era in hours.eras], dtype=np.int64)[era_of]
    all_s, rth_s = all_of[era_of], rth_of[era_of]
    if hours.early is None:
        # The libraries know the Globex close of today's hours, 16:00, on usual days of every era.
        early = days.close_s < np.minimum(usual_close, _usual_library_close(days.close_s))
        end_all = np.where(early, days.close_s, _NO_EARLY)
        end_rth = end_all
    else:
        early = days.close_s < _usual_library_close(days.close_s)
        end_all = np.where(early, days.close_s + hours.early[0], _NO_EARLY)
        end_rth = np.where(early, days.close_s + hours.early[1], _NO_EARLY)
    return _cut(all_s, end_all[:, None]), _cut(rth_s[:, None, :], end_rth[:, None])[:, 0], early


def _usual_library_close(close_s: Instants) -> int:
    values, counts = np.unique(close_s, return_counts=True)
    return int(values[np.argmax(counts)])


def _cut(spans: Instants, end: Instants) -> Instants:
    """Cut spans (n, k, 2) at `end` (n, 1); what lies behind it becomes empty."""
    start = np.minimum(spans[..., 0], end)
    return np.stack([start, np.minimum(spans[..., 1], end)], axis=-1)


def _outside(spans: Instants, inner: Instants) -> Instants:
    """Return the parts of spans (n, k, 2) before and after an inner span (n, 2)."""
    start, end = spans[..., 0], spans[..., 1]
    inner_start, inner_end = inner[:, :1], inner[:, 1:]
    empty = inner_start >= inner_end
    before_end = np.where(empty, end, np.clip(inner_start, start, end))
    after_start = np.where(empty, end, np.clip(inner_end, start, end))
    before = np.stack([start, before_end], axis=-1)
    after = np.stack([after_start, end], axis=-1)
    # Interleaved, so that the spans of a row stay in the order of time.
    return np.stack([before, after], axis=2).reshape(spans.shape[0], -1, 2)


def _instants(dates: Dates, seconds: Instants, zone: str) -> Instants:
    """Turn wall seconds (n, k, 2) into nanoseconds UTC, each by the offset of its own moment."""
    day_offset, second = np.divmod(seconds, S_PER_DAY)
    days = dates.astype(np.int64)[:, None, None] + day_offset
    flat = (days * S_PER_DAY + second).ravel()
    # local_to_ns adds one wall time to many days; here the wall time differs a row.
    midnight = (flat // S_PER_DAY).astype("datetime64[D]")
    result = np.empty(flat.size, dtype=np.int64)
    for value in np.unique(flat % S_PER_DAY):
        rows = flat % S_PER_DAY == value
        result[rows] = local_to_ns(midnight[rows], int(value), zone)
    return result.reshape(seconds.shape)
