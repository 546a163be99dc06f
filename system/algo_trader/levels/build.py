"""Make the levels out of stored bars."""

from __future__ import annotations

from typing import Final

import numpy as np

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError
from infrastructure.exchange.calendars import Calendar
from system.algo_trader.levels.document import (
    LevelsDocument,
    LevelsInput,
    Provenance,
    Quality,
    VwapMethod,
)
from system.algo_trader.levels.pivots import pivots
from system.algo_trader.levels.request import LevelsRequest, Windows
from system.algo_trader.market.bars import Bars, Floats, Int64s
from system.algo_trader.market.timeframe import Adjustment, Timeframe

_NS_PER_MS: Final = 1_000_000


def bar_vwap(high: Floats, low: Floats, close: Floats, volume: Floats) -> float | None:
    """Return sum(typical price x volume) / sum(volume) with typical price (high + low + close) / 3.

    Args:
        high: Highest price of each bar, shape (n,).
        low: Lowest, likewise.
        close: Last, likewise.
        volume: Shares, likewise. Bars in which a value is NaN count nothing.

    Returns:
        The average in the prices' unit; None without volume.
    """
    whole = ~np.isnan(np.column_stack([high, low, close, volume])).any(axis=1)
    total = float(volume[whole].sum())
    if total <= 0.0:
        return None
    typical = (high[whole] + low[whole] + close[whole]) / 3
    return float((typical * volume[whole]).sum()) / total


def build_levels(
    request: LevelsRequest,
    calendar: Calendar,
    times: Windows,
    prior: Bars,
    intraday: Bars,
    *,
    now_ns: int,
    request_id: str | None = None,
) -> LevelsDocument:
    """Return the levels of one trading date.

    Args:
        request: What is asked for.
        calendar: Of the symbol.
        times: Of the request, from `windows`.
        prior: Bars that make up the session before: its daily bar, or its intraday bars.
        intraday: Bars of the request's interval; those outside of the VWAP's time count nothing.
        now_ns: The time of day of the data, nanoseconds UTC.
        request_id: The request that the bars came from; None when nobody kept it.

    Raises:
        NoDataError: If nothing describes the session before, or only a part of it.
        InputError: If its prices cannot be.
    """
    _require_whole(request, times, prior)
    high = float(np.max(prior.floats("high")))
    low = float(np.min(prior.floats("low")))
    expected = calendar.expected_bar_starts(
        str(request.interval), times.vwap_start_ns, times.vwap_end_ns, request.session.kind
    )
    used = _usable(intraday, expected)
    vwap = bar_vwap(*(used.floats(name) for name in ("high", "low", "close", "volume")))
    both = Bars.concat([prior, used])
    return LevelsDocument(
        symbol=request.symbol,
        date=request.date,
        session=request.session,
        pivot_kind=request.pivot_kind,
        vwap_kind=request.vwap_kind,
        input=LevelsInput(
            symbol_raw=request.symbol_raw,
            tz=calendar.zone,
            anchor="session" if request.anchor_ns is None else rfc3339(request.anchor_ns),
            adjust=str(Adjustment.SPLIT),
            roll="none",
            interval=str(request.interval),
            precision=request.precision,
        ),
        pivots=pivots(request.pivot_kind, high, low, float(prior.floats("close")[-1])),
        vwap=vwap,
        quality=Quality(
            VwapMethod.UNAVAILABLE if vwap is None else VwapMethod.INTRADAY_TRUE,
            len(used),
            len(expected),
            round(100.0 * len(used) / max(len(expected), 1), 2),
            _lag_ms(request, times, used, now_ns),
        ),
        provenance=Provenance(
            provider="+".join(sorted(both.words("source")[0])),
            provider_request_id=request_id,
            is_synthetic=any(both.table.column("is_synthetic").to_pylist()),
            session_window=_window(request, calendar),
            roll_mode="none",
        ),
        prior_date=times.prior_date,
        prior_bar_count=len(prior),
        prior_bars_expected=_prior_expected(request, calendar, times),
        no_vwap_because=None if vwap is not None else _reason(request, used),
    )


def _require_whole(request: LevelsRequest, times: Windows, prior: Bars) -> None:
    what = f"{request.symbol} on {times.prior_date}, the session before {request.date}"
    if len(prior) == 0:
        fetch = f"Run `algo-trader candles fetch {request.symbol}`, or choose another date."
        regular = "Choose `--session rth`, unless bars of all hours have been stored."
        raise NoDataError(
            f"nothing is stored of {what}, in {request.session} hours",
            next_step=fetch if request.session.kind == "rth" else regular,
        )
    if np.isnan(prior.prices()).any():
        raise NoDataError(f"a bar of {what} lacks a price")
    # A daily bar is whole when its session has closed, an intraday one when it has ended itself.
    length = prior_timeframe(request).duration_ns
    ends = times.prior_end_ns if length is None else prior.start + length
    if (prior.integers("fetched_at") < np.minimum(ends, times.prior_end_ns)).any():
        raise NoDataError(
            f"what is stored of {what}, was fetched before that session closed",
            next_step="Run `algo-trader update`.",
        )


def _usable(intraday: Bars, expected: Int64s) -> Bars:
    values = np.column_stack([intraday.prices(), intraday.floats("volume")])
    return intraday.where(
        np.isin(intraday.start, expected) & ~np.isnan(values).any(axis=1)
    ).sorted()


def _lag_ms(request: LevelsRequest, times: Windows, used: Bars, now_ns: int) -> int | None:
    if len(used) == 0:
        return None
    length = request.interval.duration_ns or 0
    last_end = min(int(used.start[-1]) + length, times.vwap_end_ns)
    return max(min(now_ns, times.vwap_end_ns) - last_end, 0) // _NS_PER_MS


def _prior_expected(request: LevelsRequest, calendar: Calendar, times: Windows) -> int:
    timeframe = prior_timeframe(request)
    if not timeframe.is_intraday:
        return 1
    return len(
        calendar.expected_bar_starts(
            str(timeframe), times.prior_start_ns, times.prior_end_ns, request.session.kind
        )
    )


def _window(request: LevelsRequest, calendar: Calendar) -> str:
    spans = calendar.session(request.date).spans(request.session.kind)
    return f"{rfc3339(spans[0][0])}/{rfc3339(spans[-1][1])}"


def _reason(request: LevelsRequest, used: Bars) -> str:
    if len(used):
        return f"the {request.interval} bars of {request.symbol} on {request.date} have no volume"
    return (
        f"no {request.interval} bar of {request.symbol} is stored for the {request.session} "
        f"session of {request.date}"
    )


def prior_timeframe(request: LevelsRequest) -> Timeframe:
    """Return which bars describe the session before: daily ones hold regular hours only."""
    return Timeframe.D1 if request.session.kind == "rth" else request.interval
