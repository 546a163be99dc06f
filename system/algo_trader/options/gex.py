"""Everything that a chain says about dealers' positions, in one report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from infrastructure.clock import rfc3339
from system.algo_trader.options.chain import Chain, new_york_dates
from system.algo_trader.options.early_exercise import EARLY_EXERCISE_MATTERS
from system.algo_trader.options.exposure import (
    CALLS_PLUS_PUTS_MINUS,
    MEASURES,
    UNITS,
    Exposures,
    Measure,
    SignConvention,
    Weighting,
    buckets_of,
    exposures_of,
)
from system.algo_trader.options.implied import Bands
from system.algo_trader.options.landmarks import (
    Landmark,
    call_wall,
    max_gamma,
    max_pain,
    put_wall,
)
from system.algo_trader.options.parity import ForwardSource, RateCurve
from system.algo_trader.options.profile import (
    Flip,
    Profile,
    bells_of,
    cumulative_flip,
    per_strike_flip,
    profile_of,
)
from system.algo_trader.options.ratios import Ratio, TermPoint, put_call_ratio, term_structure
from system.algo_trader.options.smile import at_the_money, band_documents, bands_of
from system.algo_trader.options.surface import (
    GreeksSource,
    Preference,
    Surface,
    VolatilitySource,
    surface_of,
)

ENOUGH_STRIKES: Final = 10
"""With fewer strikes that hold gamma the totals are an accident."""

STALE_S: Final = 300.0
"""Quotes older than this are said to be stale."""


@dataclass(frozen=True, eq=False, slots=True)
class GexReport:
    """Hold one chain's analytics.

    Attributes:
        surface: Volatilities and Greeks.
        exposures: By strike and expiry.
        profile: Net gamma by level, with the canonical flip.
        strike_flip: Where neighbouring strikes differ in sign.
        running_flip: Where the running sum over strikes crosses zero.
        call_wall: At or above the spot.
        put_wall: At or below the spot.
        max_gamma: Largest net gamma in size.
        max_pain: By settlement moment.
        volume_ratio: Puts over calls traded.
        interest_ratio: Puts over calls open.
        terms: One point an expiry.
        expired: Contracts left out because they had settled.
        age_s: Age of the quotes when the report was asked for.
    """

    surface: Surface
    exposures: Exposures
    profile: Profile
    strike_flip: Flip
    running_flip: Flip
    call_wall: Landmark
    put_wall: Landmark
    max_gamma: Landmark
    max_pain: dict[int, Landmark]
    volume_ratio: Ratio
    interest_ratio: Ratio
    terms: tuple[TermPoint, ...]
    expired: int
    age_s: float

    @property
    def strikes_used(self) -> int:
        """Distinct strikes that hold gamma."""
        return int(np.unique(self.surface.chain.strike[self.exposures.used]).size)

    @property
    def confidence(self) -> str:
        """Say "ok" with at least ten strikes, else "low"."""
        return "ok" if self.strikes_used >= ENOUGH_STRIKES else "low"

    @property
    def is_stale(self) -> bool:
        """Whether the quotes are older than five minutes."""
        return self.age_s > STALE_S

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; null wherever there is a reason beside it."""
        chain, exposures = self.surface.chain, self.exposures
        buckets, bands = buckets_of(exposures, chain), bands_of(self.surface)
        return {
            "symbol": chain.underlying,
            "as_of": rfc3339(chain.as_of_ns),
            "age_s": self.age_s,
            "stale": self.is_stale,
            "spot": chain.spot,
            "convention": exposures.convention.name,
            "weighting": exposures.weighting,
            "units": UNITS,
            "provenance": {
                "source": chain.source,
                "fetched_at": None if chain.fetched_at_ns is None else rfc3339(chain.fetched_at_ns),
                "is_synthetic": chain.is_synthetic,
            },
            "contracts": len(chain),
            "contracts_expired": self.expired,
            "contracts_used": int(np.count_nonzero(exposures.used)),
            "strikes_used": self.strikes_used,
            "confidence": self.confidence,
            "volatility_source": _counts(self.surface.volatility_source, VolatilitySource),
            "greeks_source": _counts(self.surface.greeks_source, GreeksSource),
            "early_exercise": {
                "american": int(np.count_nonzero(chain.is_american)),
                "matters": int(np.count_nonzero(self.surface.early_exercise.matters)),
                "threshold": EARLY_EXERCISE_MATTERS,
            },
            "iv_bands": band_documents(self.surface, bands),
            "total": {m: _sides(*exposures.total(m)) for m in MEASURES},
            "flip": _flip(self.profile.flip),
            "per_strike_flip": _flip(self.strike_flip),
            "cumulative_flip": _flip(self.running_flip),
            "call_wall": _landmark(self.call_wall),
            "put_wall": _landmark(self.put_wall),
            "max_gamma": _landmark(self.max_gamma),
            "put_call_volume": _ratio(self.volume_ratio),
            "put_call_open_interest": _ratio(self.interest_ratio),
            "buckets": buckets,
            "expiries": self._expiries(bands),
            "strikes": self._strikes(),
            "profile": {
                "level": self.profile.levels.tolist(),
                "gex": self.profile.net.tolist(),
            },
        }

    def _expiries(self, bands: Bands) -> list[dict[str, Any]]:
        terms = self.surface.terms
        dates = new_york_dates(terms.settles_ns)
        nearest = at_the_money(self.surface, bands)
        early = np.bincount(
            self.surface.expiry_index,
            weights=self.surface.early_exercise.matters,
            minlength=terms.settles_ns.size,
        )
        return [
            {
                "date": dates[i].isoformat(),
                "settles": rfc3339(point.settles_ns),
                "days": point.years * 365.0,
                "forward": point.forward,
                "forward_source": ForwardSource(int(terms.source[i])).name.lower(),
                "atm_volatility": point.atm_volatility,
                "expected_move": point.expected_move,
                "straddle": point.straddle,
                "put_wing": point.put_wing,
                "call_wing": point.call_wing,
                "skew": point.skew,
                "iv_band": nearest[i],
                "early_exercise": int(early[i]),
                "max_pain": _landmark(self.max_pain[point.settles_ns]),
                **{m: _row(self.exposures, "by_expiry", m, i) for m in MEASURES},
            }
            for i, point in enumerate(self.terms)
        ]

    def _strikes(self) -> list[dict[str, Any]]:
        ladders = self.exposures.by_strike
        held = np.flatnonzero((ladders["gex"].call != 0) | (ladders["gex"].put != 0))
        # By columns: a chain has thousands of strikes, and each array would be asked for each.
        columns = [
            [
                _sides(call + put, call, put)
                for call, put in zip(
                    ladders[measure].call[held].tolist(),
                    ladders[measure].put[held].tolist(),
                    strict=True,
                )
            ]
            for measure in MEASURES
        ]
        names = ("strike", *MEASURES)
        strikes = self.exposures.strikes[held].tolist()
        return [dict(zip(names, row, strict=True)) for row in zip(strikes, *columns, strict=True)]


def gex_report(
    chain: Chain,
    *,
    now_ns: int,
    curve: RateCurve,
    dividend_yield: float = 0.0,
    convention: SignConvention = CALLS_PLUS_PUTS_MINUS,
    weighting: Weighting = "open_interest",
    prefer: Preference = "computed",
) -> GexReport:
    """Return the report of a chain. Nothing in it is made up: null has a reason beside it.

    Args:
        chain: Quotes; what has settled is counted and left out.
        now_ns: The moment of asking, to tell how old the quotes are.
        curve: Zero rates.
        dividend_yield: Continuous yield for expiries whose forward cannot be read off.
        convention: Which side dealers hold.
        weighting: Contracts open, or traded in the session.
        prefer: Whose delta and gamma to use where both exist.
    """
    surface = surface_of(chain, curve, dividend_yield=dividend_yield, prefer=prefer)
    exposures = exposures_of(surface, convention=convention, weighting=weighting)
    alive = surface.chain
    gex, strikes = exposures.by_strike["gex"], exposures.strikes
    return GexReport(
        surface=surface,
        exposures=exposures,
        profile=profile_of(bells_of(surface, exposures.contracts), alive.spot),
        strike_flip=per_strike_flip(strikes, gex.net, alive.spot),
        running_flip=cumulative_flip(strikes, gex.net, alive.spot),
        call_wall=call_wall(strikes, gex, alive.spot),
        put_wall=put_wall(strikes, gex, alive.spot),
        max_gamma=max_gamma(strikes, gex, alive.spot),
        max_pain=max_pain(alive),
        volume_ratio=put_call_ratio(alive, alive.volume, "volume"),
        interest_ratio=put_call_ratio(alive, alive.open_interest, "open interest"),
        terms=term_structure(surface),
        expired=len(chain) - len(alive),
        age_s=(now_ns - chain.as_of_ns) / 1e9,
    )


def _sides(net: float, call: float, put: float) -> dict[str, float]:
    return {"net": net, "call": call, "put": put}


def _row(exposures: Exposures, keyed: str, measure: Measure, at: int) -> dict[str, float]:
    ladders: dict[Measure, Any] = getattr(exposures, keyed)
    call, put = float(ladders[measure].call[at]), float(ladders[measure].put[at])
    return _sides(call + put, call, put)


def _flip(flip: Flip) -> dict[str, Any]:
    return {"price": flip.price, "reason": flip.reason, "crossings": list(flip.crossings)}


def _landmark(landmark: Landmark) -> dict[str, Any]:
    return {"price": landmark.price, "reason": landmark.reason}


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {"value": ratio.value, "reason": ratio.reason}


def _counts(codes: Any, kind: Any) -> dict[str, int]:
    return {member.name.lower(): int(np.count_nonzero(codes == member)) for member in kind}
