"""Judge the refreshing of chains on a clock that moves only when told."""

from collections.abc import Callable
from typing import Any

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import (
    BugError,
    NetworkError,
    NoDataError,
    RateLimited,
    ServiceUnavailable,
    StackError,
)
from system.algo_trader.jobs.option_refresh import (
    Fetched,
    Keeper,
    OptionRefresh,
    Round,
    Snapshot,
)
from system.algo_trader.jobs.report_terms import ReportTerms
from system.algo_trader.options.synthetic import NOW_NS, synthetic_chain

CHAIN = synthetic_chain(expiries=2, strikes=5, half_spread=0.05)


class Desk:
    """Schwab, the keepers and the market of a test: what takes how long and what fails."""

    def __init__(self, symbols: str, *, every_s: float = 30.0, takes_s: float = 1.0) -> None:
        self.clock = VirtualClock(NOW_NS)
        self.takes_s = takes_s
        self.fails: dict[str, StackError] = {}
        self.keeper_fails: StackError | None = None
        self.opens_at_s = 0.0
        self.asked: list[tuple[str, float]] = []
        self.kept: list[Snapshot] = []
        self.rounds: list[Round] = []
        self.closed: list[float] = []
        self.job = OptionRefresh(
            symbols.split(),
            self.fetch,
            [Keeper("redis", self.keep), Keeper("archive", lambda _: 7)],
            ReportTerms(),
            self.clock,
            every_s,
            lambda _: max(0.0, self.opens_at_s - self.now_s),
        )

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_ns() / 1e9

    def fetch(self, symbol: str) -> Fetched:
        self.asked.append((symbol, self.now_s))
        self.clock.sleep(self.takes_s)
        if symbol in self.fails:
            raise self.fails[symbol]
        return Fetched(CHAIN, {"source": "test"})

    def keep(self, snapshot: Snapshot) -> int:
        if self.keeper_fails is not None:
            raise self.keeper_fails
        self.kept.append(snapshot)
        return 3

    def run(self, for_s: float, each: Callable[[Round], Any] = lambda _: None) -> None:
        def on_round(done: Round) -> None:
            self.rounds.append(done)
            each(done)

        self.job.run(on_round, self.closed.append, for_s=for_s)


def test_every_symbol_gets_its_turn_as_often_as_asked() -> None:
    desk = Desk("A B C")
    desk.run(70)
    assert desk.asked == [
        *(("A", 0.0), ("B", 1.0), ("C", 2.0)),
        *(("A", 30.0), ("B", 31.0), ("C", 32.0)),
        *(("A", 60.0), ("B", 61.0), ("C", 62.0)),
    ]
    assert [done.interval_s for done in desk.rounds] == [None] * 3 + [30.0] * 6
    assert not any(done.is_late for done in desk.rounds)
    assert desk.rounds[0].kept == {"redis": 3, "archive": 7}
    assert desk.now_s == 70
    assert desk.kept[0].document["source"] == "test"
    assert desk.kept[0].document["total"]["gex"] == desk.rounds[0].document["total"]["gex"]  # type: ignore[index]


def test_too_much_to_do_slows_all_symbols_alike_and_the_real_interval_is_said() -> None:
    desk = Desk("A B C D", takes_s=20.0)
    desk.run(500)
    turns = {symbol: sum(each == symbol for each, _ in desk.asked) for symbol in "ABCD"}
    assert max(turns.values()) - min(turns.values()) <= 1
    later = [done for done in desk.rounds if done.interval_s is not None]
    assert {done.interval_s for done in later} == {80.0}
    assert all(done.is_late for done in later)


def test_an_outage_is_said_once_and_its_end_too() -> None:
    desk = Desk("A B")

    def change(done: Round) -> None:
        if len(desk.rounds) == 2:
            desk.fails = {"A": NetworkError("no answer"), "B": NetworkError("no answer")}
        if len(desk.rounds) == 6:
            desk.fails = {}

    desk.run(110, change)
    said = [dict(done.troubles) for done in desk.rounds]
    assert said == [{}, {}, {"schwab": "no answer"}, {}, {}, {}, {}, {}]
    assert [list(done.recovered) for done in desk.rounds] == [[]] * 6 + [["schwab"], []]
    assert [done.document is None for done in desk.rounds] == [False] * 2 + [True] * 4 + [False] * 2


def test_a_keeper_that_fails_keeps_nobody_else_from_keeping() -> None:
    desk = Desk("A")

    def change(done: Round) -> None:
        desk.keeper_fails = ServiceUnavailable("down") if len(desk.rounds) < 3 else None

    desk.keeper_fails = ServiceUnavailable("down")
    desk.run(100, change)
    assert [done.kept for done in desk.rounds] == [{"archive": 7}] * 3 + [
        {"redis": 3, "archive": 7}
    ]
    assert [dict(done.troubles) for done in desk.rounds] == [{"redis": "down"}, {}, {}, {}]
    assert desk.rounds[3].recovered == ["redis"]


def test_trouble_with_one_symbol_is_not_taken_for_all() -> None:
    desk = Desk("A B")
    desk.fails = {"A": BugError("odd form")}
    desk.run(40)
    assert [dict(done.troubles) for done in desk.rounds] == [{"A": "odd form"}, {}, {}, {}]
    assert [done.document is None for done in desk.rounds] == [True, False, True, False]


def test_a_symbol_without_options_gets_no_more_turns() -> None:
    desk = Desk("A B")
    desk.fails = {"A": NoDataError("no options on A")}
    desk.run(70)
    assert [symbol for symbol, _ in desk.asked] == ["A", "B", "B", "B"]
    assert desk.rounds[0].dropped
    assert "left out from now on: no options on A" in desk.rounds[0].troubles["A"]
    desk = Desk("A")
    desk.fails = {"A": NoDataError("no options on A")}
    with pytest.raises(NoDataError, match="none of the symbols"):
        desk.run(70)


def test_a_provider_that_names_a_pause_gets_it() -> None:
    desk = Desk("A", every_s=10.0)
    desk.fails = {"A": RateLimited("too many", retry_after_s=45.0)}
    desk.run(60, lambda _: desk.fails.clear())
    assert desk.asked[:2] == [("A", 0.0), ("A", 46.0)]


def test_nothing_is_asked_while_the_market_is_closed() -> None:
    desk = Desk("A B")
    desk.opens_at_s = 3600.0
    desk.run(3640)
    assert desk.closed == [3600.0]
    assert desk.asked[0] == ("A", 3600.0)
    assert [symbol for symbol, _ in desk.asked] == ["A", "B", "A", "B"]
