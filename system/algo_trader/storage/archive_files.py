"""The archive's files by folder or URL: read by Arrow and DuckDB, verified, copied.

A URL is one that pyarrow understands: `file:///...`, `s3://bucket/prefix`, `gs://...`; the
environment's usual variables carry credentials.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from infrastructure.errors import (
    ConfigError,
    CorruptStore,
    NetworkError,
    NoDataError,
    QueryError,
)
from infrastructure.logging import redact
from system.algo_trader.storage.commit import Commit, Part
from system.algo_trader.storage.manifest import MANIFEST_FILE, Manifest, counting_parts
from system.algo_trader.storage.records import schema_of, time_column


@dataclass(frozen=True, slots=True)
class ArchiveFiles:
    """Read an archive where it lies; what is added later is not seen.

    Attributes:
        place: The folder or URL, without secrets.
        filesystem: What reads it.
        base: The archive's folder in that filesystem.
        commits: The log.
        parts: The parts that count.
    """

    place: str
    filesystem: pafs.FileSystem
    base: str
    commits: tuple[Commit, ...]
    parts: tuple[Part, ...]

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """Read the log of an archive.

        Args:
            location: A folder or a URL.

        Raises:
            ConfigError: If the URL is none that pyarrow understands.
            NoDataError: If there is no archive.
            CorruptStore: If its log is damaged.
            NetworkError: If the storage does not answer.
        """
        filesystem, base = filesystem_of(location)
        return cls.on(filesystem, base, shown(location))

    @classmethod
    def on(cls, filesystem: pafs.FileSystem, base: str, place: str) -> Self:
        """Read the log of an archive in a filesystem; errors as in `open`."""
        content = read_bytes(filesystem, f"{base}/{MANIFEST_FILE}")
        if content is None:
            raise NoDataError(f"there is no archive at {place}")
        commits = Manifest.commits_in(content, f"{place}/{MANIFEST_FILE}")
        return cls(place, filesystem, base, commits, tuple(counting_parts(commits)))

    def select(
        self,
        dataset: str,
        symbol: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> list[Part]:
        """Return the parts that may hold rows of a dataset, symbol and span: all others are pruned.

        Args:
            dataset: Such as `bars_1m` or `trades`.
            symbol: The instrument; all when None.
            start_ns: The first instant, nanoseconds UTC; None for the beginning.
            end_ns: The instant before which rows lie; None for the end.
        """
        return [
            part
            for part in self.parts
            if part.dataset == dataset
            and (part.shared or symbol in (None, part.symbol))
            and (start_ns is None or part.last_ns >= start_ns)
            and (end_ns is None or part.first_ns < end_ns)
        ]

    def scan(
        self,
        dataset: str,
        symbol: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return rows as Arrow, in the order of the parts: every revision, no winner is picked.

        Args:
            dataset: As in `select`.
            symbol: As in `select`.
            start_ns: As in `select`.
            end_ns: As in `select`.
            columns: The columns; all when None. Others are not read.

        Raises:
            CorruptStore: If a part is missing or cannot be read.
        """
        time = ds.field(time_column(dataset))
        wanted = None
        if start_ns is not None:
            wanted = time >= start_ns
        if end_ns is not None:
            wanted = (time < end_ns) if wanted is None else wanted & (time < end_ns)
        parts = self.select(dataset, symbol, start_ns, end_ns)
        if symbol is not None and any(part.shared for part in parts):
            mine = ds.field("symbol") == symbol
            wanted = mine if wanted is None else wanted & mine
        try:
            return self.dataset(dataset, parts).to_table(
                columns=None if columns is None else list(columns), filter=wanted
            )
        except (OSError, pa.ArrowException) as error:
            raise CorruptStore(
                f"a part of {dataset} at {self.place} cannot be read: {error}",
                next_step="Run `algo-trader archive verify`.",
            ) from error

    def sql(self, query: str) -> pa.Table:
        """Return what DuckDB answers; every dataset is a view of its name, with every revision.

        Args:
            query: SQL, such as `SELECT symbol, count(*) FROM bars_1m GROUP BY symbol`.

        Raises:
            QueryError: If DuckDB refuses it.
        """
        import duckdb

        local = isinstance(self.filesystem, pafs.LocalFileSystem)
        with duckdb.connect() as connection:
            for dataset in sorted({part.dataset for part in self.parts}):
                parts = self.select(dataset)
                if local:
                    files = ", ".join("'" + self._path(part).replace("'", "''") + "'"
                                      for part in parts)  # fmt: skip
                    connection.execute(
                        f'CREATE VIEW "{dataset}" AS SELECT * FROM read_parquet([{files}], '
                        "hive_partitioning = false)"
                    )
                else:
                    connection.register(dataset, self.dataset(dataset, parts))
            try:
                found = connection.sql(query)
                if found is None:
                    raise QueryError("the query returns no rows: use SELECT")
                return found.to_arrow_table()
            except duckdb.Error as error:
                raise QueryError(f"DuckDB refuses the query: {error}") from error

    def damages(self) -> list[str]:
        """Return one sentence for every part that is missing or does not match its checksum."""
        found = []
        for part in self.parts:
            content = read_bytes(self.filesystem, self._path(part))
            if content is None:
                found.append(f"{part.path} is missing")
            elif hashlib.sha256(content).hexdigest() != part.sha256:
                found.append(f"{part.path} does not match its checksum")
        return found

    def strays(self) -> list[str]:
        """Return the paths of parts that no commit counts: a dead writer's, or of a cut-off copy.

        Raises:
            NetworkError: If the storage does not answer.
        """
        known = {part.path for part in self.parts}
        try:
            found = self.filesystem.get_file_info(pafs.FileSelector(self.base, recursive=True))
        except (OSError, pa.ArrowException) as error:
            raise NetworkError(f"{self.place} cannot be listed: {redact(str(error))}") from error
        paths = (
            each.path.removeprefix(f"{self.base}/")
            for each in found
            if each.type == pafs.FileType.File and each.base_name.endswith(".parquet")
        )
        return sorted(path for path in paths if path not in known)

    def dataset(self, dataset: str, parts: Sequence[Part]) -> Any:
        """Return parts of a dataset as one of pyarrow's, which reads what it is asked for.

        Args:
            dataset: Such as `bars_1m` or `trades`.
            parts: As `select` returns them.
        """
        return ds.dataset(
            [self._path(part) for part in parts],
            schema=schema_of(dataset),
            format="parquet",
            filesystem=self.filesystem,
        )

    def _path(self, part: Part) -> str:
        return f"{self.base}/{part.path}"


def filesystem_of(location: str | Path) -> tuple[pafs.FileSystem, str]:
    """Return the filesystem of a folder or URL, and the path in it.

    Raises:
        ConfigError: If the URL is none that pyarrow understands.
    """
    text = str(location)
    if "://" not in text:
        return pafs.LocalFileSystem(), str(Path(text).absolute())
    try:
        filesystem, path = pafs.FileSystem.from_uri(text)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise ConfigError(
            f"{shown(text)} is no place that can be opened: {redact(str(error))}",
            next_step="Name a folder, or a URL such as s3://bucket/prefix or file:///path.",
        ) from error
    return filesystem, path.rstrip("/")


def shown(location: str | Path) -> str:
    """Return a place without the credentials and parameters that its URL may carry."""
    text = str(location)
    scheme, found, rest = text.partition("://")
    if not found:
        return text
    place = rest.partition("?")[0]
    return f"{scheme}://{place.rpartition('@')[2]}"


def read_bytes(filesystem: pafs.FileSystem, path: str) -> bytes | None:
    """Return a file's bytes, None when there is none.

    Raises:
        NetworkError: If the storage does not answer or refuses.
    """
    try:
        if filesystem.get_file_info(path).type == pafs.FileType.NotFound:
            return None
        with filesystem.open_input_stream(path) as stream:
            content: bytes = stream.read()
            return content
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        raise NetworkError(f"{path} cannot be read: {redact(str(error))}") from error
