"""The document `levels.v1`, its schema, and its forms: JSON, CSV, AI block, provenance line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from system.algo_trader.levels.pivots import PivotKind, Pivots
from system.algo_trader.levels.request import LevelSession, VwapKind

TradingDate: TypeAlias = date

VERSION: Final = "levels.v1"
AI_START: Final = "[AI_DATA_BLOCK_START]"
AI_END: Final = "[AI_DATA_BLOCK_END]"

_SCHEMA_FILE: Final = Path(__file__).with_name("levels_v1.schema.json")


class VwapMethod(StrEnum):
    """Name how the VWAP came about."""

    INTRADAY_TRUE = "intraday_true"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class LevelsInput:
    """Repeat what was asked for.

    Attributes:
        symbol_raw: The symbol as it was typed.
        tz: IANA zone of the market.
        anchor: "session", or the RFC 3339 instant at which the VWAP begins.
        adjust: What prices are adjusted for.
        roll: How contracts are chained; "none" for a single instrument.
        interval: Of the intraday bars.
        precision: Decimals of the levels.
    """

    symbol_raw: str
    tz: str
    anchor: str
    adjust: str
    roll: str
    interval: str
    precision: int


@dataclass(frozen=True, slots=True)
class Quality:
    """Say how good the VWAP is.

    Attributes:
        vwap_method: How it came about.
        intraday_bar_count: Bars that it is made of.
        bars_expected: Bars that the calendar has from its beginning to the session's end.
        coverage_pct: The one by the other, percent.
        data_lag_ms: How far the last bar's end lies behind now, or behind the session's end when
            that is over, milliseconds; None without bars.
    """

    vwap_method: VwapMethod
    intraday_bar_count: int
    bars_expected: int
    coverage_pct: float
    data_lag_ms: int | None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Say where the numbers come from.

    Attributes:
        provider: Source of the bars, such as `schwab`.
        provider_request_id: The request that the bars came from, several with plus signs between;
            None when it is not kept.
        is_synthetic: Whether any bar was made up.
        session_window: Begin and end of the day's session, RFC 3339, with a slash between.
        roll_mode: How contracts were chained.
    """

    provider: str
    provider_request_id: str | None
    is_synthetic: bool
    session_window: str
    roll_mode: str


@dataclass(frozen=True, slots=True)
class LevelsDocument:
    """Hold the levels of one symbol on one trading date.

    Attributes:
        symbol: The instrument.
        date: The trading date.
        session: The hours that count.
        pivot_kind: The formula of the pivots.
        vwap_kind: Where the VWAP begins.
        input: What was asked for.
        pivots: All levels; the contract's document carries the pivot, R1 and S1.
        vwap: The volume-weighted average price; None when there is none.
        quality: How good the VWAP is.
        provenance: Where the numbers come from.
        prior_date: Trading date of the session that the pivots are made of.
        prior_bar_count: Bars that describe that session.
        prior_bars_expected: Bars that the calendar has of it; outside of regular hours a minute
            may pass without a trade.
        no_vwap_because: Why there is no VWAP; None when there is one.
    """

    symbol: str
    date: TradingDate
    session: LevelSession
    pivot_kind: PivotKind
    vwap_kind: VwapKind
    input: LevelsInput
    pivots: Pivots
    vwap: float | None
    quality: Quality
    provenance: Provenance
    prior_date: TradingDate
    prior_bar_count: int
    prior_bars_expected: int
    no_vwap_because: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the document of the contract `levels.v1`, with rounded levels."""
        given, quality, origin = self.input, self.quality, self.provenance
        return {
            "version": VERSION,
            "symbol": self.symbol,
            "date": self.date.isoformat(),
            "session": str(self.session),
            "pivot_kind": str(self.pivot_kind),
            "vwap_kind": str(self.vwap_kind),
            "input": {
                "symbol_raw": given.symbol_raw,
                "tz": given.tz,
                "anchor": given.anchor,
                "adjust": given.adjust,
                "roll": given.roll,
                "interval": given.interval,
                "precision": given.precision,
            },
            "levels": {
                "R1": self.rounded(self.pivots.resistances[0]),
                "S1": self.rounded(self.pivots.supports[0]),
                "VWAP": None if self.vwap is None else self.rounded(self.vwap),
                "pivot": self.rounded(self.pivots.pivot),
            },
            "quality": {
                "vwap_method": str(quality.vwap_method),
                "intraday_bar_count": quality.intraday_bar_count,
                "bars_expected": quality.bars_expected,
                "coverage_pct": quality.coverage_pct,
                "data_lag_ms": quality.data_lag_ms,
            },
            "provenance": {
                "provider": origin.provider,
                "provider_request_id": origin.provider_request_id,
                "is_synthetic": origin.is_synthetic,
                "session_window": origin.session_window,
                "roll_mode": origin.roll_mode,
            },
        }

    def rounded(self, price: float) -> float:
        """Return a price with the decimals that were asked for."""
        return round(price, self.input.precision)


def csv_text(documents: Sequence[LevelsDocument]) -> str:
    """Return a heading and one row a document; a level that is null is an empty cell."""
    rows = [_flat(document.as_dict()) for document in documents]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(rows[:1])
    for row in rows:
        writer.writerow(["" if value is None else _word(value) for value in row.values()])
    return text.getvalue()


def ai_block(document: LevelsDocument) -> str:
    """Return `name: value` lines between the markers that programs cut the block out by."""
    row = _flat(document.as_dict())
    lines = [f"{name}: {'null' if value is None else _word(value)}" for name, value in row.items()]
    return "\n".join([AI_START, *lines, AI_END]) + "\n"


def provenance_line(document: LevelsDocument) -> str:
    """Return one line `PROVENANCE key=value ...` for standard error."""
    fields = {
        **document.as_dict()["provenance"],
        "prior_session": document.prior_date.isoformat(),
        "prior_bars": document.prior_bar_count,
        "prior_bars_expected": document.prior_bars_expected,
    }
    words = [f"{name}={'-' if value is None else _word(value)}" for name, value in fields.items()]
    return " ".join(["PROVENANCE", *words])


def levels_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document."""
    schema: dict[str, Any] = json.loads(_SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        # Names inside are unique, so that columns need no prefix.
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
