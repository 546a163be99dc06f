"""Who used the service for what: a file of JSON lines, written beside the requests."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from infrastructure.clock import Clock, rfc3339
from infrastructure.logging import get_logger
from infrastructure.supervision.files import make_private_folder
from system.algo_trader.realm import Realm
from system.algo_trader.storage.durable_file import write_all

AUDIT_FILE: Final = "api_audit.jsonl"
LARGEST: Final = 10 * 1024 * 1024
KEPT_FILES: Final = 5
_WAITING: Final = 50_000
_EVERY_S: Final = 1.0
_NS_PER_S: Final = 1_000_000_000
_log = get_logger("api.audit")
_encode = msgspec.json.Encoder().encode


class Audit:
    """Write one line a request, by a thread that writes each second.

    Args:
        path: The file; older ones get a number.
        clock: Tells the time.
        largest: Bytes after which a new file begins.
        every_s: Seconds between two writes.
    """

    def __init__(
        self, path: Path, clock: Clock, *, largest: int = LARGEST, every_s: float = _EVERY_S
    ) -> None:
        self._path = path
        self._clock = clock
        self._largest = largest
        self._every_s = every_s
        self._lines: deque[tuple[Any, ...]] = deque(maxlen=_WAITING)
        self._last_used_ns: dict[str, int] = {}
        self._dropped = 0
        self._counting = threading.Lock()
        self._writing = threading.Lock()
        self._is_failing = False
        self._is_stuck = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    @classmethod
    def of(cls, realm: Realm, clock: Clock) -> Audit:
        """Return the audit of a realm."""
        return cls(realm.root / AUDIT_FILE, clock)

    def start(self) -> None:
        """Begin to write."""
        make_private_folder(self._path.parent)
        self._thread.start()

    def close(self) -> None:
        """Write what waits and end."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._write()

    def note(
        self, key_id: str, method: str, route: str, status: int, rows: int, took_ms: float,
        client: str,
    ) -> None:  # fmt: skip
        """Note a request. Only its route is written: what it asked for is not.

        Args:
            key_id: Who; a reason in parentheses where nobody was let in.
            method: Of HTTP, or "WS".
            route: The template of its path.
            status: Of the answer.
            rows: How many rows it gave out.
            took_ms: How long it took.
            client: Its address.
        """
        now_ns = self._clock.now_ns()
        if len(self._lines) == _WAITING:
            self._drop(1)
        self._lines.append((now_ns, key_id, method, route, status, rows, took_ms, client))
        self._last_used_ns[key_id] = now_ns

    def last_used_ns(self, key_id: str) -> int | None:
        """Return when a key was used last since this process began, None if it was not."""
        return self._last_used_ns.get(key_id)

    def _drop(self, count: int) -> None:
        with self._counting:
            self._dropped += count

    def _run(self) -> None:
        while not self._ending.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        with self._writing:
            self._write_waiting()

    def _write_waiting(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        with self._counting:
            dropped, self._dropped = self._dropped, 0
        if not lines and not dropped:
            return
        try:
            self._append([_text(line) for line in lines], dropped)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                _log.error("the audit is not written: %s", error.strerror or error)
            self._is_failing = True
            # Kept for later as far as there is room; what is lost is counted.
            room = _WAITING - len(self._lines)
            self._drop(dropped + max(0, len(lines) - room))
            self._lines.extendleft(reversed(lines[len(lines) - min(room, len(lines)) :]))

    def _append(self, texts: Iterable[bytes], dropped: int) -> None:
        content = b"".join(text + b"\n" for text in texts)
        if dropped:
            at = rfc3339(self._clock.now_ns())
            content += _encode({"at": at, "dropped": dropped}) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            had = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, content)
            except OSError:
                # What came to the disk in part comes again, whole.
                os.ftruncate(descriptor, had)
                raise
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size >= self._largest:
            self._rotate()

    def _rotate(self) -> None:
        try:
            for number in range(KEPT_FILES - 1, 0, -1):
                older = self._path.with_suffix(f".{number}.jsonl")
                if older.exists():
                    older.replace(self._path.with_suffix(f".{number + 1}.jsonl"))
            self._path.replace(self._path.with_suffix(".1.jsonl"))
        except OSError as error:
            # The lines stand in the file: they must not be written once more.
            if not self._is_stuck:
                _log.error("the audit's file grows: %s", error.strerror or error)
            self._is_stuck = True
        else:
            self._is_stuck = False


def _text(line: tuple[Any, ...]) -> bytes:
    now_ns, key_id, method, route, status, rows, took_ms, client = line
    return _encode(
        {
            "at": _instant(now_ns),
            "key": key_id,
            "method": method,
            "route": route,
            "status": status,
            "rows": rows,
            "took_ms": round(took_ms, 2),
            "client": client,
        }
    )


def _instant(now_ns: int) -> str:
    """Write an instant as `rfc3339` does; all of one second share its text."""
    second, rest = divmod(now_ns, _NS_PER_S)
    return f"{_second(second)}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return rfc3339(second * _NS_PER_S)[:-1]
