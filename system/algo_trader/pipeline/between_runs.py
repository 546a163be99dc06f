"""What was not streamed because no run was there to stream it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np

from infrastructure.exchange.calendars import calendar, date_of
from infrastructure.supervision.files import make_private_folder, read_json, write_json
from system.algo_trader.feeds.live import GapEvent, Instrument
from system.algo_trader.pipeline.hours import session_spans

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

    def ended(self, instruments: Sequence[Instrument], now_ns: int) -> None:
        """Note that a run of these instruments has ended."""
        services: dict[str, list[str]] = {}
        for each in instruments:
            services.setdefault(each.service, []).append(each.symbol)
        write_json(self._path, {"ended_ns": now_ns, "services": services})

    def missed(self, instruments: Sequence[Instrument], now_ns: int) -> list[GapEvent]:
        """Return the gap of each service that streamed some of these before, and forget the end.

        Time in which no exchange of theirs was open is no gap.

        Args:
            instruments: Of the run that begins.
            now_ns: When it does, nanoseconds UTC.
        """
        values = read_json(self._path)
        self._path.unlink(missing_ok=True)
        if values is None or values["ended_ns"] >= now_ns:
            # A simulated market may have gone back.
            return []
        since = int(values["ended_ns"])
        found = []
        for service, before in values["services"].items():
            again = [each for each in instruments if each.service == service]
            kept = [each for each in again if each.symbol in set(before)]
            if any(_was_open(name, since, now_ns) for name in {each.calendar for each in kept}):
                found.append(GapEvent(service, NOT_RUNNING, since, now_ns, None))
        return found


def _was_open(name: str, since_ns: int, until_ns: int) -> bool:
    first, last = date_of(since_ns) - timedelta(days=1), date_of(until_ns) + timedelta(days=1)
    spans = session_spans(calendar(name), first, last)
    return bool(np.any((spans.start < until_ns) & (spans.end > since_ns)))
