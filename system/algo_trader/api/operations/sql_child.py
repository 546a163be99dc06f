"""The process that answers one text of SQL and ends: what it does wrong, it does to itself.

DuckDB bounds what its operators hold, but not what functions of texts make (`repeat`, `lpad`) nor
what a result holds. The operating system bounds those here, and the service stays as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from infrastructure.errors import CorruptStore, NoDataError, StackError, UsageError
from system.algo_trader.api.operations.sql_text import tables_read
from system.algo_trader.api.operations.sql_views import (
    add_views,
    dataset_of,
    names_of,
    sources_of,
)
from system.algo_trader.storage.archive_files import ArchiveFiles

MEMORY: Final = "256MB"
_BEYOND: Final = 1 << 30
"""Bytes of address space that an answer may take beyond what the process begins with."""
TOO_LARGE: Final = "this question takes more memory than one may"
TOO_LONG: Final = "this question takes longer than"
NARROWER: Final = "Ask for fewer rows: by symbol, by time, or summed up."
_CPU_S: Final = 60
"""Seconds of a processor after which the process is ended even if nobody waits for it."""
_GRACE_S: Final = 2.0
_ROWS: Final = 256
_NICE: Final = 10
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": MEMORY,
    "temp_directory": "",
    "threads": "1",
}


@dataclass(frozen=True, slots=True)
class Question:
    """Say what is asked; the fields of the JSON on standard input.

    Attributes:
        root: The archive's folder.
        sql: The text.
        max_rows: The most rows.
        max_bytes: The most bytes of rows.
        timeout_s: How long it may take, seconds.
    """

    root: str
    sql: str
    max_rows: int
    max_bytes: int
    timeout_s: float


def main() -> None:
    """Answer the question on standard input: a line of JSON, then Arrow's stream."""
    question = Question(**json.loads(sys.stdin.buffer.read()))
    # Some functions of texts hear no interruption, nor let another thread run: the alarm ends them.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, question.timeout_s + _GRACE_S)
    # Whatever a library may say goes to standard error.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        head, table = answered(question)
    except StackError as error:
        head, table = _said(type(error).__name__, error.message, error.next_step), None
    except MemoryError:
        head, table = _said(UsageError.__name__, TOO_LARGE, NARROWER), None
    out.write(json.dumps(head).encode() + b"\n")
    if table is not None:
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    out.close()


def answered(question: Question) -> tuple[dict[str, Any], pa.Table]:
    """Return what is to be known of an answer, and its rows.

    Raises:
        UsageError: If the text may not be asked, is wrong, or takes too long.
        NoDataError: If there is no archive.
        CorruptStore: If a file of it cannot be read.
    """
    try:
        files = ArchiveFiles.open(question.root)
    except NoDataError:
        raise NoDataError("nothing is stored yet") from None
    with connection() as asked:
        try:
            names = tables_read(asked, question.sql, set(names_of(files)))
            add_views(asked, files, names)
            asked.execute("SET lock_configuration = true")
            with _ending(asked, question.timeout_s):
                began_s = time.monotonic()
                rows, is_cut = _rows(asked, question)
                took_s = time.monotonic() - began_s
            datasets = sorted({dataset_of(name) for name in names})
            with _ending(asked, question.timeout_s):
                sources, made_up = sources_of(asked, files, datasets)
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise _refused(error, question) from None
    newest = [part.last_ns for name in datasets for part in files.select(name)]
    head = {
        "error": None,
        "is_cut": is_cut,
        "took_s": took_s,
        "datasets": datasets,
        "sources": sources,
        "is_synthetic": made_up,
        "as_of_ns": max(newest, default=None),
    }
    return head, rows


@contextlib.contextmanager
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database of its own that can reach no file, no network and no variable of ours."""
    with duckdb.connect(":memory:", config=_CONFIG) as found:
        yield found


def bound_memory() -> None:
    """Let this process take so much more than it has now, and no processor from others."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(2)
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm", encoding="ascii") as file:
            has = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (has + _BEYOND, has + _BEYOND))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    with contextlib.suppress(OSError):
        os.nice(_NICE)


@contextlib.contextmanager
def _ending(asked: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    timer = threading.Timer(timeout_s, asked.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _rows(asked: duckdb.DuckDBPyConnection, question: Question) -> tuple[pa.Table, bool]:
    """Take rows one batch after the other, so that a result is never held as a whole."""
    reader = asked.sql(question.sql).to_arrow_reader(_ROWS)
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    is_cut = False
    for batch in reader:
        room = question.max_rows - rows
        if batch.num_rows > room:
            batch, is_cut = batch.slice(0, room), True
        fits = _fitting(batch, question.max_bytes - size)
        if fits < batch.num_rows:
            batch, is_cut = batch.slice(0, fits), True
        batches.append(batch)
        rows += batch.num_rows
        size += batch.get_total_buffer_size() if not is_cut else 0
        if is_cut:
            break
    if is_cut and not rows and question.max_rows:
        raise UsageError(
            f"one row of this answer is larger than {question.max_bytes:,} bytes",
            next_step="Ask for shorter values.",
        )
    return pa.Table.from_batches(batches, reader.schema), is_cut


def _fitting(batch: pa.RecordBatch, room: int) -> int:
    """Return how many rows of a batch take no more bytes than there is room for."""
    if batch.nbytes <= room:
        return int(batch.num_rows)
    low, high = 0, batch.num_rows
    while low < high:
        middle = (low + high + 1) // 2
        if batch.slice(0, middle).nbytes <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _refused(error: Exception, question: Question) -> StackError:
    """Return an error of DuckDB or Arrow in one line, without places of this machine.

    Arrow hands DuckDB's errors on as its own, with their text.
    """
    text = str(error)
    if "INTERRUPT Error" in text:
        return UsageError(f"{TOO_LONG} {question.timeout_s:g} s", next_step=NARROWER)
    if any(each in text for each in ("Out of Memory Error", "bad allocation", "bad_alloc")):
        return UsageError(TOO_LARGE, next_step=NARROWER)
    if question.root in text or not isinstance(error, duckdb.Error):
        return CorruptStore(
            "a part of the archive cannot be read", next_step="Run `algo-trader archive verify`."
        )
    return UsageError(f"DuckDB refuses the question: {text.strip().splitlines()[0][:300]}")


def _said(kind: str, message: str, next_step: str | None) -> dict[str, Any]:
    return {"error": kind, "message": message, "next_step": next_step}


if __name__ == "__main__":
    bound_memory()
    main()
