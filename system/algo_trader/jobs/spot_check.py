"""Fetch a sample of stored days anew, and compare."""

from __future__ import annotations

import random
from dataclasses import dataclass

from infrastructure.errors import NoDataError, UsageError
from infrastructure.exchange.zones import NS_PER_DAY
from system.algo_trader.feeds.feed import HistoryFeed
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.quality.spot_check import TARGET, SpotCheck, spot_check
from system.algo_trader.storage.archive import Archive

_FRESH_DAYS = 40
"""Minutes older than this are not at Schwab any more (about 48 days)."""


@dataclass(frozen=True, slots=True)
class SpotCheckRun:
    """Say what a run found.

    Attributes:
        check: The comparison.
        days: Symbol-days that were compared.
        unanswered: Symbol-days of which the source no longer has anything.
        seed: What chose the sample.
    """

    check: SpotCheck
    days: int
    unanswered: int
    seed: int

    def sentence(self) -> str:
        """Return the result for a person."""
        found = self.check
        if found.share is None:
            return f"Nothing could be compared; {self.unanswered} days are gone at the source."
        words = (
            f"{found.compared - len(found.mismatches):,} of {found.compared:,} bars on "
            f"{self.days} symbol-days agree with the source: {100 * found.share:.3f} % "
            f"(target {100 * TARGET:g} %), seed {self.seed}."
        )
        if self.unanswered:
            words += f" The source has nothing on {self.unanswered} further days."
        return words


def run_spot_check(
    feed: HistoryFeed,
    archive: Archive,
    timeframe: Timeframe,
    *,
    samples: int,
    seed: int | None = None,
) -> SpotCheckRun:
    """Compare a random sample of stored symbol-days with the source.

    Args:
        feed: The source that the bars came from.
        archive: Where they are stored.
        timeframe: Which bars.
        samples: Symbol-days to compare, fewer if fewer are stored.
        seed: Chooses the sample; a new one when None.

    Raises:
        NoDataError: If the source's bars of this timeframe are not stored.
        StackError: If the source fails.
    """
    chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
    days = _stored_days(feed, archive, timeframe)
    if not days:
        raise NoDataError(
            f"no {timeframe} bars of {feed.source} are stored",
            next_step="Fetch some: `algo-trader update`.",
        )
    picked = random.Random(chosen).sample(days, min(samples, len(days)))
    total, unanswered = SpotCheck(0, ()), 0
    for symbol, day in sorted(picked):
        first, last = day * NS_PER_DAY, (day + 1) * NS_PER_DAY
        series = feed.series(symbol, timeframe)
        stored = archive.series(series).between(first, last)
        try:
            fresh = feed.history(symbol, timeframe, start_ns=first, end_ns=last - 1).bars
        except NoDataError:
            unanswered += 1
            continue
        total += spot_check(stored, fresh.between(first, last).sorted())
    return SpotCheckRun(total, len(picked) - unanswered, unanswered, chosen)


def _stored_days(
    feed: HistoryFeed, archive: Archive, timeframe: Timeframe
) -> list[tuple[str, int]]:
    """List the symbols and UTC days of which bars of the feed's series are stored."""
    found: list[tuple[str, int]] = []
    for symbol, each in archive.bar_series():
        if each is not timeframe:
            continue
        try:
            starts = archive.series(feed.series(symbol, timeframe)).start
        except UsageError:
            continue
        if timeframe.is_intraday and len(starts):
            starts = starts[starts >= starts.max() - _FRESH_DAYS * NS_PER_DAY]
        found += [(symbol, day) for day in sorted(set((starts // NS_PER_DAY).tolist()))]
    return found
