"""Parquet parts: whole or absent, named by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infrastructure.clock import utc_from_ns
from infrastructure.errors import CorruptStore
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.durable_file import sync_folder, write_all
from system.algo_trader.storage.manifest import Part
from system.algo_trader.storage.records import schema_of, time_column
from system.algo_trader.storage.steps import Faults, no_faults

_HASH_DIGITS: Final = 16
_DRAFT: Final = ".draft-"


def encode_part(table: pa.Table) -> bytes:
    """Return a table as Parquet bytes; the same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, store_schema=True)
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
        symbol: Whose they are.
        table: The rows, at least one, sorted by the dataset's time column.
        faults: Called with the name of each step.

    Raises:
        DiskFull: If there is no space left; then no file is left behind either.
        OperatorError: If the file system refuses.
    """
    times = pc.min_max(table.column(time_column(dataset))).as_py()
    content = encode_part(table)
    digest = hashlib.sha256(content).hexdigest()
    day = utc_from_ns(times["min"])
    folder = root / dataset / folder_name(symbol) / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"
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
    )


def read_part(root: Path, part: Part) -> pa.Table:
    """Return the rows of a part.

    Raises:
        CorruptStore: If the file is missing or does not match its checksum.
    """
    content, damage = _content(root, part)
    if damage is not None:
        raise CorruptStore(
            f"the archive's part {root / part.path} {damage}",
            next_step="Restore it from a backup.",
        )
    table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
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
