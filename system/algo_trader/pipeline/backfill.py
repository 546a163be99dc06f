"""Fetch the bars that a gap lost, once its minutes are over and the source has them.

What fetches is the same as in every other command: the same checks, quarantine and revisions. Bars
keep the source's own name, which outranks bars built here; that they are backfilled is recorded by
their request, `backfill/...`, and by the gap's state. Updates that were lost stay lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from infrastructure.clock import Clock
from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from system.algo_trader.feeds.feed import HistoryFeed
from system.algo_trader.market.bars import Bars, Int64s, Series
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.quality.closing import BarCalendar, kind_of
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.stream_gaps import StreamGaps

_log = get_logger("pipeline.backfill")
_NS_PER_S: Final = 1_000_000_000
_MINUTE: Final = 60 * _NS_PER_S
_DAY: Final = 86_400 * _NS_PER_S
REQUEST: Final = "backfill"
"""The first word of every request that fills a gap."""

Fetch = Callable[[Series, int, int, str], None]
"""Fetches, checks and stores the bars of a series that start in [first, end], by a request."""


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """Hold the bounds of filling.

    Attributes:
        settle_s: How long after its last minute a gap is left alone, seconds: the source's own
            bars are not final at once.
        patience_s: How long after its last minute a source may still come up with bars, seconds;
            what it lacks then counts as never traded.
        retry_s: The first wait after a failed or incomplete try, seconds; it doubles.
        retry_most_s: The longest wait.
        most_requests: Requests of one step, so that others get their part of the budget.
        look_s: How often it looks for work, seconds of the machine.
    """

    settle_s: float = 120.0
    patience_s: float = 900.0
    retry_s: float = 60.0
    retry_most_s: float = 900.0
    most_requests: int = 20
    look_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Filled:
    """Say what a step did.

    Attributes:
        closed: The gaps whose bars are there now, in their open state.
        requests: How many requests it made.
        error: What ended it early; None if nothing did.
    """

    closed: tuple[StreamGap, ...]
    requests: int
    error: StackError | None = None


@dataclass(slots=True)
class _Tries:
    """Count the tries of one gap."""

    next_ns: int = 0
    count: int = 0
    done: set[str] = field(default_factory=set)
    filled: int = 0
    absent: int = 0


class Backfill:
    """Fill the open gaps that an archive records.

    Which gaps are open is read from the archive, so that a new process goes on where the last one
    ended; what was fetched twice is stored once.

    Args:
        archive: Where gaps are recorded and bars stored.
        feed: Where bars come from.
        fetch: Fetches, checks and stores the bars of one series.
        calendar_of: Returns the calendar of a symbol.
        market_now_ns: Tells the market's time, nanoseconds UTC.
        clock: Waits between steps.
        told: Told the bars that were stored, to show them elsewhere.
        policy: The bounds.
        of_one_symbol: Errors that concern one symbol only; the others go on.

    Attributes:
        gaps: The recorded gaps.
    """

    def __init__(
        self,
        archive: Archive,
        feed: HistoryFeed,
        fetch: Fetch,
        *,
        calendar_of: Callable[[str], BarCalendar],
        market_now_ns: Callable[[], int],
        clock: Clock,
        told: Callable[[Bars], None] = lambda bars: None,
        policy: BackfillPolicy | None = None,
        of_one_symbol: tuple[type[StackError], ...] = (),
    ) -> None:
        self._archive = archive
        self._feed = feed
        self._fetch = fetch
        self._calendar_of = calendar_of
        self._market_now_ns = market_now_ns
        self._clock = clock
        self._told = told
        self._policy = policy if policy is not None else BackfillPolicy()
        self._of_one_symbol = of_one_symbol
        self._tries: dict[object, _Tries] = {}
        self._ending = threading.Event()
        self.gaps = StreamGaps(archive)

    def step(self) -> Filled:
        """Fill what is due, as far as the bounds of one step allow.

        Raises:
            CorruptStore: If the archive's record of gaps is damaged.
        """
        now = self._market_now_ns()
        closed: list[StreamGap] = []
        requests = 0
        source = str(self._feed.source)
        for gap in (each for each in self.gaps.open() if each.source == source):
            tries = self._tries.setdefault(gap.identity, _Tries())
            if now < max(_settled_ns(gap, self._policy.settle_s), tries.next_ns):
                continue
            for symbol in (each for each in gap.symbols if each not in tries.done):
                if requests >= self._policy.most_requests or self._ending.is_set():
                    return Filled(tuple(closed), requests)
                try:
                    requests += self._fill(gap, symbol, tries, now)
                except StackError as error:
                    _log.warning("the bars of the gap %s wait: %s", gap.name, error)
                    self._wait(tries, now)
                    return Filled(tuple(closed), requests + 1, error)
            if len(tries.done) < len(gap.symbols):
                self._wait(tries, now)
                continue
            self.gaps.close(
                gap,
                filled=tries.filled,
                absent=tries.absent,
                at_ns=now,
                request=f"{REQUEST}/{gap.name}",
            )
            del self._tries[gap.identity]
            closed.append(gap)
            _log.info(
                "the gap %s is filled: %d bars, %d the source does not have",
                *(gap.name, tries.filled, tries.absent),
            )
        return Filled(tuple(closed), requests)

    def run(self) -> None:
        """Fill until `stop`: for a thread of its own. What fails is tried again."""
        while not self._ending.is_set():
            try:
                self.step()
            except StackError as error:
                _log.error("no gap can be filled now: %s", error)
            # In short steps, so that the end is not waited for.
            left_s = self._policy.look_s
            while left_s > 0 and not self._ending.is_set():
                self._clock.sleep(min(left_s, 0.1))
                left_s -= 0.1

    def stop(self) -> None:
        """End `run` after the request that it is at."""
        self._ending.set()

    def states(self) -> dict[str, dict[str, int]]:
        """Return how many recorded gaps are in which state, by service.

        Raises:
            CorruptStore: If the archive's record of gaps is damaged.
        """
        return count_states(self.gaps.all())

    def _fill(self, gap: StreamGap, symbol: str, tries: _Tries, now: int) -> int:
        """Fetch what a gap lost of one symbol unless it is stored; return how many requests."""
        series = self._feed.series(symbol, Timeframe.M1)
        expected = lost_minutes(gap, self._calendar_of(symbol), series)
        missing = self._missing(series, expected)
        requests = 0
        for first, last in _by_day(missing):
            requests += 1
            try:
                # To the end of the last minute: a range without length is no range at Schwab.
                end = last + _MINUTE - 1
                self._fetch(series, first, end, f"{REQUEST}/{gap.name}/{symbol}/{first}")
            except self._of_one_symbol as error:
                _log.info("%s has nothing from %d to %d: %s", symbol, first, last, error)
        if requests:
            stored = self._archive.series(series, start_ns=int(expected[0]))
            self._told(stored.where(np.isin(stored.start, expected)))
            missing = self._missing(series, expected)
        patient_until = _last_minute(gap) + _MINUTE + self._policy.patience_s * _NS_PER_S
        if not len(missing) or now >= patient_until:
            tries.done.add(symbol)
            tries.filled += len(expected) - len(missing)
            tries.absent += len(missing)
        return requests

    def _missing(self, series: Series, expected: Int64s) -> Int64s:
        if not len(expected):
            return expected
        stored = self._archive.series(series, start_ns=int(expected[0])).start
        return expected[~np.isin(expected, stored)]

    def _wait(self, tries: _Tries, now: int) -> None:
        wait_s = min(self._policy.retry_s * 2**tries.count, self._policy.retry_most_s)
        tries.count += 1
        tries.next_ns = now + int(wait_s * _NS_PER_S)


def lost_minutes(gap: StreamGap, calendar: BarCalendar, series: Series) -> Int64s:
    """Return the starts of the minutes that a gap touches, those at its edges included.

    Args:
        gap: A gap.
        calendar: The calendar of the instrument.
        series: The series of minutes; its session counts.
    """
    first = gap.start_ns // _MINUTE * _MINUTE
    expected = calendar.expected_bar_starts(
        series.timeframe, first, _last_minute(gap) + 1, kind_of(series.session)
    )
    return np.asarray(expected, dtype=np.int64)


def count_states(gaps: Iterable[StreamGap]) -> dict[str, dict[str, int]]:
    """Return how many gaps are in which state, by service."""
    found: dict[str, dict[str, int]] = {}
    for gap in gaps:
        mine = found.setdefault(gap.service, {})
        mine[str(gap.state)] = mine.get(str(gap.state), 0) + 1
    return found


def _last_minute(gap: StreamGap) -> int:
    return gap.end_ns // _MINUTE * _MINUTE


def _settled_ns(gap: StreamGap, settle_s: float) -> int:
    return _last_minute(gap) + _MINUTE + int(settle_s * _NS_PER_S)


def _by_day(starts: Int64s) -> Sequence[tuple[int, int]]:
    """Return the first and last start of each UTC day: a request a day, whatever lies between."""
    days = starts // _DAY
    return [(int(starts[days == day][0]), int(starts[days == day][-1])) for day in np.unique(days)]
