"""What one transaction of the archive adds: a commit, and the files that it names."""

from __future__ import annotations

from typing import Final

import msgspec

SEVERAL: Final = "*"
"""Stands for the symbol of a part in which rows of several symbols lie."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one Parquet file of the archive.

    Attributes:
        dataset: What it holds, such as `bars_1d`.
        symbol: Whose it is; `SEVERAL` where the file is shared and all of it is meant.
        path: Where it lies, relative to the archive.
        sha256: Of the file's bytes, hexadecimal.
        bytes: The file's size.
        rows: How many rows it holds.
        first_ns: The smallest value of the dataset's time column, nanoseconds UTC.
        last_ns: The largest.
        schema_version: Of the dataset's columns.
        shared: Whether rows of several symbols lie in the file, by symbol and time. With a symbol
            of its own a part is that symbol's share of the file: its rows and its times, and of
            the file's size as much as its rows are of the file's.
    """

    dataset: str
    symbol: str
    path: str
    sha256: str
    bytes: int
    rows: int
    first_ns: int
    last_ns: int
    schema_version: int = 1
    shared: bool = False


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Describe what one transaction added.

    Attributes:
        sequence: Its number, from 1.
        committed_at_ns: When, nanoseconds UTC.
        request_id: The request that the data came from.
        parts: The files that it added.
        removed: Paths of earlier files that count no longer: merged into new ones, or retired.
    """

    sequence: int
    committed_at_ns: int
    request_id: str
    parts: tuple[Part, ...]
    removed: tuple[str, ...] = ()
