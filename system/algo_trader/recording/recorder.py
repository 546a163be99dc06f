"""Stream, redact, and write: until a time is over or somebody stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import StackError
from infrastructure.recording.frame_file import FrameWriter
from infrastructure.schwab.streamer.commands import StreamerInfo
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from system.algo_trader.recording.redaction import FrameRedactor


@dataclass(slots=True)
class RecordCounts:
    """Count what happened to frames.

    Attributes:
        kept: Written, redacted where needed.
        left_out: Not written, since they say something of a person.
    """

    kept: int = 0
    left_out: int = 0


class Recorder:
    """Record one stream.

    Args:
        writer: Where frames go.
        redact: Returns a frame as it may be kept, None to leave it out.
        details: Returns where the stream is.
        access_token: Returns a token; a new one when called with True.
        clock: Stamps what arrives.

    Attributes:
        streamer: The stream; it reconnects by itself.
        counts: What happened to frames.
    """

    def __init__(
        self,
        writer: FrameWriter,
        redact: FrameRedactor,
        details: Callable[[], StreamerInfo],
        access_token: Callable[[bool], Secret],
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._redact = redact
        self.counts = RecordCounts()
        self._failure: StackError | None = None
        self._failed = asyncio.Event()
        self.streamer = SchwabStreamer(details, access_token, clock=clock, on_frame=self._take)

    def _take(self, received_ns: int, payload: bytes) -> None:
        if self._failure is not None:
            return
        text = self._redact(payload.decode("utf-8", errors="replace"))
        if text is None:
            self.counts.left_out += 1
            return
        try:
            self._writer.write(received_ns, text)
        except StackError as error:
            self._failure = error
            self._failed.set()
            return
        self.counts.kept += 1

    async def run(self, keys: Mapping[Service, tuple[str, ...]], seconds: float | None) -> None:
        """Record.

        Args:
            keys: What to subscribe.
            seconds: How long; until it is cancelled when None.

        Raises:
            StackError: If the stream cannot be had for good, or the file not be written.
        """
        running = asyncio.create_task(self.streamer.run())
        draining = asyncio.create_task(self._drain())
        failing = asyncio.create_task(self._failed.wait())
        try:
            for service, named in keys.items():
                await self.streamer.subscribe(service, named)
            await asyncio.wait(
                {running, failing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if self._failure is not None:
                raise self._failure
            if running.done():
                running.result()
        finally:
            failing.cancel()
            await self.streamer.stop()
            await asyncio.gather(running, draining, failing, return_exceptions=True)

    async def _drain(self) -> None:
        """Take events away, so that nothing piles up; the frames are what is kept."""
        while await self.streamer.events.get() is not None:
            continue
