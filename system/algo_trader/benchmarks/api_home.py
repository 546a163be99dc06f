"""The home of `bench api`: made-up bars of a year, option chains, and frames of ticks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from infrastructure.clock import SystemClock
from infrastructure.exchange.calendars import calendar, date_of
from system.algo_trader.benchmarks.api_peer import BARS_FILE
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import Ticks
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.options.chain_document import expiry_documents
from system.algo_trader.options.synthetic import synthetic_chain
from system.algo_trader.pipeline.run_notes import named_frame
from system.algo_trader.storage.archive import Archive

YEAR_OF: Final = "AAA"
"""The symbol of which a year is stored; of the others there are a few days."""
OTHERS: Final = ("BBB", "CCC", "DDD", "EEE")
FEW_DAYS: Final = 10
EXPIRIES: Final = 30
STRIKES: Final = 130
SYMBOLS: Final = 1_000
FRAME_TICKS: Final = 100
SEED: Final = 20_261_101
_SOURCE: Final = Source.SCHWAB_SIM
_MINUTE_NS: Final = 60_000_000_000
_DAY_NS: Final = 86_400_000_000_000


def seed_bars(archive: Archive, folder: Path, days: int) -> list[int]:
    """Store minutes of the last trading days; a plain file in the folder gets the same rows.

    Args:
        archive: Of the home.
        folder: Of the peer.
        days: How many trading days of `YEAR_OF`.

    Returns:
        When each of those days opened, nanoseconds UTC.
    """
    rng = np.random.default_rng(SEED)
    today = date_of(SystemClock().now_ns())
    hours = calendar("XNYS")
    sessions = hours.sessions(today - timedelta(days=2 * days + 10), today - timedelta(days=1))
    last = sessions[-days:]
    with archive.transaction("seeded") as transaction:
        for symbol in (YEAR_OF, *OTHERS):
            for session in last if symbol == YEAR_OF else last[-FEW_DAYS:]:
                starts = np.arange(session.open_ns, session.close_ns, _MINUTE_NS)
                transaction.append(_bars(symbol, Timeframe.M1, starts, rng))
            starts = hours.expected_bar_starts("1d", last[0].open_ns - _DAY_NS, last[-1].close_ns)
            transaction.append(_bars(symbol, Timeframe.D1, starts, rng))
    plain = archive.winners(YEAR_OF, Timeframe.M1).table
    pq.write_table(plain, folder / BARS_FILE)
    return [int(session.open_ns) for session in last]


def _bars(
    symbol: str, timeframe: Timeframe, starts: npt.NDArray[np.int64], rng: np.random.Generator
) -> Bars:
    close = np.round(100 + rng.standard_normal(len(starts)).cumsum() / 50, 2)
    return Bars.of(
        Series(symbol, timeframe, source=_SOURCE), start=starts, open=close,
        high=close + 0.01, low=close - 0.01, close=close,
        volume=rng.integers(1, 10**6, len(starts)), fetched_at=SystemClock().now_ns(),
        is_synthetic=True,
    )  # fmt: skip


def keep_chains(redis: AlgoTraderRedisClient, names: list[str]) -> int:
    """Keep a chain of this moment for each name in Redis, as `options refresh` does it.

    Args:
        redis: Of the realm.
        names: The underlyings.

    Returns:
        How many contracts each has.
    """
    chain = synthetic_chain(expiries=EXPIRIES, strikes=STRIKES, half_spread=0.02)
    shift_ns = SystemClock().now_ns() - chain.as_of_ns
    for name in names:
        moved = dataclasses.replace(
            chain,
            underlying=name,
            as_of_ns=chain.as_of_ns + shift_ns,
            settles_ns=chain.settles_ns + shift_ns,
            source=str(_SOURCE),
            fetched_at_ns=chain.as_of_ns + shift_ns,
        )
        for expiry, quotes in expiry_documents(moved).items():
            redis.save_options(name, expiry, quotes)
    return len(chain)


def symbol_name(number: int) -> str:
    """Return the name of an invented symbol that ticks."""
    return f"T{number:04d}"


def frames() -> Iterator[pa.RecordBatch]:
    """Yield frames of ticks of this moment without end; each symbol ticks in turn."""
    rng, clock = np.random.default_rng(SEED), SystemClock()
    names = pa.array([symbol_name(number) for number in range(SYMBOLS)])
    first = 0
    while True:
        order = np.arange(first, first + FRAME_TICKS)
        now = np.full(FRAME_TICKS, clock.now_ns())
        last = np.round(100 + rng.standard_normal(FRAME_TICKS), 2)
        size = rng.integers(1, 1000, FRAME_TICKS)
        is_trade = order % 2 == 0
        ticks = Ticks(
            symbol=order % SYMBOLS, order=order, ts_recv=now, ts_quote=now, ts_trade=now,
            bid=last - 0.01, ask=last + 0.01, bid_size=size, ask_size=size, last=last,
            last_size=size, volume=size * is_trade, total=order * 100,
            is_quote=~is_trade, is_trade=is_trade,
        )  # fmt: skip
        yield named_frame(ticks.batch(names), "bench", "LEVELONE_EQUITIES", str(_SOURCE))
        first += FRAME_TICKS
