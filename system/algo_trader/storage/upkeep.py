"""Merge the archive's small parts, and retire rows that are older than they have to be kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infrastructure.clock import rfc3339, utc_from_ns
from infrastructure.errors import CorruptStore, UsageError
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.records import ARCHIVED, EVENT_TIME, time_column, timeframe_of
from system.algo_trader.storage.shared_part import share_of

NS_PER_DAY: Final = 86_400_000_000_000
FOREVER: Final = "forever"
_ROWS_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Compacted:
    """Say what compaction did.

    Attributes:
        before: Parts that were merged.
        after: Parts that they became.
        rows: Rows in them.
        parted: Files that symbols shared, and whose rows lie by symbol now.
    """

    before: int
    after: int
    rows: int
    parted: int = 0


@dataclass(frozen=True, slots=True)
class Retired:
    """Say what retention removes of one dataset and symbol.

    Attributes:
        dataset: What.
        symbol: Whose.
        parts: How many parts.
        rows: How many rows.
        bytes: Size of the files.
        last_ns: The latest instant among them, nanoseconds UTC.
    """

    dataset: str
    symbol: str
    parts: int
    rows: int
    bytes: int
    last_ns: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON output."""
        return {
            "dataset": self.dataset,
            "symbol": self.symbol,
            "parts": self.parts,
            "rows": self.rows,
            "bytes": self.bytes,
            "last": rfc3339(self.last_ns),
        }


def compact(archive: Archive, *, symbol: str | None = None) -> Compacted:
    """Merge parts: intraday bars by month, trades and quotes by day, all else by symbol.

    Files that several symbols share become a part for each symbol first.

    Every row stays, superseded revisions included. Readers see the old parts or the new one; a
    crash leaves the old or the new, and files that the next writer removes.

    Args:
        archive: What to compact.
        symbol: Only this instrument's parts; all when None.

    Raises:
        CorruptStore: If a part is damaged; nothing of its group is merged then.
        StackError: As `Archive.transaction`.
    """
    before = after = rows = 0
    parted = part_by_symbol(archive, symbol=symbol)
    for key, old in _groups(archive, symbol).items():
        with archive.transaction(f"compact/{'/'.join(key)}") as transaction:
            merged = _counting(archive, old)
            if len(merged) < 2:
                continue
            transaction.merge(merged)
        before += len(merged)
        after += 1
        rows += sum(part.rows for part in merged)
    return Compacted(before, after, rows, parted)


def part_by_symbol(archive: Archive, *, symbol: str | None = None) -> int:
    """Give each symbol its own part of the files that symbols share; return how many those were.

    Args:
        archive: The archive.
        symbol: Only files that hold this instrument; all when None.

    Raises:
        CorruptStore: If a file is damaged; nothing of its group is parted then.
        StackError: As `Archive.transaction`.
    """
    parted = 0
    for shared in _shared(archive, symbol):
        with archive.transaction(f"part/{shared[0].dataset}") as transaction:
            counting = _counting(archive, shared)
            transaction.part(counting)
        parted += len(counting)
    return parted


def retention_plan(
    archive: Archive, now_ns: int, keep: Mapping[str, str] | None = None
) -> list[Part]:
    """Return the parts of which every row is older than its dataset has to be kept.

    Args:
        archive: The archive.
        now_ns: The time of day, nanoseconds UTC.
        keep: Days by dataset, as "90d", or "forever"; they replace the declared ones.

    Raises:
        UsageError: If a dataset or a length is unknown.
    """
    ages = {name: _days(text) for name, text in _declared(keep or {}).items()}
    limits = {name: now_ns - days * NS_PER_DAY for name, days in ages.items() if days is not None}
    return [
        part
        for part in archive.files()
        if part.dataset in limits and part.last_ns < limits[part.dataset]
    ]


def retire(
    archive: Archive,
    now_ns: int,
    keep: Mapping[str, str] | None = None,
    *,
    apply: bool = False,
) -> list[Retired]:
    """Remove what `retention_plan` names, or only say what that is.

    Args:
        archive: The archive.
        now_ns: The time of day, nanoseconds UTC.
        keep: As in `retention_plan`.
        apply: Whether to remove; a dry run otherwise.

    Raises:
        UsageError: As `retention_plan`.
        CorruptStore: If any part of the archive is damaged or missing; nothing is removed then.
    """
    plan = retention_plan(archive, now_ns, keep)
    if apply and plan:
        with archive.transaction("retention") as transaction:
            damages = archive.damages()
            if damages:
                raise CorruptStore(
                    f"nothing is removed while the archive is damaged: {damages[0]}",
                    next_step="Run `algo-trader archive verify`, and restore what it names.",
                )
            transaction.remove(plan)
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in plan:
        groups.setdefault((part.dataset, part.symbol), []).append(part)
    return [
        Retired(
            *key,
            len(parts),
            sum(part.rows for part in parts),
            sum(part.bytes for part in parts),
            max(part.last_ns for part in parts),
        )
        for key, parts in sorted(groups.items())
    ]


def _shared(archive: Archive, symbol: str | None) -> Iterator[list[Part]]:
    """Yield shared files of one group at a time, no more rows than fit into memory with ease."""
    batch: list[Part] = []
    for part in sorted((each for each in archive.files() if each.shared), key=_group):
        if symbol is not None and share_of(archive.root, part, symbol) is None:
            continue
        is_full = sum(each.rows for each in batch) + part.rows > _ROWS_AT_ONCE
        if batch and (is_full or _group(part) != _group(batch[0])):
            yield batch
            batch = []
        batch.append(part)
    if batch:
        yield batch


def _groups(archive: Archive, symbol: str | None) -> dict[tuple[str, str, str], list[Part]]:
    groups: dict[tuple[str, str, str], list[Part]] = {}
    for part in archive.files():
        if not part.shared and symbol in (None, part.symbol):
            groups.setdefault(_group(part), []).append(part)
    return {key: parts for key, parts in sorted(groups.items()) if len(parts) > 1}


def _counting(archive: Archive, old: list[Part]) -> list[Part]:
    """Return those parts that count still, now that no other writer is about."""
    known = {part.path for part in archive.files(old[0].dataset)}
    return [part for part in old if part.path in known]


def _group(part: Part) -> tuple[str, str, str]:
    timeframe = timeframe_of(part.dataset)
    form = ""
    if timeframe is not None and timeframe.is_intraday:
        form = "%Y-%m"
    elif time_column(part.dataset) == EVENT_TIME:
        form = "%Y-%m-%d"
    naming: Callable[[str], str] = utc_from_ns(part.first_ns).strftime
    return part.dataset, part.symbol, naming(form) if form else "all"


def _declared(keep: Mapping[str, str]) -> dict[str, str]:
    declared = {each.name: each.retention for each in ARCHIVED if each.retention is not None}
    known = {each.name for each in ARCHIVED}
    for name in keep:
        if name not in known and not _is_bars(name):
            raise UsageError(
                f"{name!r} is no dataset",
                next_step=f"Use bars_1m and its like, or {', '.join(sorted(known)[1:])}.",
            )
    return {**declared, **keep}


def _is_bars(name: str) -> bool:
    try:
        return timeframe_of(name) is not None
    except ValueError:
        return False


def _days(text: str) -> int | None:
    if text == FOREVER:
        return None
    match = re.fullmatch(r"([1-9]\d*)d", text)
    if match is None:
        raise UsageError(
            f"{text!r} is no length of time", next_step=f"Write it as 90d, or as {FOREVER}."
        )
    return int(match[1])
