"""What is to go wrong with the streamer, on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final, Literal

from infrastructure.errors import InputError
from infrastructure.simulators.schwab.streamer.codes import Code
from infrastructure.simulators.schwab.streamer.forms import service_forms

FrameFault = Literal["drop", "duplicate", "corrupt", "corrupt-extra"]
Refusal = Literal["http", "tcp"]
DROPPED_FRAME: Final = "dropped frame"
CORRUPT_FRAME: Final = "corrupt frame"
FRAME_FAULTS: Final = ("drop", "duplicate", "corrupt", "corrupt-extra")


@dataclass(slots=True)
class _Frame:
    kind: FrameFault
    service: str | None
    left: int


@dataclass(slots=True)
class _Refused:
    service: str
    command: str
    code: Code
    left: int


class StreamFaults:
    """Hold the faults of frames, commands and connects. Safe to set from any thread.

    Attributes:
        skew_ms: Added to every `timestamp` and heartbeat, as by a server whose clock is wrong.
    """

    def __init__(self) -> None:
        self.skew_ms = 0
        self._lock = threading.Lock()
        self._frames: list[_Frame] = []
        self._commands: list[_Refused] = []
        self._connects: list[Refusal] = []

    def drop_frames(self, service: str, times: int = 1) -> None:
        """Send none of the next data frames of a sequenced service; its `seq` shows the hole."""
        self._add_sequenced("drop", service, times)

    def duplicate_frames(self, service: str, times: int = 1) -> None:
        """Send the next data frames of a sequenced service twice."""
        self._add_sequenced("duplicate", service, times)

    def corrupt_frames(
        self, service: str | None = None, times: int = 1, *, extra: bool = False
    ) -> None:
        """Send the next data frames as invalid JSON.

        Args:
            service: Of this service only; of any when None.
            times: How many frames.
            extra: Send the right frame after the invalid one, so that nothing is lost.
        """
        self._add("corrupt-extra" if extra else "corrupt", service, times)

    def fail_commands(self, service: str, command: str, code: int, times: int = 1) -> None:
        """Answer the next commands with a code instead of doing them.

        Raises:
            InputError: If Schwab has no such code.
        """
        try:
            known = Code(code)
        except ValueError as error:
            raise InputError(f"the streamer has no response code {code}") from error
        with self._lock:
            self._commands.append(_Refused(service, command, known, times))

    def refuse_connects(self, times: int = 1, how: Refusal = "http") -> None:
        """Refuse the next connections, by HTTP 503 or by ending the TCP connection."""
        with self._lock:
            self._connects.extend([how] * times)

    def clear(self) -> None:
        """Let everything go right again."""
        with self._lock:
            self._frames.clear()
            self._commands.clear()
            self._connects.clear()
        self.skew_ms = 0

    def next_frame(self, service: str) -> FrameFault | None:
        """Return what goes wrong with a data frame."""
        if not self._frames:
            return None
        with self._lock:
            for fault in self._frames:
                if fault.service in (None, service):
                    fault.left -= 1
                    if fault.left <= 0:
                        self._frames.remove(fault)
                    return fault.kind
        return None

    def next_command(self, service: str, command: str) -> Code | None:
        """Return the code with which a command fails, None when it does not."""
        with self._lock:
            for fault in self._commands:
                if (fault.service, fault.command) == (service, command):
                    fault.left -= 1
                    if fault.left <= 0:
                        self._commands.remove(fault)
                    return fault.code
        return None

    def next_connect(self) -> Refusal | None:
        """Return how a connection is refused, None when it is not."""
        with self._lock:
            return self._connects.pop(0) if self._connects else None

    def _add_sequenced(self, kind: FrameFault, service: str, times: int) -> None:
        form = service_forms().get(service)
        if form is None or not form.sequenced:
            raise InputError(
                f"{service} has no sequence numbers: its frames are not {kind}ped unseen"
                if kind == "drop"
                else f"{service} has no sequence numbers: a second frame of it changes nothing"
            )
        self._add(kind, service, times)

    def _add(self, kind: FrameFault, service: str | None, times: int) -> None:
        if times < 1:
            raise InputError(f"a fault happens once or more often, not {times} times")
        with self._lock:
            self._frames.append(_Frame(kind, service, times))
