"""Levels of a trading date out of what is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from infrastructure.errors import NoDataError
from infrastructure.exchange.calendars import Calendar
from infrastructure.exchange.continuous import ContinuousFuture, parse_continuous
from infrastructure.exchange.contracts import spec
from infrastructure.exchange.markets import calendar_of
from infrastructure.exchange.symbology import Future, FutureRoot, parse_symbol
from infrastructure.exchange.timeframes import schwab_bar_start, trading_date
from system.algo_trader.levels.build import build_levels, prior_timeframe
from system.algo_trader.levels.document import LevelsDocument
from system.algo_trader.levels.request import LevelSession, LevelsRequest, windows
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.continuous_bars import ContinuousBars
from system.algo_trader.storage.records import bars_dataset


def calendar_for(symbol: str) -> Calendar:
    """Return the calendar of a symbol or of a continuous future.

    Raises:
        UnknownSymbol: If it can be neither.
    """
    future = parse_continuous(symbol)
    return calendar_of(symbol if future is None else f"/{future.root}")


def stored_levels(
    archive: Archive, request: LevelsRequest, calendar: Calendar, now_ns: int
) -> LevelsDocument:
    """Return the levels that were asked for.

    Args:
        archive: Where the bars are.
        request: The symbol, its date and what counts.
        calendar: Of the symbol.
        now_ns: To which the age of the last bar counts, nanoseconds UTC.

    Raises:
        NoDataError: If the session before is not stored.
        InputError: If the date is no session.
    """
    request = _of_contract(request, archive)
    times = windows(request, calendar)
    prior_kind = prior_timeframe(request)
    prior_start_ns = _prior_start(request.session, times.prior_date, times.prior_start_ns)
    prior = archive.winners(
        request.symbol,
        prior_kind,
        session=request.session.hours,
        start_ns=prior_start_ns,
        end_ns=times.prior_end_ns,
    )
    intraday = archive.winners(
        request.symbol,
        request.interval,
        session=request.session.hours,
        start_ns=times.vwap_start_ns,
        end_ns=times.vwap_end_ns,
    )
    return build_levels(
        request,
        calendar,
        times,
        prior,
        intraday,
        now_ns=now_ns,
        request_id=_request_id(
            archive,
            request.symbol,
            (prior_kind, prior_start_ns, times.prior_end_ns),
            (request.interval, times.vwap_start_ns, times.vwap_end_ns),
        ),
    )


def last_stored_date(symbol: str, archive: Archive, hours: LevelSession) -> date:
    """Return the trading date of the last stored daily bar.

    Raises:
        NoDataError: If there is none.
    """
    future = parse_continuous(symbol)
    if future is not None:
        stitched = ContinuousBars(archive, hours.hours).bars(future, Timeframe.D1).bars
        return trading_date(int(stitched.start[-1]))
    bars = archive.winners(symbol, Timeframe.D1)
    if len(bars) == 0:
        raise NoDataError(
            f"nothing is stored of {symbol}",
            next_step=f"Run `algo-trader candles fetch {symbol}`.",
        )
    return trading_date(int(bars.start[-1]))


def price_decimals(symbol: str) -> int:
    """Return the decimals of a future's tick, or the two of stocks."""
    found = parse_continuous(symbol) or parse_symbol(symbol)
    if not isinstance(found, ContinuousFuture | Future | FutureRoot):
        return 2
    exponent = spec(found.root).tick_size.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 2


def _of_contract(request: LevelsRequest, archive: Archive) -> LevelsRequest:
    """Return a request with the contract that a continuous future means on its date.

    The levels are those of one contract, also when the session before was another one's.
    """
    future = parse_continuous(request.symbol)
    if future is None:
        return request
    reader = ContinuousBars(archive, request.session.hours)
    return replace(request, symbol=reader.contract_on(future, request.date))


def _request_id(archive: Archive, symbol: str, *spans: tuple[Timeframe, int, int]) -> str | None:
    """Return the requests that brought the bars of some spans, in the order of the archive's log.

    A day's file holds all its revisions: a request whose bars were corrected since is named too.
    """
    paths = {
        part.path
        for timeframe, start_ns, end_ns in spans
        for part in archive.parts(bars_dataset(timeframe), symbol, start_ns, end_ns)
    }
    found = dict.fromkeys(
        commit.request_id
        for commit in archive.commits()
        if any(part.path in paths for part in commit.parts)
    )
    return "+".join(found) or None


def _prior_start(session: LevelSession, prior_date: date, start_ns: int) -> int:
    # A daily bar is stamped at midnight, hours before its session.
    return schwab_bar_start(prior_date, "1d") if session.kind == "rth" else start_ns
