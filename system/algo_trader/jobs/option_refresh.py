"""Keep many symbols' chains fresh: fetch in turn, compute, and hand on to whoever keeps them.

The turn goes to the symbol that has waited longest. When there is more to do than time or budget
allow, all symbols slow down alike, and every round says how long its symbol really waited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from infrastructure.clock import Clock
from infrastructure.errors import (
    NoDataError,
    RateLimited,
    RetryableError,
    SignInRequired,
    StackError,
)
from system.algo_trader.jobs.report_terms import ReportTerms
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.gex import GexReport

LONGEST_SLEEP_S: Final = 60.0
"""After so long the market's hours are looked up again: a laptop may have slept meanwhile."""

SOURCE: Final = "schwab"
_NS_PER_S: Final = 1_000_000_000


class Fetched(NamedTuple):
    """A chain with what a report says of its origin.

    Attributes:
        chain: The quotes.
        facts: Such as the source and whether it is synthetic.
    """

    chain: Chain
    facts: dict[str, Any]


class Snapshot(NamedTuple):
    """What the keepers get.

    Attributes:
        chain: The whole chain.
        report: What it says.
        document: The report as plain values, with the facts of its origin.
    """

    chain: Chain
    report: GexReport
    document: dict[str, Any]


class Keeper(NamedTuple):
    """Somebody who keeps snapshots.

    Attributes:
        name: Such as `redis`.
        keep: Keeps one and returns how many rows or keys that were; raises a `StackError` when it
            cannot.
    """

    name: str
    keep: Callable[[Snapshot], int]


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one symbol.

    Attributes:
        symbol: Whose turn it was.
        began_ns: When, nanoseconds UTC.
        took_s: Seconds until everything was kept.
        interval_s: Seconds since the symbol's turn before; None at the first.
        wanted_s: Seconds that were asked for.
        document: The report; None when there is none.
        kept: Rows or keys by keeper, of those that kept it.
        troubles: Sentences about what has begun to fail with this turn, by name.
        recovered: Names of what works again since this turn.
        dropped: Whether the symbol gets no more turns.
    """

    symbol: str
    began_ns: int
    took_s: float
    interval_s: float | None
    wanted_s: float
    document: dict[str, Any] | None
    kept: Mapping[str, int]
    troubles: Mapping[str, str]
    recovered: Sequence[str]
    dropped: bool

    @property
    def is_late(self) -> bool:
        """Whether the symbol waited a tenth longer than was asked for."""
        return self.interval_s is not None and self.interval_s > 1.1 * self.wanted_s


@dataclass(slots=True)
class OptionRefresh:
    """Refresh chains until told otherwise.

    Attributes:
        symbols: Whose chains, in the order of their first turns.
        fetch: Returns a symbol's chain.
        keepers: Who keep what was computed; one's failure concerns nobody else.
        terms: How reports are computed.
        clock: Tells the time and waits.
        every_s: Seconds between two turns of a symbol, if time and budget allow.
        opens_in_s: Returns the seconds until a symbol's options trade, 0 while they do.
    """

    symbols: Sequence[str]
    fetch: Callable[[str], Fetched]
    keepers: Sequence[Keeper]
    terms: ReportTerms
    clock: Clock
    every_s: float
    opens_in_s: Callable[[str], float]
    _due_ns: dict[str, int] = field(default_factory=dict)
    _began_ns: dict[str, int] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        now_ns = self.clock.monotonic_ns()
        self._due_ns = dict.fromkeys(self.symbols, now_ns)

    def run(
        self,
        on_round: Callable[[Round], None],
        on_closed: Callable[[float], None],
        *,
        for_s: float | None = None,
    ) -> None:
        """Give turns until the time is over; until the process ends when there is no time.

        Args:
            on_round: Is told of every turn.
            on_closed: Is told once how many seconds it is until any symbol's options trade.
            for_s: How long, in seconds.

        Raises:
            NoDataError: If no symbol is left that has options.
        """
        ends_ns = None if for_s is None else self.clock.monotonic_ns() + round(for_s * _NS_PER_S)
        was_open = True
        while self._due_ns:
            symbol, wait_s, closed = self._next()
            if closed and was_open:
                on_closed(wait_s)
            was_open = not closed
            if ends_ns is not None:
                left_s = (ends_ns - self.clock.monotonic_ns()) / _NS_PER_S
                if wait_s >= left_s:
                    self.clock.sleep(left_s)
                    return
            if wait_s > 0:
                self.clock.sleep(min(wait_s, LONGEST_SLEEP_S))
                continue
            on_round(self.refresh(symbol))
        raise NoDataError("none of the symbols has options", next_step="Check the symbols.")

    def refresh(self, symbol: str) -> Round:
        """Give a symbol its turn now."""
        began_ns = self.clock.monotonic_ns()
        began_at_ns = self.clock.now_ns()
        before_ns = self._began_ns.get(symbol)
        self._began_ns[symbol] = began_ns
        self._due_ns[symbol] = began_ns + round(self.every_s * _NS_PER_S)
        troubles: dict[str, str] = {}
        recovered: list[str] = []
        kept: dict[str, int] = {}
        made, dropped = self._made(symbol, troubles, recovered)
        if made is not None:
            self._hand_on(made, kept, troubles, recovered)
        return Round(
            symbol=symbol,
            began_ns=began_at_ns,
            took_s=(self.clock.monotonic_ns() - began_ns) / _NS_PER_S,
            interval_s=None if before_ns is None else (began_ns - before_ns) / _NS_PER_S,
            wanted_s=self.every_s,
            document=None if made is None else made.document,
            kept=kept,
            troubles=troubles,
            recovered=recovered,
            dropped=dropped,
        )

    def _next(self) -> tuple[str, float, bool]:
        """Return the next symbol, its seconds of waiting, and whether only a closed market waits.

        A symbol whose market is closed waits for the opening as well.
        """
        now_ns = self.clock.monotonic_ns()
        found: list[tuple[float, int, str, bool]] = []
        for place, (symbol, due_ns) in enumerate(self._due_ns.items()):
            opens_s = self.opens_in_s(symbol)
            due_s = (due_ns - now_ns) / _NS_PER_S
            found.append(
                (max(due_s, opens_s) if opens_s > 0 else due_s, place, symbol, opens_s > 0)
            )
        wait_s, _, symbol, _ = min(found)
        return symbol, max(wait_s, 0.0), all(closed for *_, closed in found)

    def _made(
        self, symbol: str, troubles: dict[str, str], recovered: list[str]
    ) -> tuple[Snapshot | None, bool]:
        try:
            chain, facts = self.fetch(symbol)
            report = self.terms.report(chain, self.clock.now_ns())
        except NoDataError as error:
            del self._due_ns[symbol]
            troubles[symbol] = f"{symbol} is left out from now on: {error}"
            return None, True
        except StackError as error:
            everybodys = isinstance(error, RetryableError | SignInRequired)
            self._fails(SOURCE if everybodys else symbol, str(error), troubles)
            if isinstance(error, RateLimited) and error.retry_after_s is not None:
                least_ns = self.clock.monotonic_ns() + round(error.retry_after_s * _NS_PER_S)
                self._due_ns[symbol] = max(self._due_ns[symbol], least_ns)
            return None, False
        self._works(SOURCE, recovered)
        self._works(symbol, recovered)
        return Snapshot(chain, report, {**facts, **report.as_dict()}), False

    def _hand_on(
        self,
        made: Snapshot,
        kept: dict[str, int],
        troubles: dict[str, str],
        recovered: list[str],
    ) -> None:
        for keeper in self.keepers:
            try:
                kept[keeper.name] = keeper.keep(made)
            except StackError as error:
                self._fails(keeper.name, str(error), troubles)
            else:
                self._works(keeper.name, recovered)

    def _fails(self, name: str, sentence: str, troubles: dict[str, str]) -> None:
        """Say a trouble when it begins, and not again while it lasts."""
        if name not in self._failing:
            self._failing.add(name)
            troubles[name] = sentence

    def _works(self, name: str, recovered: list[str]) -> None:
        if name in self._failing:
            self._failing.remove(name)
            recovered.append(name)
