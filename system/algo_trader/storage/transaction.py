"""One transaction of the archive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import Clock
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.market.bars import Bars, Mask, Series
from system.algo_trader.market.gap import Gap
from system.algo_trader.market.quarantine import Rejected
from system.algo_trader.storage import parts, sweep
from system.algo_trader.storage.commit import SEVERAL, Part
from system.algo_trader.storage.manifest import Manifest
from system.algo_trader.storage.records import (
    GAP_SCHEMA,
    GAPS,
    QUARANTINE,
    REJECTS,
    SPLIT_SCHEMA,
    SPLITS,
    bars_dataset,
    schema_of,
    time_column,
)
from system.algo_trader.storage.shared_part import by_symbol, share_of, shares_in
from system.algo_trader.storage.steps import Faults
from system.algo_trader.storage.together import revised, stored_around
from system.algo_trader.storage.winners import latest_revisions

_NS_PER_DAY: Final = 86_400_000_000_000
_VALUES: Final = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Appended:
    """Say what became of appended bars.

    Attributes:
        new: Bars whose key was not stored before.
        unchanged: Bars that were stored already, equal in every value.
        revised: Bars that became a new revision of a stored one.
    """

    new: int = 0
    unchanged: int = 0
    revised: int = 0

    def __add__(self, other: Appended) -> Appended:
        return Appended(
            self.new + other.new, self.unchanged + other.unchanged, self.revised + other.revised
        )


class Transaction:
    """Collect what is added; made by `Archive.transaction`, which holds the lock.

    Args:
        root: The archive's folder.
        request_id: The request that the data came from.
        manifest: The log to commit to.
        clock: Stamps the commit.
        faults: Called with the name of each step.
    """

    def __init__(
        self,
        root: Path,
        request_id: str,
        manifest: Manifest,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._root = root
        self._request_id = request_id
        self._manifest = manifest
        self._clock = clock
        self._faults = faults
        self._stored = manifest.parts()
        self._known = {part.path for part in self._stored}
        self._added: list[Part] = []
        self._removed: list[Part] = []
        self._is_marked = False

    def append(self, bars: Bars, *, together: bool = False) -> Appended:
        """Add bars; equal ones are left out, and differing ones become new revisions.

        The revision that the bars carry is replaced by the next one of their key.

        Args:
            bars: Bars of any series, each key at most once.
            together: Whether those of all symbols share files, which compaction parts: many
                symbols are stored so in the time that one takes.

        Raises:
            ValueError: If a key occurs twice.
            DiskFull: If there is no space left.
        """
        done = Appended()
        if together:
            for timeframe in dict.fromkeys(series.timeframe for series in bars.series()):
                mine = bars.where(bars.equals("timeframe", timeframe))
                done += self._append_together(bars_dataset(timeframe), mine, timeframe.is_intraday)
            return done
        for series in bars.series():
            done += self._append_series(series, bars.of_series(series).sorted())
        return done

    def append_records(
        self, dataset: str, records: pa.Table, *, together: bool = False
    ) -> Appended:
        """Add trades or quotes; those that are stored already are left out.

        A record is known by all its columns and its number among equal ones: two equal trades of
        one nanosecond are two trades, and the same file twice is the same trades.

        Args:
            dataset: One whose time is `ts_event`: trades, quotes, option_quotes.
            records: Rows of the dataset's schema, in the order in which they happened.
            together: As in `append`.

        Raises:
            DiskFull: If there is no space left.
        """
        done = Appended()
        time = time_column(dataset)
        if together:
            for rows in _days(by_symbol(records.cast(schema_of(dataset)), dataset), time):
                done += self._add_unstored(dataset, rows, time)
            return done
        ordered = records.cast(schema_of(dataset)).sort_by(time).combine_chunks()
        for symbol in _distinct(ordered, "symbol"):
            mine = _of_symbol(ordered, symbol).combine_chunks()
            for rows in _days(mine, time):
                times = rows.column(time).to_numpy()
                stored = self._rows(dataset, symbol, (int(times[0]), int(times[-1])))
                fresh = rows.filter(pa.array(unstored(stored, rows)))
                self._add(dataset, symbol, fresh)
                done += Appended(fresh.num_rows, rows.num_rows - fresh.num_rows)
        return done

    def reject(self, refused: pa.Table) -> int:
        """Add refused records, leaving out those that are there already; return how many."""
        added = 0
        names = ["dataset", "content", "rule"]
        for symbol in _distinct(refused, "symbol"):
            mine = _of_symbol(refused, symbol).combine_chunks()
            stored = self._rows(REJECTS, symbol)
            fresh = unstored(stored.select(names), mine.select(names))
            added += self._add(REJECTS, symbol, mine.filter(pa.array(fresh)))
        return added

    def merge(self, old: Sequence[Part]) -> None:
        """Replace parts of one dataset and symbol by one part with the same rows, by time."""
        first = old[0]
        rows = pa.concat_tables([parts.read_part(self._root, part) for part in old])
        self._add(first.dataset, first.symbol, rows.combine_chunks())
        self._removed += old

    def part(self, shared: Sequence[Part]) -> None:
        """Replace files that symbols share, of one dataset, by one part for each symbol.

        Raises:
            CorruptStore: If one of them is damaged.
            DiskFull: If there is no space left.
        """
        if not shared:
            return
        dataset = shared[0].dataset
        rows = pa.concat_tables([parts.read_part(self._root, part) for part in shared])
        ordered = by_symbol(rows, dataset)
        shares = shares_in(ordered, dataset)
        self._mark()
        self._faults("part")
        written, failure = parts.write_parts(
            self._root,
            dataset,
            {name: ordered.slice(share.begin, share.rows) for name, share in shares.items()},
            self._faults,
        )
        self._added += [part for part in written if part.path not in self._known]
        self._known |= {part.path for part in written}
        if failure is not None:
            raise failure
        self._removed += shared

    def remove(self, old: Iterable[Part]) -> None:
        """Let parts count no longer; their files go once that is committed."""
        self._removed += old

    def quarantine(self, rejected: Rejected) -> int:
        """Add refused bars, leaving out those that are in quarantine already; return how many."""
        table = rejected.table
        added = 0
        for symbol in _distinct(table, "symbol"):
            mine = _of_symbol(table, symbol)
            known = _identities(self._rows(QUARANTINE, symbol))
            added += self._add(QUARANTINE, symbol, mine.filter(_unknown(mine, known)))
        return added

    def record_split(self, series: Series, factor: Fraction, before_ns: int) -> None:
        """Add a split: bars that start before `before_ns` were restated by the factor."""
        row = {
            "symbol": series.symbol,
            "timeframe": str(series.timeframe),
            "session": str(series.session),
            "source": str(series.source),
            "numerator": factor.numerator,
            "denominator": factor.denominator,
            "before": before_ns,
            "detected_at": self._clock.now_ns(),
        }
        self._add(SPLITS, series.symbol, pa.Table.from_pylist([row], schema=SPLIT_SCHEMA))

    def record_gaps(self, series: Series, gaps: Iterable[Gap]) -> int:
        """Add gaps, leaving out those that are recorded already; return how many were added."""
        stored = self._rows(GAPS, series.symbol).to_pylist()
        known = {(row["timeframe"], row["session"], row["first"], row["last"]) for row in stored}
        rows = [
            {
                "symbol": series.symbol,
                "timeframe": str(series.timeframe),
                "session": str(series.session),
                "first": gap.first_ns,
                "last": gap.last_ns,
                "count": gap.count,
                "detected_at": self._clock.now_ns(),
            }
            for gap in gaps
            if (series.timeframe, series.session, gap.first_ns, gap.last_ns) not in known
        ]
        if not rows:
            return 0
        return self._add(GAPS, series.symbol, pa.Table.from_pylist(rows, schema=GAP_SCHEMA))

    def commit(self) -> None:
        """Make everything that was added visible, by one line in the log."""
        if not self._added and not self._removed:
            return
        self._mark()
        self._faults("manifest")
        gone = tuple(part.path for part in self._removed)
        self._manifest.append(self._clock.now_ns(), self._request_id, tuple(self._added), gone)
        self._added.clear()
        self._faults("committed")
        for path in gone:
            self._unlink(path)
            self._faults("removed")
        self._removed.clear()
        self._unmark()
        self._faults("finished")

    def abandon(self) -> None:
        """Remove the files of a transaction that is not going to be committed.

        What its commit had made superfluous already when it failed goes with it.
        """
        counting = {part.path for part in self._manifest.parts()}
        for part in (*self._added, *self._removed):
            if part.path not in counting:
                self._unlink(part.path)
        self._added.clear()
        self._removed.clear()
        self._unmark()

    def _mark(self) -> None:
        if not self._is_marked:
            sweep.mark(self._root)
            self._is_marked = True
            self._faults("marked")

    def _unmark(self) -> None:
        if self._is_marked:
            sweep.unmark(self._root)
            self._is_marked = False

    def _unlink(self, path: str) -> None:
        file = self._root / path
        with told_in_a_sentence(file, "remove"):
            file.unlink(missing_ok=True)
        sweep.prune(self._root, file.parent)

    def _append_series(self, series: Series, bars: Bars) -> Appended:
        if len(np.unique(bars.start)) != len(bars):
            raise ValueError(f"two bars of {series} start at the same instant")
        stored = latest_revisions(self._stored_bars(series, bars))
        row = np.searchsorted(stored.start, bars.start)
        exists = np.isin(bars.start, stored.start)
        twins = stored.take(row[exists])
        same = np.zeros(len(bars), dtype=np.bool_)
        same[exists] = _same_values(twins, bars.where(exists))
        revision = np.zeros(len(bars), dtype=np.int64)
        revision[exists] = twins.integers("revision") + 1
        fresh = bars.replace(revision=revision).where(~same)
        for part in _by_day(fresh) if series.timeframe.is_intraday else [fresh]:
            self._add(bars_dataset(series.timeframe), series.symbol, part.table)
        return Appended(int((~exists).sum()), int(same.sum()), int((exists & ~same).sum()))

    def _append_together(self, dataset: str, bars: Bars, is_intraday: bool) -> Appended:
        ordered = Bars(by_symbol(bars.table, dataset))
        tables = stored_around(self._root, self._of(dataset), ordered.table, dataset)
        latest = latest_revisions(Bars.concat(Bars(table) for table in tables))
        numbered, row, exists = revised(ordered, latest)
        same = np.zeros(len(numbered), dtype=np.bool_)
        same[exists] = _same_values(latest.take(row[exists]), numbered.where(exists))
        fresh = numbered.where(~same).table
        for rows in _days(fresh, time_column(dataset)) if is_intraday else [fresh]:
            self._add(dataset, SEVERAL, rows)
        return Appended(int((~exists).sum()), int(same.sum()), int((exists & ~same).sum()))

    def _add_unstored(self, dataset: str, rows: pa.Table, time: str) -> Appended:
        fresh = np.ones(rows.num_rows, dtype=np.bool_)
        tables = stored_around(self._root, self._of(dataset), rows, dataset)
        if tables:
            stored = pa.concat_tables(tables)
            # Equal rows have equal times: only those are looked at closely.
            near = pc.is_in(rows.column(time), stored.column(time).combine_chunks()).to_numpy()
            fresh[near] = unstored(stored, rows.filter(pa.array(near)))
        added = self._add(dataset, SEVERAL, rows.filter(pa.array(fresh)))
        return Appended(added, rows.num_rows - added)

    def _of(self, dataset: str) -> list[Part]:
        return [part for part in (*self._stored, *self._added) if part.dataset == dataset]

    def _stored_bars(self, series: Series, around: Bars) -> Bars:
        span = (int(around.start[0]), int(around.start[-1]))
        table = self._rows(bars_dataset(series.timeframe), series.symbol, span)
        return Bars(table).of_series(series)

    def _rows(self, dataset: str, symbol: str, span: tuple[int, int] | None = None) -> pa.Table:
        tables = []
        for part in self._of(dataset):
            mine = share_of(self._root, part, symbol) if part.shared else part
            if (
                mine is not None
                and mine.symbol == symbol
                and (span is None or (mine.first_ns <= span[1] and mine.last_ns >= span[0]))
            ):
                tables.append(parts.read_part(self._root, mine))
        empty = schema_of(dataset).empty_table()
        return pa.concat_tables([empty, *tables]).combine_chunks()

    def _add(self, dataset: str, symbol: str, table: pa.Table) -> int:
        if not table.num_rows:
            return 0
        self._mark()
        self._faults("part")
        is_ordered = symbol == SEVERAL
        ordered = table if is_ordered else table.sort_by(time_column(dataset)).combine_chunks()
        part = parts.write_part(self._root, dataset, symbol, ordered, self._faults)
        if part.path not in self._known:
            self._known.add(part.path)
            self._added.append(part)
        return int(table.num_rows)


def unstored(stored: pa.Table, rows: pa.Table) -> Mask:
    """Say which rows occur more often than they are stored, as a mask of shape (n,).

    Args:
        stored: Rows of the same columns.
        rows: The rows, shape (n,).
    """
    if not stored.num_rows:
        return np.ones(rows.num_rows, dtype=np.bool_)
    both = pa.concat_tables([stored, rows]).combine_chunks()
    codes = np.column_stack(
        [
            column.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()
            for column in both.columns
        ]
    )
    _, identity = np.unique(codes, axis=0, return_inverse=True)
    identity = identity.reshape(-1)
    before = np.bincount(identity[: stored.num_rows], minlength=int(identity.max()) + 1)
    mine = identity[stored.num_rows :]
    order = np.argsort(mine, kind="stable")
    first = np.searchsorted(mine[order], mine[order], side="left")
    number = np.empty(len(mine), dtype=np.int64)
    number[order] = np.arange(len(mine)) - first
    return np.asarray(number >= before[mine])


def _same_values(left: Bars, right: Bars) -> Mask:
    same = left.floats("is_synthetic") == right.floats("is_synthetic")
    for name in _VALUES:
        mine, other = left.floats(name), right.floats(name)
        same &= (mine == other) | (np.isnan(mine) & np.isnan(other))
    return np.asarray(same)


def _by_day(bars: Bars) -> Sequence[Bars]:
    days = bars.start // _NS_PER_DAY
    return [bars.where(days == day) for day in np.unique(days)]


def _days(rows: pa.Table, time: str) -> list[pa.Table]:
    days = rows.column(time).to_numpy() // _NS_PER_DAY
    return [rows.filter(pa.array(days == day)).combine_chunks() for day in np.unique(days)]


def _distinct(table: pa.Table, name: str) -> list[str]:
    return sorted(set(table.column(name).to_pylist()))


def _of_symbol(table: pa.Table, symbol: str) -> pa.Table:
    return table.filter(pc.equal(table.column("symbol"), symbol))


def _identities(table: pa.Table) -> set[tuple[object, ...]]:
    names = ("timeframe", "session", "source", "start", "rule", *_VALUES)
    return set(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def _unknown(table: pa.Table, known: set[tuple[object, ...]]) -> pa.Array:
    names = ("timeframe", "session", "source", "start", "rule", *_VALUES)
    rows = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    return pa.array([row not in known for row in rows], pa.bool_())
