"""What a live run writes down on this machine, so that the next one can end its work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from infrastructure.clock import Clock
from infrastructure.supervision.files import make_private_folder, read_json, write_json
from infrastructure.supervision.locks import FileLock

RUN: Final = b"run_id"
SERVICE: Final = b"service"
SOURCE: Final = b"source"
_LOCK_S: Final = 5.0


def named_frame(rows: pa.RecordBatch, run_id: str, service: str, source: str) -> pa.RecordBatch:
    """Return a frame's rows with run, service and source: order is unique within a run."""
    return rows.replace_schema_metadata(
        {RUN: run_id.encode(), SERVICE: service.encode(), SOURCE: source.encode()}
    )


@dataclass(frozen=True, slots=True)
class RunNote:
    """Say what a run was about.

    Attributes:
        run_id: Its name.
        source: The name of its records.
        calendars: Of each symbol.
        services: The feed's names of its streams.
        after: The id of the stream's newest entry before it began.
        closed_ns: Every bar that was over by then is in the archive, nanoseconds UTC.
        heard_ns: Where what it missed begins, once that was found out; None before.
    """

    run_id: str
    source: str
    calendars: Mapping[str, str]
    services: tuple[str, ...]
    after: str
    closed_ns: int
    heard_ns: int | None = None


class RunNotes:
    """Keep one note a run, with a lock that its process holds as long as it lives.

    A note stays after the end of its run as long as bars of its day are open: their trades are
    stored, and the bars are not.

    Args:
        folder: Where, made when absent.
        clock: Waits for locks.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = make_private_folder(folder)
        self._clock = clock

    @contextlib.contextmanager
    def running(self, note: RunNote) -> Iterator[None]:
        """Hold a run's lock for the length of a block.

        Raises:
            StackError: If the note cannot be written.
        """
        lock = FileLock(self._folder / f"{note.run_id}.lock")
        with lock.holding(timeout_s=_LOCK_S, clock=self._clock):
            self.write(note)
            yield

    @contextlib.contextmanager
    def recovering(self) -> Iterator[None]:
        """Keep other processes from recovering for the length of a block.

        Raises:
            StoreLocked: If another one has been at it for too long.
        """
        lock = FileLock(self._folder / "recovery.lock")
        with lock.holding(timeout_s=60.0, clock=self._clock):
            yield

    def left(self) -> list[RunNote]:
        """Return the notes of runs whose process lives no longer, in no order."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            values = read_json(path)
            if values is not None and FileLock.is_free(path.with_suffix(".lock")):
                found.append(_note(values))
        return found

    def write(self, note: RunNote) -> None:
        """Write a note, or write it anew; errors as `write_json`."""
        write_json(self._folder / f"{note.run_id}.json", asdict(note))

    def closed(self, run_id: str, closed_ns: int) -> None:
        """Note up to when the archive holds a run's bars."""
        values = read_json(self._folder / f"{run_id}.json")
        if values is not None:
            self.write(replace(_note(values), closed_ns=closed_ns))

    def ended(self, run_id: str) -> None:
        """Note that a run has ended in order: who knows when says what passed since then."""
        values = read_json(self._folder / f"{run_id}.json")
        if values is not None:
            self.write(replace(_note(values), services=()))

    def forget(self, run_id: str) -> None:
        """Remove the note of a run that has ended."""
        for suffix in ("json", "lock"):
            (self._folder / f"{run_id}.{suffix}").unlink(missing_ok=True)


def _note(values: dict[str, Any]) -> RunNote:
    return RunNote(**{**values, "services": tuple(values["services"])})
