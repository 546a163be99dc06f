"""What was not streamed because no run was there to stream it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from infrastructure.supervision.files import make_private_folder, read_json, write_json
from system.algo_trader.feeds.live import GapEvent, Instrument
from system.algo_trader.pipeline.hours import was_any_open

NOT_RUNNING: Final = "not running"


class BetweenRuns:
    """Remember when a run ended in order, and say what passed until the next one.

    A run that was killed leaves nothing here: what it missed is known from what it published.

    Args:
        folder: Where, made when absent.
        source: The name of the records; runs of another one are nobody's business.
    """

    def __init__(self, folder: Path, source: str) -> None:
        self._path = make_private_folder(folder) / f"ended-{source}.last"
        self._read: dict[str, Any] | None = None

    def ended(self, instruments: Sequence[Instrument], now_ns: int) -> None:
        """Note that a run of these instruments has ended."""
        services: dict[str, list[str]] = {}
        for each in instruments:
            services.setdefault(each.service, []).append(each.symbol)
        write_json(self._path, {"ended_ns": now_ns, "services": services})

    def missed(self, instruments: Sequence[Instrument], now_ns: int) -> list[GapEvent]:
        """Return the gap of each service that streamed some of these before.

        Time in which no exchange of theirs was open is no gap. They are returned again until
        `forget`, so that none is lost with a run that fails before it has stored them.

        Args:
            instruments: Of the run that begins.
            now_ns: When it does, nanoseconds UTC.
        """
        values = self._read = read_json(self._path)
        if values is None or values["ended_ns"] >= now_ns:
            # A simulated market may have gone back.
            return []
        since = int(values["ended_ns"])
        found = []
        for service, before in values["services"].items():
            again = [each for each in instruments if each.service == service]
            kept = [each for each in again if each.symbol in set(before)]
            if was_any_open([each.calendar for each in kept], since, now_ns):
                found.append(GapEvent(service, NOT_RUNNING, since, now_ns, None))
        return found

    def forget(self) -> None:
        """Forget the end that `missed` has read: what passed since then is stored."""
        if self._read is not None and read_json(self._path) == self._read:
            self._path.unlink(missing_ok=True)
        self._read = None
