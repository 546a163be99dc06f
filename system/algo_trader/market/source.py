"""Where a record came from, and whom to believe when two sources differ."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Source(StrEnum):
    """Name the origin of a record."""

    SCHWAB = "schwab"
    SCHWAB_CHART = "schwab-chart"
    SCHWAB_LIVE = "schwab-live"
    SCHWAB_SIM = "schwab-sim"
    SCHWAB_SIM_CHART = "schwab-sim-chart"
    SCHWAB_SIM_LIVE = "schwab-sim-live"
    FILE = "file"
    REPLAY = "replay"
    REPLAY_LIVE = "replay-live"
    REPLAY_SIM = "replay-sim"
    REPLAY_SIM_LIVE = "replay-sim-live"

    @property
    def rank(self) -> int:
        """Return how much the source is believed; the higher wins."""
        return _RANKS[self]

    @property
    def is_simulated(self) -> bool:
        """Say whether the source is a simulator, or plays back what one made."""
        return self.value.startswith((Source.SCHWAB_SIM.value, Source.REPLAY_SIM.value))

    @property
    def is_sampled(self) -> bool:
        """Say whether its bars were built here from level one, which shows not every trade."""
        return self in (Source.SCHWAB_LIVE, Source.SCHWAB_SIM_LIVE)

    @property
    def leaves_trades_out(self) -> bool:
        """Say whether trades under its name are changes of the last price, not every trade.

        Schwab's streamer sends such changes (schwab-api.md); a file and its replay have the tape.
        """
        return self.value.startswith(Source.SCHWAB.value)

    @property
    def of_chart(self) -> Source:
        """Return the name of the bars that the same provider streams."""
        return Source(f"{self.value}-chart")

    @property
    def of_live(self) -> Source:
        """Return the name of what is built here from the same provider's level one."""
        return Source(f"{self.value}-live")


_RANKS: Final[dict[Source, int]] = {
    Source.SCHWAB: 100,
    Source.SCHWAB_CHART: 90,
    Source.FILE: 50,
    Source.SCHWAB_LIVE: 40,
    Source.REPLAY: 20,
    Source.REPLAY_LIVE: 10,
    Source.SCHWAB_SIM: 0,
    Source.SCHWAB_SIM_CHART: -1,
    Source.SCHWAB_SIM_LIVE: -2,
    Source.REPLAY_SIM: -3,
    Source.REPLAY_SIM_LIVE: -4,
}
