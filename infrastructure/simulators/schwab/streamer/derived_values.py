"""Level-one fields of invented options, futures, futures options and forex pairs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from infrastructure.exchange.symbols import Forex, Option
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.option_value import OptionValue, option_value

OPTIONS: Final = "LEVELONE_OPTIONS"
FUTURES: Final = "LEVELONE_FUTURES"
FUTURES_OPTIONS: Final = "LEVELONE_FUTURES_OPTIONS"
FOREX: Final = "LEVELONE_FOREX"
VOLATILITY: Final = 0.3
RATE: Final = 0.01

_LOT: Final = 10
_LOTS_TRADED: Final = 5


@dataclass(frozen=True, slots=True)
class Quote:
    """One invented quote.

    Attributes:
        last: Last price, also the mark.
        tick: Distance of bid and ask from it.
        base: The close before.
        volume: Contracts or units traded so far today.
        time_ms: When.
    """

    last: float
    tick: float
    base: float
    volume: int
    time_ms: int

    @property
    def common(self) -> dict[str, Any]:
        """Return what every level-one service shows."""
        return {
            "bidPrice": round(max(self.last - self.tick, 0.0), 10),
            "askPrice": round(self.last + self.tick, 10),
            "lastPrice": self.last,
            "bidSize": _LOT,
            "askSize": _LOT,
            "totalVolume": self.volume,
            "lastSize": _LOTS_TRADED,
            "highPrice": max(self.last, self.base),
            "lowPrice": min(self.last, self.base),
            "closePrice": self.base,
            "openPrice": self.base,
            "quoteTime": self.time_ms,
            "tradeTime": self.time_ms,
            "mark": self.last,
            "securityStatus": "Normal",
        }

    @property
    def change(self) -> float:
        """Return the change since the close before."""
        return round(self.last - self.base, 10)


def priced(option: Option, spot: float, today: date) -> OptionValue:
    """Return the value of an equity option at the simulator's one volatility."""
    years = (option.expiry - today).days / 365
    strike = float(option.strike)
    return option_value(spot, strike, years, VOLATILITY, RATE, is_call=option.right == "C")


def option_fields(
    option: Option, spot: float, value: OptionValue, quote: Quote, today: date
) -> dict[str, Any]:
    """Return LEVELONE_OPTIONS by number."""
    strike = float(option.strike)
    inside = spot - strike if option.right == "C" else strike - spot
    intrinsic = max(0.0, inside)
    return service_forms()[OPTIONS].filled(
        quote.common
        | {
            "description": f"{option.root} {option.expiry:%m/%d/%Y} {strike:.2f} {option.right}",
            "volatility": VOLATILITY * 100,
            "moneyIntrinsicValue": round(inside, 4),
            "expirationYear": option.expiry.year,
            "multiplier": 100.0,
            "digits": 2,
            "netChange": quote.change,
            "strikePrice": strike,
            "contractType": str(option.right),
            "underlying": option.root,
            "expirationMonth": option.expiry.month,
            "deliverables": f"100 {option.root}",
            "timeValue": round(max(0.0, quote.last - intrinsic), 4),
            "expirationDay": option.expiry.day,
            "daysToExpiration": (option.expiry - today).days,
            "delta": round(value.delta, 6),
            "gamma": round(value.gamma, 6),
            "theta": round(value.theta, 6),
            "vega": round(value.vega, 6),
            "rho": round(value.rho, 6),
            "theoreticalOptionValue": round(value.value, 6),
            "underlyingPrice": spot,
            "exchange": "o",
            "exchangeName": "OPR",
            "settlementType": "P",
            "netPercentChange": round(100 * quote.change / quote.base, 6) if quote.base else 0.0,
            "markNetChange": quote.change,
            "isPennyPilot": True,
            "optionRoot": option.root,
            "exerciseType": "A",
        }
    )


def future_fields(
    product: str, active: str, name: str, multiplier: float, tick_size: float, quote: Quote
) -> dict[str, Any]:
    """Return LEVELONE_FUTURES by number."""
    return service_forms()[FUTURES].filled(
        quote.common
        | {
            "bidId": "?",
            "askId": "?",
            "exchangeId": "@",
            "description": name,
            "lastId": "?",
            "netChange": quote.change,
            # A share of the close, no percent. [O]
            "futurePercentChange": round(quote.change / quote.base, 10) if quote.base else 0.0,
            "exchangeName": "XCME",
            "tick": tick_size,
            "tickAmount": round(tick_size * multiplier, 10),
            "product": product,
            "futureIsTradable": True,
            "futureMultiplier": multiplier,
            "futureIsActive": True,
            "futureSettlementPrice": quote.base,
            "futureActiveSymbol": active,
            "askTime": quote.time_ms,
            "bidTime": quote.time_ms,
            "quotedInSession": True,
        }
    )


def future_option_fields(
    underlying: str, strike: float, right: str, multiplier: float, quote: Quote
) -> dict[str, Any]:
    """Return LEVELONE_FUTURES_OPTIONS by number."""
    return service_forms()[FUTURES_OPTIONS].filled(
        quote.common
        | {
            "bidId": "?",
            "askId": "?",
            "lastId": "?",
            "description": f"Simulated option on {underlying}",
            "tick": quote.tick,
            "tickAmount": round(quote.tick * multiplier, 10),
            "futureMultiplier": multiplier,
            "futureSettlementPrice": quote.base,
            "underlyingSymbol": underlying,
            "strikePrice": strike,
            "contractType": right,
            "exchange": "@",
            "exchangeName": "XCME",
        }
    )


def forex_fields(pair: Forex, quote: Quote) -> dict[str, Any]:
    """Return LEVELONE_FOREX by number."""
    return service_forms()[FOREX].filled(
        quote.common
        | {
            "exchange": "T",
            "description": f"{pair.base}/{pair.quote} simulated spot",
            "netChange": quote.change,
            "percentChange": round(100 * quote.change / quote.base, 6) if quote.base else 0.0,
            "exchangeName": "GFT",
            "digits": 5,
            "tick": quote.tick,
            "isTradable": True,
            "marketMaker": "GFT",
        }
    )
