"""Every operation, declared once: REST, OpenAPI, MCP, Flight and the client are made of this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from system.algo_trader.api.access.api_key import KeyScope
from system.algo_trader.api.operations import analysis, candles, chains, quality, ticks
from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.parameters import Kind, Parameter
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.levels.pivots import PivotKind
from system.algo_trader.levels.request import INTERVALS, LevelSession
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.storage.continuous_bars import RollAdjust
from system.algo_trader.storage.records import TAPE, TRADES

Values = Mapping[str, Any]
PAGE_ROWS: Final = 10_000
"""The most rows of one answer; more are streamed, as NDJSON or Arrow."""
STREAM_ROWS: Final = 1_000_000
INTRADAY: Final = tuple(str(each) for each in Timeframe if each.is_intraday)


@dataclass(frozen=True, slots=True)
class Operation:
    """Declare what can be asked.

    Attributes:
        name: For models and clients.
        path: Below `/api/v1`.
        title: A few words.
        description: What it returns, for people and models.
        needs: What a key must be allowed.
        parameters: What may be said.
        answer: Finds the answer.
        version: Returns what changes whenever the answer may; None where only time does.
        lives_s: How long an answer of the same version may be given out again, seconds.
        pages: Yields a long range window by window; None where there are no long ones.
    """

    name: str
    path: str
    title: str
    description: str
    needs: KeyScope
    parameters: tuple[Parameter, ...]
    answer: Callable[[Stores, Values], Answer]
    version: Callable[[Stores, Values], str] | None
    lives_s: float
    pages: Callable[[Stores, Values], Iterator[Answer]] | None = None

    def parameter(self, name: str) -> Parameter:
        """Return a parameter by name."""
        return next(each for each in self.parameters if each.name == name)


def _symbol(in_path: bool = False, text: str = "The instrument: AAPL, BRK/B, $SPX, /ESZ26.") -> Any:
    return Parameter("symbol", Kind.SYMBOL, text, True, in_path=in_path)


def _limit(default: int, most: int = PAGE_ROWS) -> Parameter:
    return Parameter("limit", Kind.WHOLE, "The most rows.", default=default, least=1, most=most)


_FROM: Final = Parameter(
    "start_time", Kind.INSTANT, "The first instant; without one, the last rows are given."
)
_UNTIL: Final = Parameter("end_time", Kind.INSTANT, "The instant before which rows lie.")
_CURSOR: Final = Parameter("cursor", Kind.CURSOR, "The `next` of the page before.")
_AT: Final = Parameter("at", Kind.INSTANT, "As of this instant, out of the archive; now without.")

REALTIME: Final = Operation(
    "ticks_realtime",
    "/ticks/realtime",
    "The last updates",
    "The last level-one updates of some symbols, out of the stream, oldest first. Level one is a "
    "sampled change feed, not the tape.",
    KeyScope.READ_TICKS,
    (
        Parameter("symbols", Kind.SYMBOLS, "Whose updates.", True),
        _limit(100, 1000),
    ),
    ticks.realtime,
    ticks.live_version,
    0.1,
)

HISTORICAL: Final = Operation(
    "ticks_historical",
    "/ticks/historical",
    "Stored trades and quotes",
    "Stored trades or quotes of some symbols by time, or the bars that their trades make. Long "
    "ranges go page by page with `cursor`, or are streamed as NDJSON or Arrow with a larger limit.",
    KeyScope.READ_TICKS,
    (
        Parameter("symbols", Kind.SYMBOLS, "Whose rows.", True, most=20),
        Parameter("kind", Kind.CHOICE, "What is asked for.", default=TRADES, choices=TAPE),
        Parameter(
            "interval",
            Kind.CHOICE,
            "`tick` for single rows, else the span of bars made of them.",
            default="tick",
            choices=("tick", *INTRADAY, "1d"),
        ),
        _FROM,
        _UNTIL,
        _CURSOR,
        _limit(1000, STREAM_ROWS),
    ),
    ticks.historical,
    ticks.stored_version,
    30.0,
    ticks.historical_pages,
)

CANDLES: Final = Operation(
    "candles",
    "/candles",
    "Candles",
    "Closed bars of one symbol or continuous future (ES.c.0) by start: the ones to believe where "
    "sources differ. Without `start_time` the last ones are given.",
    KeyScope.READ_TICKS,
    (
        _symbol(text="The instrument, or a continuous future: AAPL, /ESZ26, ES.c.0."),
        Parameter(
            "timeframe",
            Kind.CHOICE,
            "The span of a bar.",
            default="1d",
            choices=tuple(str(each) for each in Timeframe),
        ),
        Parameter(
            "session",
            Kind.CHOICE,
            "The hours that bars count.",
            default="rth",
            choices=tuple(str(each) for each in Session),
        ),
        Parameter(
            "adjustment",
            Kind.CHOICE,
            "What prices are adjusted for.",
            default="split",
            choices=tuple(str(each) for each in Adjustment),
        ),
        Parameter(
            "rolls",
            Kind.CHOICE,
            "What is done about the price gaps of a continuous future's rolls.",
            default="none",
            choices=tuple(str(each) for each in RollAdjust),
        ),
        _FROM,
        _UNTIL,
        _CURSOR,
        _limit(390, STREAM_ROWS),
    ),
    candles.candles,
    candles.version,
    30.0,
    candles.candle_pages,
)

QUOTES: Final = Operation(
    "quotes",
    "/quotes",
    "Newest quotes",
    "The newest quote and last trade of each symbol.",
    KeyScope.READ_TICKS,
    (Parameter("symbols", Kind.SYMBOLS, "Whose quotes.", True, most=1000),),
    ticks.quotes,
    ticks.live_version,
    0.1,
)

CHAIN: Final = Operation(
    "option_chain",
    "/options/{symbol}",
    "Option chain",
    "The contracts of an underlying with quotes, implied volatility and Greeks: from the cache if "
    "a chain was fetched within a minute, else the last one stored.",
    KeyScope.READ_OPTIONS,
    (
        _symbol(True, "The underlying: SPY, $SPX."),
        Parameter("expiry", Kind.DATE, "Only this expiry."),
        Parameter("right", Kind.CHOICE, "Only calls or puts.", choices=("C", "P")),
        Parameter(
            "strikes", Kind.WHOLE, "Only so many strikes around the spot.", least=1, most=500
        ),
        _AT,
        _limit(5000),
    ),
    chains.chain,
    chains.chain_version,
    2.0,
)

GEX: Final = Operation(
    "gex",
    "/gex/{symbol}",
    "Gamma exposure",
    "Dealers' gamma, delta, vanna and charm by strike in dollars, where gamma turns, and the "
    "walls. `summary` has the marks, the expiries and the profile.",
    KeyScope.READ_OPTIONS,
    (_symbol(True, "The underlying: SPY, $SPX."), _AT),
    chains.gex,
    chains.chain_version,
    2.0,
)

GEX_HISTORY: Final = Operation(
    "gex_history",
    "/gex/{symbol}/history",
    "Gamma exposure over time",
    "Key figures of each stored chain of an underlying: net gamma, flip, walls, volatility.",
    KeyScope.READ_OPTIONS,
    (_symbol(True, "The underlying: SPY, $SPX."), _FROM, _UNTIL, _limit(1000)),
    chains.gex_history,
    None,
    2.0,
)

LEVELS: Final = Operation(
    "levels",
    "/levels/{symbol}",
    "Levels of a day",
    "Pivots of the session before and the day's volume-weighted price (the document levels.v1).",
    KeyScope.READ_TICKS,
    (
        _symbol(True),
        Parameter("date", Kind.DATE, "Trading date; the last one stored without."),
        Parameter(
            "session",
            Kind.CHOICE,
            "The hours that count.",
            default="rth",
            choices=tuple(str(each) for each in LevelSession),
        ),
        Parameter(
            "pivot",
            Kind.CHOICE,
            "The formula.",
            default="classic",
            choices=tuple(str(each) for each in PivotKind),
        ),
        Parameter("anchor", Kind.INSTANT, "Where the VWAP begins; with the session without."),
        Parameter(
            "interval",
            Kind.CHOICE,
            "Of the bars that the VWAP is made of.",
            default="1m",
            choices=tuple(str(each) for each in INTERVALS),
        ),
    ),
    analysis.levels,
    quality.quality_version,
    5.0,
)

METRICS: Final = Operation(
    "metrics",
    "/metrics/{symbol}",
    "Key figures",
    "Rank of implied volatility, put/call ratios, gamma and the tape's balance of a symbol; what "
    "cannot be said is null with a reason.",
    KeyScope.READ_OPTIONS,
    (_symbol(True),),
    analysis.metrics,
    quality.quality_version,
    5.0,
)

TAPE_OF: Final = Operation(
    "tape",
    "/tape/{symbol}",
    "Buys and sells",
    "Buys and sells on the tape of a trading date, a row a stretch of time, with their rule and "
    "confidence. A sampled source says so.",
    KeyScope.READ_TICKS,
    (
        _symbol(True),
        Parameter("date", Kind.DATE, "Trading date; the last one stored without."),
        Parameter("timeframe", Kind.CHOICE, "The span of a row.", default="1m", choices=INTRADAY),
        _limit(1000),
    ),
    analysis.tape,
    analysis.tape_version,
    5.0,
)

QUALITY: Final = Operation(
    "quality",
    "/quality",
    "Coverage and gaps",
    "Which bars the calendar expects and nobody has, by symbol and trading day, and the gaps that "
    "streams left.",
    KeyScope.READ_TICKS,
    (
        Parameter("symbols", Kind.SYMBOLS, "Whose coverage; of all without."),
        Parameter("timeframe", Kind.CHOICE, "The span of a bar.", default="1m", choices=INTRADAY),
        Parameter("days", Kind.WHOLE, "Trading days up to the last.", default=5, least=1, most=60),
        _limit(20, 200),
    ),
    quality.quality,
    quality.quality_version,
    10.0,
)

OPERATIONS: Final = (
    *(REALTIME, HISTORICAL, CANDLES, QUOTES, CHAIN, GEX_HISTORY, GEX),
    *(LEVELS, METRICS, TAPE_OF, QUALITY),
)


def operation_named(name: str) -> Operation:
    """Return an operation by name.

    Raises:
        KeyError: If there is none.
    """
    return {each.name: each for each in OPERATIONS}[name]
