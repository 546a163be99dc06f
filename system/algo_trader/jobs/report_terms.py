"""How a report of a chain is computed: rates, signs, weights and whose Greeks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from infrastructure.errors import UsageError
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.exposure import sign_convention
from system.algo_trader.options.gex import GexReport, gex_report
from system.algo_trader.options.parity import RateCurve


@dataclass(frozen=True, slots=True)
class ReportTerms:
    """Hold what a person may choose about a report; a kept one answers for equal terms only.

    Attributes:
        rates: A continuous zero rate or a curve by years, as text.
        dividend_yield: For expiries whose forward cannot be read off.
        signs: Dealers' side, as text.
        weight: `open_interest` or `volume`.
        greeks: Whose gamma first, `computed` or `vendor`.

    Raises:
        UsageError: If one of them is none of its kind.
    """

    rates: str = "0"
    dividend_yield: float = 0.0
    signs: str = "calls-plus-puts-minus"
    weight: str = "open_interest"
    greeks: str = "computed"

    def __post_init__(self) -> None:
        if self.weight not in ("open_interest", "volume"):
            raise UsageError(
                f"--weight {self.weight!r}", next_step="Expected open_interest or volume."
            )
        if self.greeks not in ("computed", "vendor"):
            raise UsageError(f"--greeks {self.greeks!r}", next_step="Expected computed or vendor.")
        curve_of(self.rates)
        sign_convention(self.signs)

    def report(self, chain: Chain, now_ns: int) -> GexReport:
        """Return the report of a chain.

        Args:
            chain: Its quotes.
            now_ns: The moment of asking, nanoseconds UTC.
        """
        return gex_report(
            chain,
            now_ns=now_ns,
            curve=curve_of(self.rates),
            dividend_yield=self.dividend_yield,
            convention=sign_convention(self.signs),
            weighting="volume" if self.weight == "volume" else "open_interest",
            prefer="vendor" if self.greeks == "vendor" else "computed",
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the terms as plain values for JSON."""
        return asdict(self)


def curve_of(text: str) -> RateCurve:
    """Read `0.05`, or `0.25:0.052,1:0.05` with terms in years.

    Raises:
        UsageError: If it is neither.
    """
    try:
        if ":" not in text:
            return RateCurve.flat(float(text))
        knots = [part.split(":") for part in text.split(",")]
        return RateCurve(tuple(float(t) for t, _ in knots), tuple(float(r) for _, r in knots))
    except ValueError as error:
        raise UsageError(
            f"--rates {text!r} is no rate and no curve",
            next_step="Expected 0.05, or ascending years with rates such as 0.25:0.052,1:0.05.",
        ) from error
