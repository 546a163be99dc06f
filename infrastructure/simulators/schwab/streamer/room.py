"""The streamer of one simulator: its sources, its time, its socket and its endpoints."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from infrastructure.clock import Clock
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.order_desk import OrderDesk
from infrastructure.simulators.schwab.streamer.admin import StreamerAdmin
from infrastructure.simulators.schwab.streamer.derived_feed import DerivedFeed
from infrastructure.simulators.schwab.streamer.desk_activity import DeskActivity
from infrastructure.simulators.schwab.streamer.equity_feed import EquityFeed
from infrastructure.simulators.schwab.streamer.frame_replay import FrameReplay
from infrastructure.simulators.schwab.streamer.rules import StreamRules
from infrastructure.simulators.schwab.streamer.screener_feed import ScreenerFeed
from infrastructure.simulators.schwab.streamer.socket_server import SocketServer
from infrastructure.simulators.schwab.streamer.sources import MarketTime, Source
from infrastructure.simulators.schwab.streamer.streamer import Streamer, TokenCheck
from infrastructure.simulators.schwab.streamer.user_preference import UserPreference


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a simulator's streamer streams.

    Attributes:
        rules: What is not established about Schwab's own.
        port: The port of its WebSocket, 0 for a free one.
        sources: Instead of the replayed market: a tick file, synthetic ticks.
        time: The time of those sources; the market's when None.
        step: Moves the time on where it runs as fast as clients take it; see `pace`.
        clock: For heartbeats and time limits; the simulator's own when None.
        frames: Recorded frames to relay, instead of any source.
    """

    rules: StreamRules = field(default_factory=StreamRules)
    port: int = 0
    sources: Sequence[Source] | None = None
    time: MarketTime | None = None
    step: Callable[[], None] | None = None
    clock: Clock | None = None
    frames: FrameReplay | None = None


class StreamerRoom:
    """Put a streamer together, start and close it.

    Args:
        market: The replay, streamed unless the options name other sources.
        tokens: Which access tokens LOGIN accepts.
        clock: For heartbeats and time limits.
        options: What to stream.
        desk: Whose account activity is streamed.

    Attributes:
        streamer: Sessions, faults and the ledger.
        endpoints: Its parts of the REST side.
    """

    def __init__(
        self,
        market: ReplayMarket,
        tokens: TokenCheck,
        clock: Clock,
        options: StreamOptions,
        desk: OrderDesk,
    ) -> None:
        self._options = options
        sources = options.sources if options.frames is None else [options.frames]
        if sources is None:
            sources = market_sources(market, options.rules.chart_delay_s)
        activity = DeskActivity(desk)
        self.streamer = Streamer(
            tokens,
            options.time or market,
            options.clock or clock,
            (*sources, activity),
            rules=options.rules,
            step=options.step,
        )
        if options.frames is not None:
            options.frames.relay = self.streamer.relay
        activity.tell = self.streamer.publish_account_activity
        self._server: SocketServer | None = None
        self.endpoints = (
            UserPreference(lambda: self.url, self.streamer.identity, lambda: tuple(desk.accounts)),
            StreamerAdmin(self.streamer),
        )

    def start(self, host: str, context: ssl.SSLContext | None) -> None:
        """Listen from now on.

        Raises:
            OSError: If the port cannot be bound.
        """
        server = SocketServer(self.streamer, host, self._options.port, context)
        server.start()
        self._server = server

    def close(self) -> None:
        """Cut every connection; nothing when not started."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        """Return the WebSocket's address.

        Raises:
            RuntimeError: If it is not started.
        """
        if self._server is None:
            raise RuntimeError("the streamer is not started")
        return self._server.url


def market_sources(market: ReplayMarket, chart_delay_s: float) -> tuple[Source, ...]:
    """Return what streams a replayed market: its equities, then what is invented from them."""
    equities = EquityFeed(market, chart_delay_s)
    derived = DerivedFeed(equities, market.seed, chart_delay_s)
    return equities, derived, ScreenerFeed(market, equities)
