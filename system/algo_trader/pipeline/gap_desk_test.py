"""What a desk makes of gaps that were told and of silences."""

from __future__ import annotations

from datetime import date

import numpy as np

from infrastructure.clock import parse_rfc3339
from infrastructure.exchange.calendars import calendar
from system.algo_trader.feeds.live import FeedFacts, GapEvent, Instrument
from system.algo_trader.market.bars import Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.stream_gap import SILENT, GapState
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.pipeline.gap_desk import GapDesk
from system.algo_trader.pipeline.hours import session_spans

S = 1_000_000_000
OPEN = parse_rfc3339("2024-03-11T13:30:00Z")
EQUITIES, CHART, OPTIONS = "LEVELONE_EQUITIES", "CHART_EQUITY", "LEVELONE_OPTIONS"
INSTRUMENTS = [
    Instrument("AAPL", "AAPL", EQUITIES, "XNYS"),
    Instrument("MSFT", "MSFT", EQUITIES, "XNYS"),
    Instrument("AAPL  240315C00170000", "AAPL  240315C00170000", OPTIONS, "XNYS"),
]
AAPL, BOTH = np.array([0]), np.array([0, 1])


class Feed:
    """Fetch bars of stocks only."""

    facts = FeedFacts(Source.SCHWAB, "none", "written", True, False)

    def backfill_series(self, instrument: Instrument) -> Series | None:
        own = instrument.service == EQUITIES
        return Series(instrument.symbol, Timeframe.M1) if own else None


def desk() -> GapDesk:
    hours = {"XNYS": session_spans(calendar("XNYS"), date(2024, 3, 11), date(2024, 3, 12))}

    def carried(each: Instrument) -> list[str]:
        return [each.service, CHART] if each.service == EQUITIES else [each.service]

    made = GapDesk(Feed(), INSTRUMENTS, hours, "r1", carried)  # type: ignore[arg-type]
    made.look(OPEN)
    return made


def taught() -> GapDesk:
    """A desk that has heard both stocks each second for five minutes."""
    made = desk()
    for second in range(1, 301):
        assert made.heard(EQUITIES, BOTH, OPEN + second * S) == []
    return made


def test_a_gap_of_a_service_names_the_instruments_whose_bars_can_be_fetched() -> None:
    made = desk()
    for service in (EQUITIES, CHART):
        gap = made.told(GapEvent(service, "sequence", OPEN, OPEN + S, 2), OPEN + S)
        assert (gap.symbols, gap.state, gap.missing) == (("AAPL", "MSFT"), GapState.OPEN, 2)
        assert (gap.source, gap.instruments) == ("schwab", 2)


def test_a_gap_whose_bars_nobody_has_is_lost() -> None:
    made = desk()
    for service, count in ((OPTIONS, 1), ("NASDAQ_BOOK", 0)):
        gap = made.told(GapEvent(service, "disconnected", OPEN, OPEN + S, None), OPEN + S)
        assert (gap.symbols, gap.state, gap.instruments) == ((), GapState.LOST, count)
    assert len(made.log) == 2


def test_a_silent_service_is_one_suspicion_and_not_one_a_symbol() -> None:
    made = taught()
    assert made.look(OPEN + 600 * S) == []
    assert made.silent_now() == ([EQUITIES], [])
    (gap,) = made.heard(EQUITIES, BOTH, OPEN + 610 * S)
    assert (gap.reason, gap.state, gap.symbols) == (SILENT, GapState.SUSPECTED, ())
    assert (gap.start_ns, gap.end_ns) == (OPEN + 300 * S, OPEN + 610 * S)
    made.look(OPEN + 611 * S)
    assert made.silent_now() == ([], [])
    assert len(made.log) == 0


def test_a_silent_symbol_is_suspected_while_others_speak() -> None:
    made = taught()
    for second in range(301, 500):
        made.heard(EQUITIES, AAPL, OPEN + second * S)
        made.look(OPEN + second * S)
    assert made.silent_now() == ([], ["MSFT"])
    (gap,) = made.heard(EQUITIES, BOTH, OPEN + 500 * S)
    assert (gap.symbols, gap.start_ns, gap.state) == (
        ("MSFT",),
        OPEN + 300 * S,
        GapState.SUSPECTED,
    )


def test_a_gap_that_the_feed_told_of_is_not_suspected_besides() -> None:
    made = taught()
    made.look(OPEN + 600 * S)
    made.told(
        GapEvent(EQUITIES, "disconnected", OPEN + 300 * S, OPEN + 601 * S, None), OPEN + 601 * S
    )
    assert made.heard(EQUITIES, BOTH, OPEN + 601 * S) == []
    assert made.suspected == []


def test_a_silence_that_the_close_ends_is_recorded_until_then() -> None:
    made = taught()
    close = parse_rfc3339("2024-03-11T20:00:00Z")
    made.look(close - S)
    (gap,) = made.look(close)
    assert (gap.end_ns, gap.state) == (close, GapState.SUSPECTED)
    assert made.look(close + 3600 * S) == []
