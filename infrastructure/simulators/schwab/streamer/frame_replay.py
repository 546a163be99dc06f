"""Replay a file of recorded frames: `schwab record` writes it, `--frames FILE` streams it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from infrastructure.errors import InputError
from infrastructure.recording.frame_file import RecordedFrame, read_frames
from infrastructure.simulators.schwab.streamer.board import Board
from infrastructure.simulators.schwab.streamer.forms import ACCT_ACTIVITY, service_forms
from infrastructure.simulators.schwab.streamer.sources import Publish

RecordedParts = list[tuple[str, list[dict[str, Any]]]]
Relay = Callable[[RecordedParts | None, str], None]
_LONGEST_SILENCE_NS: Final = 60_000_000_000


def recorded_parts(text: str) -> RecordedParts | None:
    """Return a frame's items by service, None for one that is no JSON; [] where it has no data."""
    try:
        frame = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    parts: RecordedParts = []
    data = frame.get("data") if isinstance(frame, dict) else None
    for part in data if isinstance(data, list) else ():
        if not isinstance(part, dict) or part.get("service") not in service_forms():
            continue
        content = part.get("content")
        items = [
            item
            for item in (content if isinstance(content, list) else ())
            if isinstance(item, dict)
            and isinstance(item.get("key"), str)
            and not _is_greeting(item)
        ]
        if items:
            parts.append((part["service"], items))
    return parts


def merge_items(board: Board, service: str, items: list[dict[str, Any]]) -> None:
    """Take recorded items into a board; account activity has no state."""
    if service == ACCT_ACTIVITY:
        return
    for item in items:
        values = {name: value for name, value in item.items() if name.isdecimal()}
        extras = {
            name: value
            for name, value in item.items()
            if not name.isdecimal() and name not in ("key", "seq")
        }
        board.merge(service, item["key"], values, extras)


class FrameReplay:
    """Tell the frames of a file at their pace, from the moment at which somebody first listens.

    A silence of more than a minute, such as between two recordings in one file, lasts a minute.

    Args:
        path: The file.

    Raises:
        InputError: If there is no such file, or no data in it.
        CorruptStore: If it is no such file.

    Attributes:
        relay: Takes each frame; a streamer's.
        start_ns: When the first frame with data was received, nanoseconds UTC.
    """

    def __init__(self, path: Path) -> None:
        self._known: set[tuple[str, str]] = set()
        first_ns: int | None = None
        for frame in read_frames(path):
            for service, items in recorded_parts(frame.text) or ():
                self._known.update((service, item["key"]) for item in items)
                first_ns = frame.received_ns if first_ns is None else first_ns
        if first_ns is None:
            raise InputError(f"{path} has no frame with data to replay")
        self.start_ns = first_ns
        self.relay: Relay = _nowhere
        self._frames = _paced(read_frames(path))
        self._next = next(self._frames, None)
        self._origin_ns: int | None = None

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Return every service and key of which the file has data, in alphabetic order."""
        return tuple(sorted(self._known))

    @property
    def is_over(self) -> bool:
        """Say whether every frame was told."""
        return self._next is None

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Begin when somebody listens to a key of the file; False for other keys."""
        if (service, key) not in self._known:
            return False
        if self._origin_ns is None:
            self._origin_ns = now_ns
        return True

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Relay the frames up to a moment."""
        if self._origin_ns is None:
            return
        while self._next is not None and self._next[0] <= now_ns - self._origin_ns:
            text = self._next[1]
            self.relay(recorded_parts(text), text)
            self._next = next(self._frames, None)


def _is_greeting(item: dict[str, Any]) -> bool:
    """Say whether an item is account activity's first, which every connection gets its own of."""
    return item.get("2") == "SUBSCRIBED"


def _paced(frames: Iterator[RecordedFrame]) -> Iterator[tuple[int, str]]:
    """Yield each frame with the nanoseconds of the replay at which it is told."""
    place = 0
    before: int | None = None
    for frame in frames:
        if before is not None:
            place += min(max(frame.received_ns - before, 0), _LONGEST_SILENCE_NS)
        before = frame.received_ns
        yield place, frame.text


def _nowhere(_: RecordedParts | None, __: str) -> None:
    """Take a frame before there is a streamer."""
