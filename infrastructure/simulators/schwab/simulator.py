"""The local Schwab, in this process: start it, point a client at its URL, stop it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import PortTaken
from infrastructure.simulators.schwab.account import Account
from infrastructure.simulators.schwab.account_store import AccountStore
from infrastructure.simulators.schwab.admin import Admin
from infrastructure.simulators.schwab.app_registration import (
    DEFAULT_CALLBACK_URL,
    SIMULATED_APP_KEY,
    SIMULATED_APP_SECRET,
    AppRegistration,
)
from infrastructure.simulators.schwab.application import Application
from infrastructure.simulators.schwab.chain_file import FileChain
from infrastructure.simulators.schwab.chains import Chains
from infrastructure.simulators.schwab.derived_quotes import DerivedQuotes
from infrastructure.simulators.schwab.faults import Faults
from infrastructure.simulators.schwab.grants import Grants, Lifetimes
from infrastructure.simulators.schwab.http_server import HttpServer
from infrastructure.simulators.schwab.instruments import Instruments
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.market_hours import MarketHours
from infrastructure.simulators.schwab.movers import Movers
from infrastructure.simulators.schwab.oauth import OAuth
from infrastructure.simulators.schwab.option_book import OptionBook
from infrastructure.simulators.schwab.order_desk import OrderDesk, OrderPace
from infrastructure.simulators.schwab.price_history import HistoryRules, PriceHistory
from infrastructure.simulators.schwab.quotes import Quotes
from infrastructure.simulators.schwab.request_log import RequestLog
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.status import Status
from infrastructure.simulators.schwab.streamer.room import StreamerRoom, StreamOptions
from infrastructure.simulators.schwab.tls import TlsIdentity
from infrastructure.simulators.schwab.trader import Trader

LOOPBACK: Final = "127.0.0.1"
LOOPBACK_HOSTS: Final = (LOOPBACK, "localhost")
# Plainly not real; their last digits are those of the consent page.
ACCOUNTS: Final[tuple[tuple[str, Literal["MARGIN", "CASH"], str], ...]] = (
    ("10000001", "MARGIN", "Simulated Individual"),
    ("10000002", "CASH", "Simulated Roth IRA"),
)


class SchwabSimulator:
    """Serve a local Schwab from threads of this process.

    Args:
        market: What it shows; by default the replay of bokeh_sampledata.
        host: A loopback address to listen on.
        port: The port, 0 for a free one.
        app_key: The app key that it accepts.
        app_secret: The app secret that it accepts.
        callback_url: The registered callback URL, several separated by commas.
        state_file: Where issued tokens outlive this process (mode 0600, digests only).
        clock: Tells the life of codes and tokens; the market has a clock of its own.
        tls: Serve HTTPS with this certificate; see `tls.self_signed`.
        lifetimes: How long codes and tokens live.
        rotate_refresh_token: Give a new refresh token at each refresh. [?]
        history_rules: How the unsettled cases of price history go.
        requests_per_minute: Answer 429 above that; Schwab's limit is 120 [S], none by default.
        stream: What the streamer streams and by which rules; the market by default.
        weekend_outage: Trader endpoints are down on weekends of the market's clock. [O]
        recorded_chain: An option chain to show beside the invented ones.
        order_pace: How long rejections, cancels and replacements take.
        accounts_folder: Where accounts and orders outlive this process; nowhere when None.

    Attributes:
        app: The registered application; change it while running to make it pending.
        grants: Codes and tokens; `end_access_tokens()` ends them early.
        faults: What is to go wrong with the next requests.
        requests: What was asked, for tests that count.
        streamer: The streamer: its faults, its ledger, and where account activity is told.
        options: Every option that is quoted.
        orders: Accounts and their orders; `orders.listen` tells account activity.
        trader: The trader endpoints; its `streamer_url` stands in userPreference.

    Raises:
        ValueError: If the host is not this machine itself.
    """

    def __init__(
        self,
        market: ReplayMarket | None = None,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        app_key: str = SIMULATED_APP_KEY,
        app_secret: str = SIMULATED_APP_SECRET,
        callback_url: str = DEFAULT_CALLBACK_URL,
        state_file: Path | None = None,
        clock: Clock | None = None,
        tls: TlsIdentity | None = None,
        lifetimes: Lifetimes | None = None,
        rotate_refresh_token: bool = False,
        history_rules: HistoryRules | None = None,
        requests_per_minute: int | None = None,
        stream: StreamOptions | None = None,
        weekend_outage: bool = False,
        recorded_chain: FileChain | None = None,
        order_pace: OrderPace | None = None,
        accounts_folder: Path | None = None,
    ) -> None:
        if host not in LOOPBACK_HOSTS:
            raise ValueError(f"the simulator listens on this machine only, not on {host!r}")
        clock = clock or SystemClock()
        self.market = market or ReplayMarket.from_bokeh()
        self.app = AppRegistration(app_key, app_secret, callback_url)
        self.grants = Grants(
            clock,
            lifetimes or Lifetimes(),
            state_file=state_file,
            rotate_refresh_token=rotate_refresh_token,
        )
        self.faults = Faults()
        self.requests = RequestLog()
        self.price_history = PriceHistory(self.market, history_rules)
        self._address = (host, port)
        self._tls = tls
        self._server: HttpServer | None = None
        self.options = OptionBook(self.market, recorded_chain)
        accounts = [Account(number, kind, name) for number, kind, name in ACCOUNTS]
        store = None
        if accounts_folder is not None:
            store = AccountStore(accounts_folder, self.market.identity)
            saved = store.peek()
            if saved is not None:
                self.market.go_on_from(saved.now_ns)
        self._keeps_accounts = store is not None
        self.orders = OrderDesk(self.market, self.options, accounts, order_pace, store)
        self.trader = Trader(self.market, self.orders)
        oauth = OAuth(self.app, self.grants, clock)
        self._stream = StreamerRoom(
            self.market, oauth, clock, stream or StreamOptions(), self.orders
        )
        self.streamer = self._stream.streamer
        router = Router()
        parts = (
            oauth,
            *self._stream.endpoints,
            self.price_history,
            Quotes(self.market, DerivedQuotes(self.market, self.options)),
            Instruments(self.market),
            MarketHours(self.market),
            Status(self.market),
            Chains(self.market, self.options),
            Movers(self.market),
            self.trader,
            Admin(self.faults, clock),
        )
        for part in parts:
            part.add_to(router)
        self._application = Application(
            router,
            oauth,
            self.market,
            self.faults,
            self.requests,
            clock,
            requests_per_minute,
            weekend_outage,
        )

    @property
    def base_url(self) -> str:
        """Return where it answers, without a last slash.

        Raises:
            RuntimeError: If it is not started.
        """
        if self._server is None:
            raise RuntimeError("the simulator is not started")
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self._address[0]}:{self._server.port}"

    @property
    def stream_url(self) -> str:
        """Return the address of the streamer's WebSocket, as userPreference tells it.

        Raises:
            RuntimeError: If it is not started.
        """
        return self._stream.url

    def start(self) -> str:
        """Listen, answer from now on, and return the base URL.

        Raises:
            PortTaken: If another program listens there.
        """
        if self._server is None:
            context = None if self._tls is None else self._tls.server_context()
            try:
                server = HttpServer(self._application.answer, *self._address, context, self.faults)
            except OSError as error:
                raise PortTaken(
                    f"cannot listen on {self._address[0]}:{self._address[1]}: {error.strerror}",
                    next_step="Choose another port, or 0 for a free one.",
                ) from error
            try:
                self._stream.start(self._address[0], context)
            except OSError:
                server.close()
                raise
            server.start()
            self._server = server
        return self.base_url

    def stop(self) -> None:
        """Stop answering and cut every connection; nothing when not started."""
        if self._server is not None:
            self._application.close()
            self._stream.close()
            self._server.close()
            self._server = None
            if self._keeps_accounts:
                self.orders.keep()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
