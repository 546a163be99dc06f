"""The archive: Parquet parts and the log that says which of them count. It is the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import CorruptStore
from infrastructure.supervision.files import make_private_folder
from infrastructure.supervision.locks import FileLock
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.storage import parts, sweep
from system.algo_trader.storage.commit import Commit, Part
from system.algo_trader.storage.durable_file import make_durable_folder
from system.algo_trader.storage.manifest import MANIFEST_FILE, Manifest
from system.algo_trader.storage.quota import check_quota
from system.algo_trader.storage.records import (
    GAPS,
    QUARANTINE,
    REJECTS,
    SPLITS,
    STREAM_GAPS,
    bars_dataset,
    schema_of,
    time_column,
    timeframe_of,
)
from system.algo_trader.storage.shared_part import all_shares, by_symbol, share_of
from system.algo_trader.storage.steps import Faults, no_faults
from system.algo_trader.storage.together import stored_around
from system.algo_trader.storage.transaction import Appended, Transaction
from system.algo_trader.storage.version import check_version, write_version
from system.algo_trader.storage.winners import latest_revisions, pick_winners

LOCK_FILE: Final = "lock"
PROJECTION_LOCK_FILE: Final = "projection.lock"
LOCK_TIMEOUT_S: Final = 30.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Span:
    """Say what the archive has of one symbol in one dataset.

    Attributes:
        dataset: Such as `bars_1d`.
        symbol: Whose it is.
        rows: Stored rows, superseded revisions included.
        bytes: Size of the files.
        first_ns: The earliest instant, nanoseconds UTC.
        last_ns: The latest.
    """

    dataset: str
    symbol: str
    rows: int
    bytes: int
    first_ns: int
    last_ns: int


class Archive:
    """Store bars for good, and say which of them to believe.

    Readers need no lock: what a transaction adds becomes visible with its one line in the log.
    Writers in any process wait for each other.

    Args:
        root: The archive's folder; made by the first transaction.
        clock: Stamps commits and waits for the lock.
        lock_timeout_s: How long a writer waits for another, seconds.
        faults: Called with the name of each step; `steps` lists them.

    Raises:
        StoreNewer: If a newer version wrote the archive.
        CorruptStore: If the version file cannot be understood.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        faults: Faults = no_faults,
    ) -> None:
        self.root = root
        self._clock = clock if clock is not None else SystemClock()
        self._lock_timeout_s = lock_timeout_s
        self._faults = faults
        self._manifest = Manifest(root / MANIFEST_FILE, faults)
        check_version(root)

    @contextmanager
    def transaction(self, request_id: str) -> Iterator[Transaction]:
        """Yield a transaction: all that it adds becomes visible at once, or nothing does.

        Args:
            request_id: The request that the data came from.

        Raises:
            StoreLocked: If another process has been writing for too long.
            DiskFull: If there is no space left; nothing has been stored then.
            StoreNewer: If a newer version took the archive over meanwhile.
        """
        with self.still():
            check_version(self.root)
            write_version(self.root)
            counting = self._manifest.parts()
            if sweep.is_marked(self.root):
                sweep.sweep(self.root, (part.path for part in counting), self._faults)
            check_quota(self.root, counting)
            transaction = Transaction(
                self.root, request_id, self._manifest, self._clock, self._faults
            )
            try:
                yield transaction
                transaction.commit()
            except BaseException:
                transaction.abandon()
                raise

    def tidy(self) -> int:
        """Remove parts that no commit counts, whoever left them; return how many files went.

        Raises:
            StoreLocked: If another process has been writing for too long.
            CorruptStore: If the log is damaged; nothing is removed then.
        """
        with self.still():
            counting = [part.path for part in self._manifest.parts()]
            return sweep.sweep(self.root, counting, self._faults)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Keep writers away for the length of a block.

        Raises:
            StoreLocked: If another process has been writing for too long.
        """
        make_durable_folder(self.root)
        lock = FileLock(self.root / LOCK_FILE)
        with lock.holding(timeout_s=self._lock_timeout_s, clock=self._clock):
            yield

    @contextmanager
    def projecting(self) -> Iterator[None]:
        """Keep other processes from projecting this archive for the length of a block.

        Raises:
            StoreLocked: If another process has been projecting for too long.
        """
        make_private_folder(self.root)
        lock = FileLock(self.root / PROJECTION_LOCK_FILE)
        with lock.holding(timeout_s=self._lock_timeout_s, clock=self._clock):
            yield

    def append(self, bars: Bars, request_id: str) -> Appended:
        """Store bars in a transaction of their own; errors as in `transaction`."""
        with self.transaction(request_id) as transaction:
            return transaction.append(bars)

    def winners(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        session: Session = Session.RTH,
        adjustment: Adjustment = Adjustment.SPLIT,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Bars:
        """Return the bars to believe, one for each start, by rising start.

        Args:
            symbol: The instrument.
            timeframe: The span of a bar.
            session: The hours that count.
            adjustment: What prices are adjusted for.
            start_ns: The first start, nanoseconds UTC; None for the beginning.
            end_ns: The instant before which bars start; None for the end.

        Raises:
            CorruptStore: If a part is missing or damaged.
        """
        bars = self._bars(symbol, timeframe, start_ns, end_ns)
        wanted = bars.equals("session", session) & bars.equals("adjustment", adjustment)
        return pick_winners(bars.where(wanted))

    def last(self, count: int, series: Series) -> Bars:
        """Return the last bars of one series, its newest revisions, by rising start."""
        return self._reading(lambda: self._last(count, series))

    def _last(self, count: int, series: Series) -> Bars:
        parts_left = sorted(
            self.parts(bars_dataset(series.timeframe), series.symbol),
            key=lambda part: part.last_ns,
        )
        found = Bars.empty()
        while parts_left:
            part = parts_left.pop()
            found = Bars.concat([Bars(parts.read_part(self.root, part)).of_series(series), found])
            older = max((part.last_ns for part in parts_left), default=None)
            if older is not None and len(np.unique(found.between(older + 1, None).start)) >= count:
                break
        return latest_revisions(found).last(count)

    def series(self, series: Series, *, start_ns: int | None = None) -> Bars:
        """Return the bars of one series, the newest revision of each, by rising start.

        Args:
            series: The series.
            start_ns: The first start, nanoseconds UTC; None for the beginning.
        """
        bars = self._bars(series.symbol, series.timeframe, start_ns, None)
        return latest_revisions(bars.of_series(series))

    def revisions(self, symbol: str, timeframe: Timeframe) -> Bars:
        """Return every stored bar, superseded revisions included, in the order of storing."""
        return self._bars(symbol, timeframe, None, None)

    def spans(self) -> list[Span]:
        """Return what is stored, by dataset and symbol."""
        found: dict[tuple[str, str], Span] = {}
        for part in self.parts():
            key = (part.dataset, part.symbol)
            old = found.get(key)
            found[key] = Span(
                *key,
                rows=part.rows + (old.rows if old else 0),
                bytes=part.bytes + (old.bytes if old else 0),
                first_ns=min(part.first_ns, old.first_ns) if old else part.first_ns,
                last_ns=max(part.last_ns, old.last_ns) if old else part.last_ns,
            )
        return [found[key] for key in sorted(found)]

    def bar_series(self) -> list[tuple[str, Timeframe]]:
        """Return the symbols and timeframes of which bars are stored, in order."""
        timeframes = list(Timeframe)
        pairs = {
            (part.symbol, timeframe)
            for part in self.parts()
            if (timeframe := timeframe_of(part.dataset)) is not None
        }
        return sorted(pairs, key=lambda pair: (pair[0], timeframes.index(pair[1])))

    def quarantined(self, symbol: str | None = None) -> pa.Table:
        """Return the refused bars with rule and reason, of one symbol or of all."""
        return self._table(QUARANTINE, symbol)

    def rejects(self, symbol: str | None = None) -> pa.Table:
        """Return the refused trades and quotes, of one symbol or of all."""
        return self._table(REJECTS, symbol)

    def splits(self, symbol: str | None = None) -> pa.Table:
        """Return the splits found, of one symbol or of all."""
        return self._table(SPLITS, symbol)

    def gaps(self, symbol: str | None = None) -> pa.Table:
        """Return the gaps as they were recorded, of one symbol or of all.

        A recorded gap stays recorded when later bars close it.
        """
        return self._table(GAPS, symbol)

    def stream_gaps(self) -> pa.Table:
        """Return every recorded state of what streams missed, in the order of storing."""
        return self._table(STREAM_GAPS, None)

    def append_records(self, dataset: str, records: pa.Table, request_id: str) -> Appended:
        """Store trades or quotes in a transaction of their own; errors as in `transaction`."""
        with self.transaction(request_id) as transaction:
            return transaction.append_records(dataset, records)

    def records(
        self,
        dataset: str,
        symbol: str | None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> pa.Table:
        """Return trades or quotes by rising time, equal times of a symbol in their order.

        Args:
            dataset: One whose time is `ts_event`: trades, quotes, option_quotes.
            symbol: The instrument; None for all.
            start_ns: The first instant, nanoseconds UTC; None for the beginning.
            end_ns: The instant before which they happened; None for the end.

        Raises:
            CorruptStore: If a part is missing or damaged.
        """
        time = time_column(dataset)
        found = self._reading(
            lambda: self._rows(self._holding(dataset, symbol, start_ns, end_ns), dataset)
        )
        times = found.column(time).to_numpy()
        low = 0 if start_ns is None else start_ns
        inside = (times >= low) & (times < (np.iinfo(np.int64).max if end_ns is None else end_ns))
        return found.filter(pa.array(inside)).sort_by(time).combine_chunks()

    def around(self, dataset: str, records: pa.Table) -> pa.Table:
        """Return what is stored of the symbols of some trades or quotes, within their times.

        Args:
            dataset: As in `records`.
            records: Rows of the dataset's schema, at least one.
        """
        ordered = by_symbol(records, dataset)
        found = self._reading(
            lambda: stored_around(self.root, self.files(dataset), ordered, dataset)
        )
        return pa.concat_tables([schema_of(dataset).empty_table(), *found]).combine_chunks()

    def commits(self) -> tuple[Commit, ...]:
        """Return the log: what was added when, and by which request."""
        return self._manifest.commits()

    def commit_count(self) -> int:
        """Return how many commits there are: it changes with each one of any process."""
        return self._manifest.count()

    def parts(
        self,
        dataset: str | None = None,
        symbol: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> list[Part]:
        """Return the parts that may hold rows of a dataset, symbol and span; None means all.

        Of a file that several symbols share, each symbol's share is a part.

        Raises:
            CorruptStore: If a shared file's footer cannot be read.
        """
        found: list[Part] = []
        if dataset is not None and symbol is not None:
            # By far the usual question: of a large archive all other parts are left alone.
            known = self._manifest.parts_of(dataset, symbol)
            files = [part for part in known if _overlaps(part, start_ns, end_ns)]
        else:
            files = self.files(dataset, start_ns, end_ns)
        for part in files:
            if not part.shared:
                mine = [part] if symbol in (None, part.symbol) else []
            elif symbol is None:
                mine = all_shares(self.root, part)
            else:
                share = share_of(self.root, part, symbol)
                mine = [] if share is None else [share]
            found += [each for each in mine if _overlaps(each, start_ns, end_ns)]
        return found

    def files(
        self, dataset: str | None = None, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[Part]:
        """Return the files that may hold rows of a dataset and span, as the log names them."""
        return [
            part
            for part in self._manifest.parts()
            if dataset in (None, part.dataset) and _overlaps(part, start_ns, end_ns)
        ]

    def damages(self) -> list[str]:
        """Return one sentence for every part that is missing or does not match its checksum."""
        found = (parts.damage_of(self.root, part) for part in self._manifest.parts())
        return [damage for damage in found if damage is not None]

    def _bars(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Bars:
        dataset = bars_dataset(timeframe)
        table = self._reading(
            lambda: self._rows(self._holding(dataset, symbol, start_ns, end_ns), dataset)
        )
        return Bars(table).between(start_ns, end_ns)

    def _table(self, dataset: str, symbol: str | None) -> pa.Table:
        return self._reading(lambda: self._rows(self._holding(dataset, symbol), dataset))

    def _holding(
        self,
        dataset: str,
        symbol: str | None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> list[Part]:
        """Return what to read, no file more than once."""
        if symbol is None:
            return self.files(dataset, start_ns, end_ns)
        return self.parts(dataset, symbol, start_ns, end_ns)

    def _rows(self, wanted: list[Part], dataset: str) -> pa.Table:
        tables = [parts.read_part(self.root, part) for part in wanted]
        return pa.concat_tables([schema_of(dataset).empty_table(), *tables]).combine_chunks()

    def _reading(self, work: Callable[[], _T]) -> _T:
        """Do the work, again if a part vanished because another process merged or retired it."""
        while True:
            known = self._manifest.count()
            try:
                return work()
            except CorruptStore:
                if self._manifest.count() == known:
                    raise


def _overlaps(part: Part, start_ns: int | None, end_ns: int | None) -> bool:
    return (start_ns is None or part.last_ns >= start_ns) and (
        end_ns is None or part.first_ns < end_ns
    )
