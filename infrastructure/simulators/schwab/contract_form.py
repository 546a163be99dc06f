"""One option contract as live accounts see it in a chain."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from infrastructure.clock import rfc3339
from infrastructure.exchange.option_expiry import (
    is_monthly_expiry,
    last_trade_ns,
    settlement_ns,
    settlement_of,
)
from infrastructure.simulators.schwab.option_surface import Contract

NO_NUMBER: Final = -999.0
MULTIPLIER: Final = 100.0

_NS_PER_MS: Final = 1_000_000
_THEORETICAL_VOLATILITY: Final = 29.0


def contract_form(contract: Contract, spot: float, days: int, now_ns: int) -> dict[str, Any]:
    """Return the observed keys: `bid ask last mark`, not the published `bidPrice`. [O]

    Args:
        contract: The quote.
        spot: The underlying's price in dollars.
        days: Until it expires.
        now_ns: When it is quoted, nanoseconds UTC.

    What has no number is -999, as some report. [?] `theoreticalVolatility` is 29 always. [O]
    """
    option, worth = contract.option, contract.value
    strike = float(option.strike)
    is_call = option.right == "C"
    inside = max(spot - strike if is_call else strike - spot, 0.0)
    mark = round((contract.bid + contract.ask) / 2, 4)
    last = contract.last or 0.0
    is_index = option.underlying.to_schwab().startswith("$")
    expiry = option.expiry
    root = option.root
    now_ms = now_ns // _NS_PER_MS
    return {
        "putCall": "CALL" if is_call else "PUT",
        "symbol": option.to_schwab(),
        "description": f"{root} {expiry:%m/%d/%Y} {strike:.2f} {option.right}",
        "exchangeName": "OPR",
        "bid": contract.bid,
        "ask": contract.ask,
        "last": last,
        "mark": mark,
        "bidSize": contract.bid_size,
        "askSize": contract.ask_size,
        "bidAskSize": f"{contract.bid_size}X{contract.ask_size}",
        "lastSize": 0,
        "highPrice": 0.0,
        "lowPrice": 0.0,
        "openPrice": 0.0,
        "closePrice": last,
        "totalVolume": contract.volume,
        "tradeTimeInLong": now_ms,
        "quoteTimeInLong": now_ms,
        "netChange": 0.0,
        "volatility": NO_NUMBER if contract.vol is None else round(contract.vol * 100, 3),
        "delta": _number(None if worth is None else worth.delta),
        "gamma": _number(None if worth is None else worth.gamma),
        "theta": _number(None if worth is None else worth.theta),
        "vega": _number(None if worth is None else worth.vega),
        "rho": _number(None if worth is None else worth.rho),
        "openInterest": contract.open_interest,
        "timeValue": round(mark - inside, 4),
        "theoreticalOptionValue": _number(None if worth is None else worth.price),
        "theoreticalVolatility": _THEORETICAL_VOLATILITY,
        "optionDeliverablesList": [
            {"symbol": root, "assetType": "STOCK", "deliverableUnits": MULTIPLIER}
        ],
        "strikePrice": strike,
        "expirationDate": rfc3339(settlement_ns(option)).replace("Z", ".000+00:00"),
        "daysToExpiration": days,
        "expirationType": "S" if is_monthly_expiry(expiry) else "W",
        "lastTradingDay": last_trade_ns(option) // _NS_PER_MS,
        "multiplier": MULTIPLIER,
        "settlementType": settlement_of(option)[0],
        "deliverableNote": f"100 {root}",
        "percentChange": 0.0,
        "markChange": round(mark - last, 4),
        "markPercentChange": round((mark / last - 1) * 100, 2) if last else 0.0,
        "intrinsicValue": round(inside, 4),
        "extrinsicValue": round(mark - inside, 4),
        "optionRoot": root,
        "exerciseType": "E" if is_index else "A",
        "high52Week": 0.0,
        "low52Week": 0.0,
        "nonStandard": option.is_adjusted,
        "pennyPilot": not is_index,
        "inTheMoney": inside > 0,
        "mini": False,
    }


def _number(value: float | None) -> float:
    return round(value, 6) if value is not None and isfinite(value) else NO_NUMBER
