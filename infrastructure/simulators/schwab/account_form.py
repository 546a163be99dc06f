"""Accounts, positions and transactions as live accounts see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from infrastructure.matching.market_quote import MarketQuote
from infrastructure.simulators.schwab.account import Account, Trade, shares_in
from infrastructure.simulators.schwab.listings import listing
from infrastructure.simulators.schwab.order_form import instrument_form, stamp

FEES = ("COMMISSION", "SEC_FEE", "OPT_REG_FEE", "TAF_FEE")


def account_form(
    account: Account, quotes: Mapping[str, MarketQuote], with_positions: bool
) -> dict[str, Any]:
    """Return an account with its sibling `aggregatedBalance`. [O]"""
    long = float(account.market_value(quotes, 1))
    short = float(account.market_value(quotes, -1))
    worth = float(account.cash) + long + short
    power = float(account.buying_power(quotes))
    current: dict[str, Any] = {
        "accruedInterest": 0.0,
        "cashBalance": float(account.cash),
        "cashReceipts": 0.0,
        "longOptionMarketValue": 0.0,
        "liquidationValue": worth,
        "longMarketValue": long,
        "moneyMarketFund": 0.0,
        "savings": 0.0,
        "shortMarketValue": short,
        "pendingDeposits": 0.0,
        "mutualFundValue": 0.0,
        "bondValue": 0.0,
        "shortOptionMarketValue": 0.0,
    }
    if account.kind == "MARGIN":
        current |= {
            "availableFunds": power / 2,
            "availableFundsNonMarginableTrade": power / 2,
            "buyingPower": power,
            "buyingPowerNonMarginableTrade": power / 2,
            "dayTradingBuyingPower": 2 * power,
            "equity": worth,
            "equityPercentage": 100.0 if long == 0 else round(worth / long * 100, 2),
            "longMarginValue": long,
            "maintenanceCall": 0.0,
            "maintenanceRequirement": 0.3 * long,
            "marginBalance": min(float(account.cash), 0.0),
            "regTCall": 0.0,
            "shortBalance": 0.0,
            "shortMarginValue": short,
            "sma": power / 2,
        }
    else:
        current |= {
            "cashAvailableForTrading": float(account.cash),
            "cashAvailableForWithdrawal": float(account.cash),
            "cashCall": 0.0,
            "longNonMarginableMarketValue": long,
            "totalCash": float(account.cash),
            "cashDebitCallValue": 0.0,
            "unsettledCash": 0.0,
        }
    projected: dict[str, Any] = {"isInCall": False}
    if account.kind == "MARGIN":
        projected |= {"availableFunds": power / 2, "buyingPower": power}
    else:
        cash = float(account.cash)
        projected |= {"cashAvailableForTrading": cash, "cashAvailableForWithdrawal": cash}
    inside: dict[str, Any] = {
        "type": account.kind,
        "accountNumber": account.number,
        "roundTrips": 0,
        "isDayTrader": False,
        "isClosingOnlyRestricted": False,
        "pfcbFlag": False,
        "initialBalances": {
            "accountValue": worth,
            "cashBalance": float(account.cash),
            "isInCall": False,
            "liquidationValue": worth,
        },
        "currentBalances": current,
        "projectedBalances": projected,
    }
    if with_positions and account.positions:
        inside["positions"] = [_position(account, symbol, quotes) for symbol in account.positions]
    return {
        "securitiesAccount": inside,
        "aggregatedBalance": {"currentLiquidationValue": worth, "liquidationValue": worth},
    }


def _position(account: Account, symbol: str, quotes: Mapping[str, MarketQuote]) -> dict[str, Any]:
    held = account.positions[symbol]
    quote = quotes.get(symbol)
    mark = None if quote is None else quote.price("MARK")
    average = float(abs(held.cost / held.quantity)) / shares_in(symbol)
    worth = float(held.cost) if mark is None else float(mark) * held.quantity * shares_in(symbol)
    is_long = held.quantity > 0
    quantity = float(abs(held.quantity))
    listed = listing(symbol, 0)
    kind = "OPTION" if shares_in(symbol) > 1 else "EQUITY"
    instrument = instrument_form(symbol, kind)
    if listed.is_fund:
        # A position calls a fund otherwise than a quote does. [O]
        instrument |= {"assetType": "COLLECTIVE_INVESTMENT", "type": "EXCHANGE_TRADED_FUND"}
    return {
        "shortQuantity": 0.0 if is_long else quantity,
        "averagePrice": average,
        "currentDayProfitLoss": worth - float(held.cost),
        "currentDayProfitLossPercentage": 0.0,
        "longQuantity": quantity if is_long else 0.0,
        "settledLongQuantity": 0.0,
        "settledShortQuantity": 0.0,
        "instrument": instrument,
        "marketValue": worth,
        "maintenanceRequirement": 0.3 * abs(worth),
        ("averageLongPrice" if is_long else "averageShortPrice"): average,
        ("longOpenProfitLoss" if is_long else "shortOpenProfitLoss"): worth - float(held.cost),
        "currentDayCost": float(held.cost),
    }


def transaction_form(account: Account, trade: Trade) -> dict[str, Any]:
    """Return one trade as a transaction; its fee rows are always there. [O]"""
    kind = "OPTION" if shares_in(trade.symbol) > 1 else "EQUITY"
    dollars = {
        "assetType": "CURRENCY",
        "status": "ACTIVE",
        "symbol": "CURRENCY_USD",
        "description": "USD currency",
        "instrumentId": 1,
        "closingPrice": 0.0,
    }
    fees = [{"instrument": dollars, "amount": 0.0, "cost": 0.0, "feeType": fee} for fee in FEES]
    shares = instrument_form(trade.symbol, kind)
    if kind == "EQUITY":
        shares |= {"type": "COMMON_STOCK", "status": "ACTIVE"}
    return {
        "activityId": trade.activity_id,
        "time": stamp(trade.ns),
        "accountNumber": account.number,
        "type": "TRADE",
        "status": "VALID",
        "subAccount": account.kind,
        "tradeDate": stamp(trade.ns),
        "positionId": trade.activity_id,
        "orderId": trade.order_id,
        "netAmount": float(trade.net),
        "transferItems": [
            *fees,
            {
                "instrument": shares,
                "amount": float(trade.quantity),
                "cost": float(trade.net),
                "price": float(trade.price),
                "positionEffect": "OPENING" if trade.is_opening else "CLOSING",
            },
        ],
    }


def moment_ns(text: str) -> int | None:
    """Read an ISO time with or without milliseconds, None when it is none. [C]"""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000_000)
