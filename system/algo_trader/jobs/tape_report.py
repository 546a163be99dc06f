"""What a tape says: sides, shares, delta, average price, profile, and how far to trust it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from infrastructure.clock import rfc3339
from system.algo_trader.jobs.tape_source import TapeData
from system.algo_trader.tape.classify import Classified, classify, prevailing_quotes
from system.algo_trader.tape.columns import Flags, Int64s
from system.algo_trader.tape.marks import BLOCK_SIZE, BLOCK_VALUE, block_marks, find_sweeps
from system.algo_trader.tape.profile import VolumeProfile, volume_profile
from system.algo_trader.tape.sides import MISSING, Confidence, Rule, Side
from system.algo_trader.tape.statistics import TapeStatistics, tape_statistics
from system.algo_trader.tape.volume import cumulative_delta, vwap_bands

RULES = {
    "quote": Rule.QUOTE,
    "tick": Rule.TICK,
    "lee-ready": Rule.LEE_READY,
    "emo": Rule.EMO,
    "clnv": Rule.CLNV,
}


@dataclass(frozen=True, slots=True)
class TapeTerms:
    """Hold how a tape is read.

    Attributes:
        rule: A key of `RULES`.
        lag_ns: How much older than its trade a quote must be.
        window_ns: How old a quote may be; None for any age.
        strict: Whether a quote of exactly the lag is too young.
        block_size: Shares or contracts that make a block.
        block_value: Value that does as well; None to count the size alone.
        deviations: Width of the bands.
        row_ticks: Height of the profile's rows.
    """

    rule: str = "lee-ready"
    lag_ns: int = 0
    window_ns: int | None = None
    strict: bool = True
    block_size: float = BLOCK_SIZE
    block_value: float | None = BLOCK_VALUE
    deviations: float = 2.0
    row_ticks: int = 1


@dataclass(frozen=True, slots=True)
class TapeReport:
    """Hold one tape's analytics.

    Attributes:
        data: What was read.
        terms: How.
        tape: The classified trades.
        starts: Which trades begin a session, bool (n,).
        whole: Statistics of the whole tape.
        profile: Volume by price.
    """

    data: TapeData
    terms: TapeTerms
    tape: Classified
    starts: Flags
    whole: TapeStatistics
    profile: VolumeProfile

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; null where something cannot be said."""
        trades, whole, profile = self.tape.trades, self.whole, self.profile
        bands = vwap_bands(trades, deviations=self.terms.deviations, starts=self.starts)
        sweeps = find_sweeps(self.tape)
        shares = whole.at_quote
        return {
            "version": whole.version,
            "symbol": self.data.symbol,
            "source": self.data.source,
            "is_synthetic": self.data.is_synthetic,
            "sampled": trades.sampled,
            "first": rfc3339(int(trades.time_ns[0])),
            "last": rfc3339(int(trades.time_ns[-1])),
            "sessions": int(np.count_nonzero(self.starts)),
            "tick_size": trades.tick_size,
            "terms": asdict(self.terms),
            "quotes": 0 if self.data.quotes is None else len(self.data.quotes),
            "trades": whole.trades,
            "volume": whole.volume,
            "bought": whole.bought,
            "sold": whole.sold,
            "unknown": whole.unknown,
            "buy_sell_ratio": whole.buy_sell_ratio,
            "delta": whole.delta,
            "delta_high": whole.delta_high,
            "delta_low": whole.delta_low,
            "at_quote": {
                "bid": shares.at_bid,
                "mid": shares.at_mid,
                "ask": shares.at_ask,
                "unquoted": shares.unquoted,
                "reason": shares.reason,
            },
            "basis": str(whole.basis),
            "confidence": {
                kind.name.lower(): int(np.count_nonzero(self.tape.confidence == kind))
                for kind in Confidence
            },
            "vwap": whole.vwap,
            "bands": {
                "deviations": self.terms.deviations,
                **{
                    name: _last(getattr(bands, name))
                    for name in ("vwap", "deviation", "lower", "upper")
                },
            },
            "profile": {
                "point_of_control": profile.point_of_control,
                "value_low": profile.value_low,
                "value_high": profile.value_high,
                "reason": profile.reason,
                "price": profile.price.tolist(),
                "volume": profile.volume.tolist(),
                "delta": profile.delta.tolist(),
            },
            "largest": whole.largest,
            "blocks": whole.blocks,
            "block_share": whole.block_share,
            "sweeps": [
                {
                    "first": rfc3339(int(trades.time_ns[sweeps.first[i]])),
                    "last": rfc3339(int(trades.time_ns[sweeps.last[i]])),
                    "side": Side(int(sweeps.side[i])).name.lower(),
                    "levels": int(sweeps.levels[i]),
                    "size": float(sweeps.size[i]),
                }
                for i in range(len(sweeps))
            ],
            "sweep_share": whole.sweep_share,
            "by_size": {str(name): count for name, count in whole.by_size.items()},
            "agreement": self.agreement(),
        }

    def agreement(self) -> dict[str, Any] | None:
        """Return how often the sides are those that the source itself gives; None without any."""
        if self.data.flag is None:
            return None
        both = (self.data.flag != 0) & (self.tape.side != 0)
        judged = int(np.count_nonzero(both))
        right = int(np.count_nonzero(both & (self.data.flag == self.tape.side)))
        return {
            "flagged": int(np.count_nonzero(self.data.flag)),
            "judged": judged,
            "right": right,
            "share": right / judged if judged else None,
        }

    def by_trade(self) -> pa.Table:
        """Return one row a trade: what was in force, its side, confidence, marks, running sums."""
        trades, quotes, tick = self.tape.trades, self.tape.quotes, self.tape.trades.tick_size
        bands = vwap_bands(trades, deviations=self.terms.deviations, starts=self.starts)
        sides = {int(side): side.name.lower() for side in Side}
        kinds = [kind.name.lower() for kind in Confidence]
        return pa.table(
            {
                "ts_event_ns": trades.time_ns,
                "price": _known(trades.prices()),
                "size": trades.size,
                "bid": _known(np.where(quotes.bid == MISSING, np.nan, quotes.bid * tick)),
                "ask": _known(np.where(quotes.ask == MISSING, np.nan, quotes.ask * tick)),
                "side": [sides[each] for each in self.tape.side.tolist()],
                "confidence": [kinds[each] for each in self.tape.confidence.tolist()],
                "block": block_marks(
                    trades, min_size=self.terms.block_size, min_value=self.terms.block_value
                ),
                "sweep": find_sweeps(self.tape).member,
                "cumulative_delta": cumulative_delta(self.tape, starts=self.starts).values,
                "vwap": _known(bands.vwap),
                "vwap_lower": _known(bands.lower),
                "vwap_upper": _known(bands.upper),
                "sampled": np.full(len(trades), trades.sampled),
            }
        )


def tape_report(data: TapeData, terms: TapeTerms, sessions: Int64s) -> TapeReport:
    """Return the report of a tape.

    Args:
        data: Trades, and quotes where there are any.
        terms: How to read them.
        sessions: A number of each trade's session, rising, int64 (n,).

    Raises:
        InputError: If the terms make no sense, or the profile would have over a million rows.
    """
    trades = data.trades
    starts = np.diff(sessions, prepend=sessions[:1] - 1) != 0
    held = None
    if data.quotes is not None:
        held = prevailing_quotes(
            trades,
            data.quotes,
            lag_ns=terms.lag_ns,
            window_ns=terms.window_ns,
            strict=terms.strict,
        )
    tape = classify(trades, held, RULES[terms.rule], starts=starts)
    whole = tape_statistics(
        tape,
        int(trades.time_ns[0]),
        int(trades.time_ns[-1]) + 1,
        block_size=terms.block_size,
        block_value=terms.block_value,
    )
    return TapeReport(
        data, terms, tape, starts, whole, volume_profile(tape, row_ticks=terms.row_ticks)
    )


def _last(values: np.typing.NDArray[np.float64]) -> float | None:
    return None if np.isnan(values[-1]) else float(values[-1])


def _known(values: np.typing.NDArray[np.float64]) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))
