"""Parquet parts: whole or absent, named by their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infrastructure.clock import utc_from_ns
from infrastructure.errors import CorruptStore
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.commit import SEVERAL, Part
from system.algo_trader.storage.durable_file import sync_folder, write_all
from system.algo_trader.storage.records import schema_of, time_column
from system.algo_trader.storage.shared_part import ROW_GROUP, rows_of_share, with_shares
from system.algo_trader.storage.steps import Faults, no_faults

_HASH_DIGITS: Final = 16
_DRAFT: Final = ".draft-"
_WRITERS: Final = 16
_SHARED_FOLDER: Final = "_several"


def encode_part(table: pa.Table, row_group: int | None = None) -> bytes:
    """Return a table as Parquet bytes; the same rows give the same bytes.

    Whole numbers are instants and counts, near their neighbours: as differences they take half the
    bytes that a dictionary takes and are read and written faster.

    Args:
        table: The rows.
        row_group: How many rows are decoded together; None for Arrow's choice.
    """
    whole = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=row_group,
        compression="zstd",
        use_dictionary=[name for name in table.column_names if name not in whole],
        column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
        store_schema=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def folder_name(symbol: str) -> str:
    """Return a symbol as the name of a folder: `BRK/B` becomes `BRK%2FB`, `..` becomes `%2E%2E`."""
    name = quote(symbol, safe="$^+=,@ ")
    return name.replace(".", "%2E") if name.strip(".") == "" else name


def write_part(
    root: Path, dataset: str, symbol: str, table: pa.Table, faults: Faults = no_faults
) -> Part:
    """Write one part and return its description; the file is on disk when this returns.

    The folder is the day of the part's first row: for intraday bars a part holds one day, for
    daily and longer bars all that came in one batch.

    Args:
        root: The archive's folder.
        dataset: What the rows are.
        symbol: Whose they are; `SEVERAL` for rows of several, ordered by `by_symbol`.
        table: The rows, at least one, sorted by the dataset's time column.
        faults: Called with the name of each step.

    Raises:
        DiskFull: If there is no space left; then no file is left behind either.
        OperatorError: If the file system refuses.
    """
    times = pc.min_max(table.column(time_column(dataset))).as_py()
    is_shared = symbol == SEVERAL
    if is_shared:
        content = encode_part(with_shares(table, dataset), ROW_GROUP)
    else:
        content = encode_part(table)
    digest = hashlib.sha256(content).hexdigest()
    day = utc_from_ns(times["min"])
    name = _SHARED_FOLDER if is_shared else folder_name(symbol)
    folder = root / dataset / name / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"
    path = folder / f"part-{digest[:_HASH_DIGITS]}.parquet"
    with told_in_a_sentence(path):
        _make_folders(root, folder)
        _write_whole(path, content, faults)
    return Part(
        dataset=dataset,
        symbol=symbol,
        path=str(path.relative_to(root)),
        sha256=digest,
        bytes=len(content),
        rows=table.num_rows,
        first_ns=times["min"],
        last_ns=times["max"],
        shared=is_shared,
    )


def write_parts(
    root: Path, dataset: str, tables: Mapping[str, pa.Table], faults: Faults = no_faults
) -> tuple[list[Part], BaseException | None]:
    """Write a part for each symbol, several at once: what takes time is the way to the disk.

    Returns:
        What is written, and the first failure, None when all of it is; errors as `write_part`.
    """
    with ThreadPoolExecutor(_WRITERS) as pool:
        jobs = [
            pool.submit(write_part, root, dataset, symbol, table, faults)
            for symbol, table in tables.items()
        ]
        wait(jobs, return_when=FIRST_EXCEPTION)
        for job in jobs:
            job.cancel()
    done = [job for job in jobs if not job.cancelled()]
    failures = [failure for job in done if (failure := job.exception()) is not None]
    written = [job.result() for job in done if job.exception() is None]
    return written, failures[0] if failures else None


def read_part(root: Path, part: Part) -> pa.Table:
    """Return the rows of a part; of a symbol's share of a file, that symbol's.

    Raises:
        CorruptStore: If the file is missing or does not match its checksum.
    """
    content, damage = _content(root, part)
    if damage is not None:
        raise CorruptStore(
            f"the archive's part {root / part.path} {damage}",
            next_step="Restore it from a backup.",
        )
    file = pq.ParquetFile(pa.BufferReader(content))
    if part.shared and part.symbol != SEVERAL:
        table = rows_of_share(file, part.symbol)
    else:
        table = file.read(use_threads=False)
    return table.cast(schema_of(part.dataset))


def damage_of(root: Path, part: Part) -> str | None:
    """Return what is wrong with a part's file as one sentence, None when it is whole."""
    _, damage = _content(root, part)
    return None if damage is None else f"{part.path} {damage}"


def _content(root: Path, part: Part) -> tuple[bytes, str | None]:
    try:
        content = (root / part.path).read_bytes()
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"
    if hashlib.sha256(content).hexdigest() != part.sha256:
        return b"", "does not match its checksum"
    return content, None


def _write_whole(path: Path, content: bytes, faults: Faults) -> None:
    draft = path.with_name(f"{_DRAFT}{path.name}")
    try:
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(number, content[: len(content) // 2])
            faults("part half written")
            write_all(number, content[len(content) // 2 :])
            faults("part written")
            os.fsync(number)
            faults("part synced")
        finally:
            os.close(number)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    faults("part renamed")
    sync_folder(path.parent)
    faults("part on disk")


def _make_folders(root: Path, folder: Path) -> None:
    new = [path for path in (folder, *folder.parents) if path != root and not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in new:
        if root in path.parents:
            sync_folder(path.parent)
