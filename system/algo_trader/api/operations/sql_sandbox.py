"""SQL over the archive for those who may read all of it: one SELECT, bounded in every way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from infrastructure.clock import Clock
from infrastructure.errors import (
    CorruptStore,
    NoDataError,
    ServiceUnavailable,
    StackError,
    UsageError,
)
from infrastructure.supervision.spec import child_environment, module_command
from system.algo_trader.storage.archive import Archive

MOST_ROWS: Final = 10_000
ROWS: Final = 1000
BYTES: Final = 8_000_000
TIMEOUT_S: Final = 5.0
AT_ONCE: Final = 2
_START_S: Final = 10.0
"""How long the process may take beyond the question: to start, and to tell the sources."""
_NARROWER: Final = "Ask for fewer rows: by symbol, by time, or summed up."
_MODULE: Final = "system.algo_trader.api.operations.sql_child"
_LEAN: Final = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HOME": "/nonexistent",
}
_ERRORS: Final[dict[str, type[StackError]]] = {
    each.__name__: each for each in (UsageError, NoDataError, CorruptStore)
}


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """Hold what SQL found.

    Attributes:
        table: The rows.
        truncated: Whether there are more.
        took_s: How long the question took, seconds, without the start of its process.
        datasets: What was read.
        sources: All sources of the tables that were read.
        is_synthetic: Whether any row of those tables was made up; None where nothing says so.
        as_of_ns: The newest instant in those tables, nanoseconds UTC.
    """

    table: pa.Table
    truncated: bool
    took_s: float
    datasets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    is_synthetic: bool | None = None
    as_of_ns: int | None = None


class SqlSandbox:
    """Answer SQL over an archive: reads only, each question in a process that ends with it.

    Views have the names of datasets. Bars are the ones to believe; every stored revision stands
    under the name with `_revisions` behind it.

    Args:
        archive: What is read.
        clock: Measures how long others may be waited for.
    """

    def __init__(self, archive: Archive, clock: Clock) -> None:
        self._archive = archive
        self._clock = clock
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def query(
        self,
        sql: str,
        *,
        max_rows: int = ROWS,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = BYTES,
    ) -> SqlAnswer:
        """Return the rows of one SELECT.

        Args:
            sql: The text, in DuckDB's dialect.
            max_rows: The most rows; what is beyond is left out and said.
            timeout_s: How long it may take, seconds.
            max_bytes: The most bytes of rows.

        Raises:
            UsageError: If it is no single SELECT of our tables, is wrong, or takes too much.
            NoDataError: If there is no archive.
            ServiceUnavailable: If others keep asking for longer than this one may take.
            CorruptStore: If a file of the archive cannot be read.
        """
        if not sql.isascii() and any("\ud800" <= letter <= "\udfff" for letter in sql):
            raise UsageError("SQL is text: this holds halves of letters")
        if not self._free.acquire(timeout=timeout_s):
            raise ServiceUnavailable("too many questions in SQL are being answered")
        try:
            asked = {
                "root": str(self._archive.root),
                "sql": sql,
                "max_rows": max_rows,
                "max_bytes": max_bytes,
                "timeout_s": timeout_s,
            }
            return _answer(_run(asked, timeout_s))
        finally:
            self._free.release()


def _run(asked: dict[str, Any], timeout_s: float) -> bytes:
    """Return what a process of its own writes; it is ended when it takes too long."""
    argv, env = module_command(_MODULE)
    process = subprocess.Popen(
        argv,
        env=child_environment(env | _LEAN),
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        content, _ = process.communicate(json.dumps(asked).encode(), 2 * timeout_s + _START_S)
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"this question takes longer than {timeout_s:g} s", next_step=_NARROWER
        ) from None
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode == -signal.SIGALRM:
        raise UsageError(f"this question takes longer than {timeout_s:g} s", next_step=_NARROWER)
    if process.returncode != 0:
        # An allocation that the operating system refuses ends some libraries on the spot.
        raise UsageError("this question takes more memory than one may", next_step=_NARROWER)
    return bytes(content)


def _answer(content: bytes) -> SqlAnswer:
    line, _, rows = content.partition(b"\n")
    head = json.loads(line)
    if head["error"] is not None:
        kind = _ERRORS.get(head["error"], UsageError)
        raise kind(head["message"], next_step=head["next_step"])
    with pa.ipc.open_stream(rows) as reader:
        table = reader.read_all()
    return SqlAnswer(
        _plain(table),
        head["is_cut"],
        head["took_s"],
        tuple(head["datasets"]),
        tuple(head["sources"]),
        head["is_synthetic"],
        head["as_of_ns"],
    )


def _plain(table: pa.Table) -> pa.Table:
    """Return rows in types that every form of an answer knows, each column with its own name."""
    names: list[str] = []
    for name in table.column_names:
        number, own = 0, name
        while own in names:
            number += 1
            own = f"{name}_{number}"
        names.append(own)
    columns = [_plain_column(each) for each in table.columns]
    return pa.table(dict(zip(names, columns, strict=True)))


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    try:
        if pa.types.is_decimal(kind):
            if kind.scale == 0:
                with contextlib.suppress(pa.ArrowInvalid):
                    return column.cast(pa.int64())
            return column.cast(pa.float64())
        if pa.types.is_timestamp(kind):
            return column.cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowInvalid:
        return column.cast(pa.string())
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if pa.types.is_temporal(kind) or pa.types.is_nested(kind):
        return _within_the_calendar(column)
    return column


def _within_the_calendar(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose dates can be written down; DuckDB's reach beyond the year 9999."""
    try:
        column.to_pylist()
    except (OverflowError, ValueError):
        try:
            return column.cast(pa.string())
        except pa.ArrowException:
            raise UsageError(
                "a column holds dates outside of the years 1 to 9999",
                next_step="Cast it to VARCHAR.",
            ) from None
    return column
