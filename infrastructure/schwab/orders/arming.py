"""Live orders are off. The last gate before the wire, and the only maker of permits to pass it.

Whatever is sent to a host that is not this machine, and is neither a GET, nor the token endpoint,
nor a preview, needs a permit. A permit serves one request, with one body, once. `Arming` makes one
only if the process was started with `--arm-live` (read from the interpreter's own command line, so
that no variable, file or call can stand for it), and the account, the order's value and the rate
are within what the settings allow. `permit_cancel_all` needs none of that.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from infrastructure.clock import Clock
from infrastructure.errors import StackError, TradingNotArmed
from infrastructure.schwab.oauth.application import is_loopback

FLAG: Final = "--arm-live"
WINDOW_NS: Final = 60 * 1_000_000_000
_STARTED_WITH: Final[tuple[str, ...]] = tuple(sys.orig_argv)
_TOKEN_PATH: Final = "/v1/oauth/token"
_PREVIEW_PATH: Final = re.compile(r"/trader/v1/accounts/[0-9A-Za-z]+/previewOrder")
_SEAL: Final = object()


class OrderPermit:
    """Allow one request to a real broker, once. Only this module makes them."""

    __slots__ = ("_request", "_used")

    def __init__(self, method: str, url: str, body: bytes | None, seal: object) -> None:
        if seal is not _SEAL:
            raise TradingNotArmed("a permit for an order was not made by the arming")
        self._request = (method, url, body)
        self._used = False

    def use(self, method: str, url: str, body: bytes | None) -> bool:
        """Tell whether this request is the permitted one, and spend the permit."""
        serves = not self._used and self._request == (method, url, body)
        self._used = True
        return serves


@dataclass(frozen=True, slots=True)
class TradingLimits:
    """What the settings allow; nothing by default.

    Attributes:
        accounts: Account numbers that may trade.
        max_notional: An order has to be below it, in dollars.
        max_orders_per_minute: Orders of any 60 seconds.
    """

    accounts: frozenset[str] = field(default=frozenset(), repr=False)
    max_notional: Decimal | None = None
    max_orders_per_minute: int | None = None


class Arming:
    """Judge whether an order may go to a real broker; threads may share it.

    Args:
        limits: What the settings allow.
        clock: Counts the minute.
        shared: Counts an order among all processes of the machine and says whether it is still
            within so many a minute; this process counts alone when None.
    """

    def __init__(
        self, limits: TradingLimits, clock: Clock, shared: Callable[[int], bool] | None = None
    ) -> None:
        self._limits = limits
        self._shared = shared
        self._clock = clock
        self._sent_ns: deque[int] = deque()
        self._lock = threading.Lock()

    def check_started(self) -> None:
        """Refuse unless the process was started with the flag.

        Raises:
            TradingNotArmed: If it was not.
        """
        if FLAG not in _STARTED_WITH:
            raise _refused(f"the program was not started with {FLAG}")

    def permit(
        self,
        method: str,
        url: str,
        body: bytes | None,
        *,
        account_number: str | None,
        notional: Decimal | None,
    ) -> OrderPermit:
        """Return the permit of one order request.

        Args:
            method: POST, PUT or DELETE.
            url: Where it goes.
            body: The order.
            account_number: Whose order; None when it could not be found out.
            notional: The order's value in dollars, 0 for a cancel, None when it is not known.

        Raises:
            TradingNotArmed: With the first reason that forbids it.
        """
        limits = self._limits
        self.check_started()
        if account_number is None or account_number not in limits.accounts:
            raise _refused("the account is not named in trading.accounts")
        most = limits.max_notional
        if most is None or not most.is_finite() or most <= 0:
            raise _refused("trading.max_notional is not set")
        if notional is None or not notional.is_finite():
            raise _refused("the order's value is not known, so it cannot be held to a limit")
        if notional < 0 or notional >= most:
            raise _refused(
                f"the order is worth ${notional:,.2f}, and trading.max_notional is ${most:,.2f}"
            )
        self._count()
        return OrderPermit(method, url, body, _SEAL)

    def _count(self) -> None:
        most = self._limits.max_orders_per_minute
        if most is None or most < 1:
            raise _refused("trading.max_orders_per_minute is not set")
        now = self._clock.monotonic_ns()
        with self._lock:
            while self._sent_ns and now - self._sent_ns[0] >= WINDOW_NS:
                self._sent_ns.popleft()
            if len(self._sent_ns) >= most:
                raise _refused(f"trading.max_orders_per_minute is {most}, and so many were sent")
            if self._shared is not None and not self._asked(self._shared, most):
                raise _refused(
                    f"trading.max_orders_per_minute is {most}, and all processes together sent "
                    "so many"
                )
            self._sent_ns.append(now)

    def _asked(self, shared: Callable[[int], bool], most: int) -> bool:
        try:
            return shared(most)
        except StackError as error:
            raise _refused(f"the orders of all processes cannot be counted ({error})") from error


def permit_cancel_all(url: str) -> OrderPermit:
    """Return the permit of a cancel that is part of cancelling everything."""
    return OrderPermit("DELETE", url, None, _SEAL)


def check_permitted(method: str, url: str, body: bytes | None, permit: OrderPermit | None) -> None:
    """Refuse a request that would change something at a real broker without a permit.

    Raises:
        TradingNotArmed: If it has no permit, or another request's, or a spent one.
    """
    parts = urlsplit(url)
    if method == "GET" or is_loopback(parts.hostname or ""):
        return
    if method == "POST" and (
        parts.path == _TOKEN_PATH or _PREVIEW_PATH.fullmatch(parts.path) is not None
    ):
        return
    if permit is None or not permit.use(method, url, body):
        raise _refused("the request carries no permit of its own")


def _refused(reason: str) -> TradingNotArmed:
    return TradingNotArmed(
        f"live orders are off: {reason}; nothing was sent",
        next_step=f"Use --sim, or start with {FLAG} after setting trading.accounts, "
        "trading.max_notional and trading.max_orders_per_minute in config.toml.",
    )


Permit = Callable[[str, str, bytes | None], OrderPermit | None]
"""Makes the permit of a request: takes its method, URL and body."""
