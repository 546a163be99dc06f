"""How much a store takes: rows before a flush, memory, and, if wanted, InfluxDB 3 Core's limits.

Source of Core's numbers: influxdata/influxdb v3.10.1, influxdb3/src/commands/serve.rs and the
catalog's limits; a file of Core's first generation spans ten minutes and is never compacted.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from infrastructure.errors import FileLimitExceeded, InputError

FLUSH_ROWS = 150_000
FLUSH_LOG_BYTES = 64 * 1024 * 1024
MEMORY_BYTES = 1024 * 1024 * 1024
LEAST_MEMORY_BYTES = 64 * 1024 * 1024

CORE_DATABASES = 5
CORE_TABLES = 2_000
CORE_COLUMNS = 500
CORE_QUERY_FILES = 432
CORE_FILE_NS = 600_000_000_000

_BOUND = re.compile(r"\btime (>=|>|<=|<|=) TimestampNanosecond\((-?\d+)")
_SCAN = re.compile(r"TableScan: (?:\w+\.)*\"?(.+?)\"?(?: projection=| filters=|$)")


class LimitExceeded(InputError):
    """Report a write that needs more databases, tables or columns than there may be."""


@dataclass(frozen=True, slots=True)
class StrictCore:
    """Behave as strictly as InfluxDB 3 Core does.

    Attributes:
        seed: Decides which of several writes of one row wins: Core promises no order.
    """

    seed: int
    random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "random", random.Random(self.seed))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a store takes.

    Attributes:
        flush_rows: Rows in memory that start a flush.
        flush_log_bytes: Bytes of the log's open segment that start a flush.
        memory_bytes: What rows in memory, and the work of the queries of a database, may take.
        strict: Core's limits; None takes all that fits.

    Raises:
        InputError: If the memory is too little to work with.
    """

    flush_rows: int = FLUSH_ROWS
    flush_log_bytes: int = FLUSH_LOG_BYTES
    memory_bytes: int = MEMORY_BYTES
    strict: StrictCore | None = None

    def __post_init__(self) -> None:
        if self.memory_bytes < LEAST_MEMORY_BYTES:
            raise InputError(
                f"the memory limit is {self.memory_bytes} bytes, expected at least "
                f"{LEAST_MEMORY_BYTES}"
            )

    def check_databases(self, count: int) -> None:
        """Refuse a database beyond Core's number.

        Raises:
            LimitExceeded: If there would be too many.
        """
        if self.strict is not None and count > CORE_DATABASES:
            raise LimitExceeded(f"Adding a new database would exceed limit of {CORE_DATABASES} "
                                "databases")  # fmt: skip

    def check_table(self, tables: int, columns: int) -> None:
        """Refuse tables, or columns of one (its time among them), beyond Core's numbers.

        Raises:
            LimitExceeded: If there would be too many.
        """
        if self.strict is None:
            return
        if tables > CORE_TABLES:
            raise LimitExceeded(
                f"Update to schema would exceed number of tables limit of {CORE_TABLES} tables"
            )
        if columns > CORE_COLUMNS:
            raise LimitExceeded(
                "Update to schema would exceed number of columns per table limit of "
                f"{CORE_COLUMNS} columns"
            )


def time_spans(plan: str) -> dict[str, tuple[int, int]]:
    """Return the earliest and latest time that a plan reads of each table.

    Args:
        plan: An optimized logical plan as indented text.
    """
    spans: dict[str, tuple[int, int]] = {}
    above = ""
    for line in plan.splitlines():
        scan = _SCAN.search(line)
        if scan is not None:
            text = above if " OR " not in above else ""
            lows = [int(value) for sign, value in _BOUND.findall(text) if sign in (">", ">=", "=")]
            highs = [int(value) for sign, value in _BOUND.findall(text) if sign in ("<", "<=", "=")]
            low, high = max(lows, default=-(2**63)), min(highs, default=2**63 - 1)
            known = spans.get(scan[1], (low, high))
            spans[scan[1]] = (min(low, known[0]), max(high, known[1]))
        above = line if "Filter:" in line or "filters=" in line else ""
    return spans


def check_files(times: list[npt.NDArray[np.int64]], span: tuple[int, int]) -> None:
    """Refuse a query over more files than Core reads at once.

    Args:
        times: Times of the table's rows.
        span: The earliest and latest time that the query reads.

    Raises:
        FileLimitExceeded: If there would be too many.
    """
    files = [
        np.unique(time[(time >= span[0]) & (time <= span[1])] // CORE_FILE_NS) for time in times
    ]
    count = len(np.unique(np.concatenate(files))) if files else 0
    if count > CORE_QUERY_FILES:
        raise FileLimitExceeded(
            f"Query would scan {count} Parquet files, exceeding the file limit. "
            "InfluxDB 3 Core caps file access to prevent performance degradation and memory "
            "issues. Use a narrower time range if possible."
        )
