"""Tell buys from sells: the quote in force at each trade, and the rules that read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infrastructure.errors import InputError
from system.algo_trader.tape.columns import Flags, Int64s, Quotes, Trades, same_length
from system.algo_trader.tape.reference import Confidences, Sides
from system.algo_trader.tape.sides import MISSING, Rule


@dataclass(frozen=True, slots=True)
class Prevailing:
    """Hold the quote in force at each trade.

    Attributes:
        row: Its row among the quotes, int64 (n,), -1 where there is none.
        bid: Its bid in ticks, int64 (n,), `MISSING` where there is none.
        ask: Its ask, likewise.
    """

    row: Int64s
    bid: Int64s
    ask: Int64s


@dataclass(frozen=True, slots=True)
class Classified:
    """Hold trades with their sides.

    Attributes:
        trades: The trades.
        quotes: What was in force at each of them.
        rule: By which their sides were told.
        side: `Side` of each, int8 (n,).
        confidence: `Confidence` of each, uint8 (n,).
    """

    trades: Trades
    quotes: Prevailing
    rule: Rule
    side: Sides
    confidence: Confidences

    @property
    def sampled(self) -> bool:
        """Say whether the feed left trades out."""
        return self.trades.sampled


def prevailing_quotes(
    trades: Trades,
    quotes: Quotes,
    *,
    lag_ns: int = 0,
    window_ns: int | None = None,
    strict: bool = True,
) -> Prevailing:
    """Return the last quote before each trade; never one that comes after it.

    Args:
        trades: The trades, (n,).
        quotes: The quotes, (m,).
        lag_ns: How much older than the trade a quote must be. Lee and Ready took five seconds for
            the floor of 1988; feeds with exchange times need 0.
        window_ns: How old a quote may be, at least `lag_ns`. None takes any age: right for a feed
            that sends every change, since a quote stands until the next; a polled feed wants a
            second or less.
        strict: Whether a quote of exactly `lag_ns` is too young. Where trades and quotes carry the
            time of one matching event, the quote of the same time is that trade's result.

    Raises:
        InputError: If the tick sizes differ, or lag or window is negative or at odds.
    """
    if trades.tick_size != quotes.tick_size:
        raise InputError(
            f"trades count ticks of {trades.tick_size}, quotes of {quotes.tick_size}",
            next_step="Use the finer tick size for both.",
        )
    if lag_ns < 0:
        raise InputError(f"a lag is not negative: {lag_ns} ns would look ahead")
    if window_ns is not None and window_ns < lag_ns:
        raise InputError(f"no quote is at least {lag_ns} ns and at most {window_ns} ns old")
    from system.algo_trader.tape.classify_kernels import join_kernel

    row, bid, ask = (np.empty(len(trades), dtype=np.int64) for _ in range(3))
    window = -1 if window_ns is None else window_ns
    join_kernel(
        trades.time_ns,
        quotes.time_ns,
        quotes.bid,
        quotes.ask,
        lag_ns,
        window,
        strict,
        row,
        bid,
        ask,
    )
    return Prevailing(row, bid, ask)


def no_quotes(trades: Trades) -> Prevailing:
    """Return that no quote was in force at any trade, as with a feed of trades only."""
    nowhere = np.full(len(trades), -1, dtype=np.int64)
    nothing = np.full(len(trades), MISSING, dtype=np.int64)
    return Prevailing(nowhere, nothing, nothing)


def classify(
    trades: Trades,
    quotes: Prevailing | None = None,
    rule: Rule = Rule.LEE_READY,
    *,
    starts: Flags | None = None,
) -> Classified:
    """Return the side of each trade, with what it rests on.

    Args:
        trades: The trades, (n,).
        quotes: What was in force at each; None when there are no quotes.
        rule: The rule. Without usable quotes all but `Rule.QUOTE` fall back to the tick rule.
        starts: Marks, bool (n,), of the trades at which a session or symbol begins, over which
            the tick rule must not look back; None for one run.

    Raises:
        InputError: If the columns differ in length.
    """
    from system.algo_trader.tape.classify_kernels import classify_kernel

    held = no_quotes(trades) if quotes is None else quotes
    marks = np.empty(0, dtype=np.bool_) if starts is None else np.asarray(starts, dtype=np.bool_)
    if starts is not None:
        same_length(len(trades), starts=marks)
    same_length(len(trades), bid=held.bid, ask=held.ask)
    side = np.empty(len(trades), dtype=np.int8)
    confidence = np.empty(len(trades), dtype=np.uint8)
    classify_kernel(int(rule), trades.price, held.bid, held.ask, marks, side, confidence)
    return Classified(trades, held, rule, side, confidence)
