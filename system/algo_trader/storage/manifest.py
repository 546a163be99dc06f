"""The archive's manifest: a log of commits, one line each, whole or void."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from infrastructure.errors import CorruptStore
from infrastructure.logging import get_logger
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.commit import Commit, Part
from system.algo_trader.storage.durable_file import sync_folder
from system.algo_trader.storage.part_index import PartIndex
from system.algo_trader.storage.steps import Faults, no_faults

MANIFEST_FILE: Final = "manifest.log"
"""Its name in the archive's folder."""
_DIGEST_SIZE: Final = 16
_RESTORE: Final = "Restore the archive from a backup: `algo-trader store restore`."
_log = get_logger("archive")


@dataclass(frozen=True, slots=True)
class _Tail:
    """How far the log has been read: `offset` is the end of the last whole line."""

    offset: int
    sequence: int


class Manifest:
    """Read and extend the log of commits.

    A line is the first 16 hexadecimal digits of its JSON's sha256, a space, and the JSON. A line
    without its end was cut off by a crash before it was acknowledged: it is no commit. Writers
    hold the archive's lock. Safe to share between threads.

    Args:
        path: The log's file.
        faults: Called with the name of each step of adding a line.
    """

    def __init__(self, path: Path, faults: Faults = no_faults) -> None:
        self.path = path
        self._faults = faults
        self._commits: list[Commit] = []
        self._index = PartIndex()
        self._tail = _Tail(0, 0)
        # Of the threads of this process: what was read and how far it was read change together.
        self._lock = threading.RLock()

    def commits(self) -> tuple[Commit, ...]:
        """Return all commits, reading what other processes have added meanwhile.

        Raises:
            CorruptStore: If a whole line does not match its checksum or is out of order.
        """
        with self._lock:
            self._refresh()
            return tuple(self._commits)

    def parts(self) -> list[Part]:
        """Return the parts that count, in the order in which they were added."""
        with self._lock:
            self._refresh()
            return self._index.parts()

    def parts_of(self, dataset: str, symbol: str) -> list[Part]:
        """Return the parts of one symbol and the files that it may share, in the same order."""
        with self._lock:
            self._refresh()
            return self._index.of(dataset, symbol)

    def count(self) -> int:
        """Return how many commits there are; errors as `commits`."""
        with self._lock:
            self._refresh()
            return len(self._commits)

    @classmethod
    def commits_in(cls, content: bytes, name: str) -> tuple[Commit, ...]:
        """Return the commits of a log that was read elsewhere.

        Args:
            content: The log's bytes.
            name: What to call it in an error.

        Raises:
            CorruptStore: As `commits`.
        """
        log = cls(Path(name))
        log._consume(content)
        return tuple(log._commits)

    def append(
        self,
        committed_at_ns: int,
        request_id: str,
        parts: tuple[Part, ...],
        removed: tuple[str, ...] = (),
    ) -> Commit:
        """Add a commit: when this returns, it is on disk; when it raises, it does not exist.

        The log's times never fall: where the machine's clock was set back, a commit gets the time
        of the one before it, and the log says so.

        Args:
            committed_at_ns: The time of day, nanoseconds UTC.
            request_id: The request that the data came from.
            parts: What it adds.
            removed: Paths of parts that count no longer.

        Raises:
            DiskFull: If there is no space left.
            OperatorError: If the file system refuses.
        """
        with self._lock:
            return self._append(committed_at_ns, request_id, parts, removed)

    def _append(
        self,
        committed_at_ns: int,
        request_id: str,
        parts: tuple[Part, ...],
        removed: tuple[str, ...],
    ) -> Commit:
        self._refresh()
        before = self._commits[-1].committed_at_ns if self._commits else committed_at_ns
        if committed_at_ns < before:
            _log.warning(
                "the clock stands %.1f s before the archive's last commit; that one's time is used",
                (before - committed_at_ns) / 1e9,
            )
        commit = Commit(
            sequence=self._tail.sequence + 1,
            committed_at_ns=max(committed_at_ns, before),
            request_id=request_id,
            parts=parts,
            removed=removed,
        )
        with told_in_a_sentence(self.path):
            number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # A line that a crash cut off lies behind the tail; it was never acknowledged.
                os.ftruncate(number, self._tail.offset)
                try:
                    self._write(number, _line(commit))
                    os.fsync(number)
                    if commit.sequence == 1:
                        sync_folder(self.path.parent)
                except OSError:
                    os.ftruncate(number, self._tail.offset)
                    raise
            finally:
                os.close(number)
        self._refresh()
        return commit

    def _write(self, number: int, line: bytes) -> None:
        middle = len(line) // 2
        _write_at(number, self._tail.offset, line[:middle])
        self._faults("line half written")
        _write_at(number, self._tail.offset + middle, line[middle:])
        self._faults("line written")

    def _refresh(self) -> None:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(self._tail.offset)
                fresh = file.read()
        except FileNotFoundError:
            size, fresh = 0, b""
        except OSError as error:
            raise CorruptStore(f"cannot read {self.path}: {error.strerror}") from error
        if size < self._tail.offset:
            raise CorruptStore(
                f"{self.path} has lost commits that it had: {size} of {self._tail.offset} bytes",
                next_step=_RESTORE,
            )
        self._consume(fresh)

    def _consume(self, fresh: bytes) -> None:
        *lines, rest = fresh.split(b"\n")
        for line in lines:
            commit = self._parse(line)
            self._commits.append(commit)
            self._index.count(commit)
            self._tail = _Tail(self._tail.offset + len(line) + 1, commit.sequence)
        digest, _, body = rest[:-1].partition(b" ")
        if body and digest == _digest(body):
            # A crash cuts a line off; it does not put another byte in place of its end.
            raise CorruptStore(
                f"line {self._tail.sequence + 1} of {self.path} has a damaged end",
                next_step=_RESTORE,
            )

    def _parse(self, line: bytes) -> Commit:
        digest, _, body = line.partition(b" ")
        wanted = self._tail.sequence + 1
        if digest != _digest(body):
            raise CorruptStore(
                f"line {wanted} of {self.path} does not match its checksum",
                next_step=_RESTORE,
            )
        try:
            commit = msgspec.json.decode(body, type=Commit)
        except msgspec.DecodeError as error:
            raise CorruptStore(f"line {wanted} of {self.path} is no commit: {error}") from error
        if commit.sequence != wanted:
            raise CorruptStore(
                f"line {wanted} of {self.path} has the number {commit.sequence}",
                next_step=_RESTORE,
            )
        return commit


def counting_parts(commits: Iterable[Commit]) -> list[Part]:
    """Return the parts that count after some commits, in the order in which they were added."""
    index = PartIndex()
    for commit in commits:
        index.count(commit)
    return index.parts()


def _line(commit: Commit) -> bytes:
    body = msgspec.json.encode(commit)
    return _digest(body) + b" " + body + b"\n"


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_DIGEST_SIZE].encode()


def _write_at(number: int, offset: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(number, content[written:], offset + written)
