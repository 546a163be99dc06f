"""The forms that answers are compared with: Schwab's schemas, as live accounts correct them.

`wire_schema.json` is Schwab's own papers; what stands here is where live accounts are seen to
differ, and which keys every answer has. Kinds: f number, i integer, s string, b boolean, any,
`Name` another form, `[x]` a list of x, `{x}` an object whose every value is x.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal

from infrastructure.simulators.schwab.wire_forms import wire_schema

Side = Literal["market", "trader", "token"]
Form = dict[str, Any]

_KINDS: Final = {"f": "number", "i": "integer", "s": "string", "b": "boolean"}
_REFERENCE: Final = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Observed:
    """How live accounts show one form.

    Attributes:
        add: Keys and their kinds, in one text: `bid:f ask:f`.
        drop: Keys of the papers that live accounts do not show.
        required: Keys that every answer has.
        null: Keys that may be null.
        variants: A key, and the form for each of its values.
        other: The kind of every further key.
        enums: Further values of a key's enumeration.
    """

    add: str = ""
    drop: str = ""
    required: str = ""
    null: str = ""
    variants: tuple[str, Mapping[str, str]] | None = None
    other: str = ""
    enums: Mapping[str, str] = field(default_factory=dict)


_CONTRACT_KEYS: Final = (
    "putCall symbol description exchangeName bid ask last mark bidSize askSize bidAskSize lastSize "
    "highPrice lowPrice openPrice closePrice totalVolume tradeTimeInLong quoteTimeInLong netChange "
    "volatility delta gamma theta vega rho openInterest timeValue theoreticalOptionValue "
    "theoreticalVolatility optionDeliverablesList strikePrice expirationDate daysToExpiration "
    "expirationType lastTradingDay multiplier settlementType deliverableNote percentChange "
    "markChange markPercentChange intrinsicValue extrinsicValue optionRoot exerciseType high52Week "
    "low52Week nonStandard pennyPilot inTheMoney mini"
)
_QUOTE_KEYS: Final = (
    "52WeekHigh 52WeekLow askPrice askSize bidPrice bidSize closePrice highPrice lastPrice "
    "lastSize lowPrice mark netChange netPercentChange openPrice quoteTime securityStatus "
    "totalVolume tradeTime"
)
_MORE_BALANCES: Final = (
    "accruedInterest:f cashBalance:f cashReceipts:f longOptionMarketValue:f liquidationValue:f "
    "longMarketValue:f moneyMarketFund:f savings:f shortMarketValue:f pendingDeposits:f "
    "mutualFundValue:f bondValue:f shortOptionMarketValue:f isInCall:b"
)
_CURRENT: Final = "cashBalance cashReceipts liquidationValue longMarketValue"

OBSERVED: Final[dict[Side, dict[str, Observed]]] = {
    "market": {
        "QuoteResponse": Observed(add="errors:QuoteError", other="QuoteResponseObject"),
        "QuoteResponseObject": Observed(
            variants=(
                "assetMainType",
                {
                    "EQUITY": "EquityResponse",
                    "OPTION": "OptionResponse",
                    "FOREX": "ForexResponse",
                    "FUTURE": "FutureResponse",
                    "FUTURE_OPTION": "FutureOptionResponse",
                    "INDEX": "IndexResponse",
                    "MUTUAL_FUND": "MutualFundResponse",
                },
            )
        ),
        "EquityResponse": Observed(required="assetMainType quote realtime reference ssid symbol"),
        "QuoteEquity": Observed(
            add="postMarketChange:f postMarketPercentChange:f", required=_QUOTE_KEYS
        ),
        "ReferenceEquity": Observed(required="cusip description exchange exchangeName"),
        "RegularMarket": Observed(
            required="regularMarketLastPrice regularMarketLastSize regularMarketNetChange "
            "regularMarketPercentChange regularMarketTradeTime"
        ),
        "Fundamental": Observed(
            add="lastEarningsDate:s", required="avg10DaysVolume avg1YearVolume"
        ),
        "CandleList": Observed(required="candles symbol empty"),
        "Candle": Observed(required="open high low close volume datetime"),
        "OptionChain": Observed(
            add="dividendYield:f numberOfContracts:i assetMainType:s assetSubType:s "
            "isChainTruncated:b",
            required="symbol status strategy interval isDelayed isIndex interestRate "
            "underlyingPrice volatility daysToExpiration numberOfContracts callExpDateMap "
            "putExpDateMap",
            null="underlying",
        ),
        "OptionContractMap": Observed(other="[OptionContract]"),
        "OptionContract": Observed(
            add="bid:f ask:f last:f mark:f bidAskSize:s extrinsicValue:f high52Week:f "
            "low52Week:f exerciseType:ExerciseType inTheMoney:b mini:b nonStandard:b pennyPilot:b "
            "tradeDate:any",
            drop="bidPrice askPrice lastPrice markPrice isInTheMoney isIndexOption isMini "
            "isNonStandard isPennyPilot",
            required=_CONTRACT_KEYS,
        ),
        "OptionDeliverables": Observed(
            add="deliverableUnits:f", required="symbol assetType deliverableUnits"
        ),
        "Underlying": Observed(required="symbol description ask bid last mark close quoteTime"),
        "ExpirationChain": Observed(required="expirationList"),
        "Expiration": Observed(
            add="expirationDate:s",
            drop="expiration",
            required="expirationDate daysToExpiration expirationType settlementType optionRoots "
            "standard",
        ),
        "Movers": Observed(add="screeners:[Mover]", required="screeners"),
        "Mover": Observed(
            add="description:s volume:i lastPrice:f netChange:f marketShare:f totalVolume:i "
            "trades:i netPercentChange:f symbol:s",
            required="description volume lastPrice netChange marketShare totalVolume trades "
            "netPercentChange symbol",
        ),
        "Markets": Observed(other="Market"),
        "Market": Observed(other="Hours"),
        "Hours": Observed(required="date marketType product isOpen"),
        "Interval": Observed(required="start end"),
        "Instruments": Observed(add="instruments:[InstrumentResponse]", required="instruments"),
        "InstrumentResponse": Observed(required="cusip symbol description exchange assetType"),
        "FundamentalInst": Observed(required="symbol high52 low52"),
        "ErrorResponse": Observed(required="errors"),
        "Error": Observed(required="id status title"),
        "Unauthorized": Observed(add="errors:[UnauthorizedError]", required="errors"),
        "UnauthorizedError": Observed(
            add="id:s status:i title:s detail:s", required="id status title detail"
        ),
    },
    "trader": {
        "AccountNumbers": Observed(add="", other="AccountNumberHash"),
        "AccountNumberHash": Observed(required="accountNumber hashValue"),
        "Account": Observed(
            add="aggregatedBalance:AggregatedBalance",
            required="securitiesAccount aggregatedBalance",
        ),
        "AggregatedBalance": Observed(
            add="currentLiquidationValue:f liquidationValue:f",
            required="currentLiquidationValue liquidationValue",
        ),
        "SecuritiesAccount": Observed(
            variants=("type", {"CASH": "CashAccount", "MARGIN": "MarginAccount"})
        ),
        "SecuritiesAccountBase": Observed(
            required="type accountNumber roundTrips isDayTrader isClosingOnlyRestricted pfcbFlag"
        ),
        "MarginAccount": Observed(
            add="currentBalances:CurrentMargin initialBalances:MarginInitialBalance "
            "projectedBalances:MarginBalance",
            required="currentBalances initialBalances projectedBalances",
        ),
        "CashAccount": Observed(
            add="currentBalances:CurrentCash initialBalances:CashInitialBalance "
            "projectedBalances:CashBalance",
            required="currentBalances initialBalances projectedBalances",
        ),
        "CurrentMargin": Observed(add=f"{_MORE_BALANCES} *MarginBalance", required=_CURRENT),
        "CurrentCash": Observed(add=f"{_MORE_BALANCES} *CashBalance", required=_CURRENT),
        "MarginBalance": Observed(add="isInCall:b"),
        "CashBalance": Observed(add="isInCall:b"),
        "MarginInitialBalance": Observed(add="isInCall:b", required="liquidationValue isInCall"),
        "CashInitialBalance": Observed(add="isInCall:b", required="liquidationValue isInCall"),
        "Position": Observed(
            required="longQuantity shortQuantity averagePrice marketValue instrument"
        ),
        "AccountsInstrument": Observed(
            variants=(
                "assetType",
                {
                    "CASH_EQUIVALENT": "AccountCashEquivalent",
                    "COLLECTIVE_INVESTMENT": "AccountCollectiveInvestment",
                    "EQUITY": "AccountEquity",
                    "FIXED_INCOME": "AccountFixedIncome",
                    "MUTUAL_FUND": "AccountMutualFund",
                    "OPTION": "AccountOption",
                },
            )
        ),
        "AccountCollectiveInvestment": Observed(
            add="type:s *AccountsBaseInstrument", required="assetType symbol"
        ),
        "AccountsBaseInstrument": Observed(required="assetType symbol"),
        "Order": Observed(required="orderStrategyType"),
        "OrderLegCollection": Observed(
            required="orderLegType legId instrument instruction quantity"
        ),
        "OrderActivity": Observed(
            add="activityId:i",
            required="activityType quantity executionLegs",
            enums={"executionType": "CANCELED"},
        ),
        "ExecutionLeg": Observed(required="legId quantity price time"),
        "TransactionInstrument": Observed(
            variants=(
                "assetType",
                {
                    "CASH_EQUIVALENT": "TransactionCashEquivalent",
                    "COLLECTIVE_INVESTMENT": "CollectiveInvestment",
                    "CURRENCY": "Currency",
                    "EQUITY": "TransactionEquity",
                    "FIXED_INCOME": "TransactionFixedIncome",
                    "FOREX": "Forex",
                    "FUTURE": "Future",
                    "INDEX": "Index",
                    "MUTUAL_FUND": "TransactionMutualFund",
                    "OPTION": "TransactionOption",
                    "PRODUCT": "Product",
                },
            )
        ),
        "TransactionBaseInstrument": Observed(
            add="status:s closingPrice:f", required="assetType symbol"
        ),
        "Transaction": Observed(
            required="activityId time accountNumber type status netAmount transferItems"
        ),
        "TransferItem": Observed(required="instrument amount"),
        "UserPreference": Observed(required="accounts streamerInfo offers"),
        "UserPreferenceAccount": Observed(
            required="accountNumber primaryAccount type displayAcctId"
        ),
        "StreamerInfo": Observed(
            required="streamerSocketUrl schwabClientCustomerId schwabClientCorrelId "
            "schwabClientChannel schwabClientFunctionId"
        ),
        "Offer": Observed(required="level2Permissions mktDataPermission"),
        "ServiceError": Observed(required="message"),
    },
    "token": {
        "Token": Observed(
            add="expires_in:i token_type:s scope:s refresh_token:s access_token:s id_token:s",
            required="expires_in token_type scope refresh_token access_token id_token",
        ),
        "TokenError": Observed(
            add="error:s error_description:s", required="error error_description"
        ),
    },
}


@cache
def schemas(side: Side) -> dict[str, Form]:
    """Return the forms of one side by name; treat them as read-only."""
    forms: dict[str, Form] = {}
    if side != "token":
        forms = copy.deepcopy(wire_schema()["schemas"][side])
    for name, observed in OBSERVED[side].items():
        forms[name] = _corrected(forms.get(name, {"type": "object", "properties": {}}), observed)
    for name, form in forms.items():
        forms[name] = _whole(form, forms)
    return forms


def form_of(side: Side, name: str) -> Form:
    """Return a form by its name, or by `[Name]` for a list of it.

    Raises:
        KeyError: If there is none of this name.
    """
    if name.startswith("["):
        return {"type": "array", "items": form_of(side, name[1:-1])}
    return schemas(side)[name]


def _corrected(form: Form, observed: Observed) -> Form:
    corrected = copy.deepcopy(form)
    corrected.pop("required", None)
    properties = corrected.setdefault("properties", {})
    for key in observed.drop.split():
        properties.pop(key, None)
    for word in observed.add.split():
        if word.startswith("*"):
            corrected.setdefault("allOf", []).append({"$ref": _REFERENCE + word[1:]})
            continue
        key, _, kind = word.partition(":")
        properties[key] = _kind(kind)
    for key in observed.null.split():
        properties[key] = properties[key] | {"nullable": True}
    for key, more in observed.enums.items():
        properties[key] = properties[key] | {"enum": [*properties[key]["enum"], *more.split()]}
    if observed.other:
        corrected["additionalProperties"] = _kind(observed.other)
    if observed.variants is not None:
        corrected["variants"] = observed.variants
    if observed.required:
        corrected["required"] = observed.required.split()
    return corrected


def _kind(word: str) -> Form:
    if word in _KINDS:
        return {"type": _KINDS[word]}
    if word == "any":
        return {"nullable": True}
    if word.startswith("["):
        return {"type": "array", "items": _kind(word[1:-1])}
    if word.startswith("{"):
        return {"type": "object", "additionalProperties": _kind(word[1:-1])}
    return {"$ref": _REFERENCE + word}


def _whole(form: Form, forms: dict[str, Form]) -> Form:
    """Return a form with the keys of those that it extends; its own win."""
    parents = [
        _whole(forms[part["$ref"].rpartition("/")[2]], forms) for part in form.get("allOf", ())
    ]
    if not parents:
        return form
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parent in (*parents, form):
        properties |= parent.get("properties", {})
        required += parent.get("required", ())
    rest = {key: value for key, value in form.items() if key not in ("allOf", "discriminator")}
    return rest | {"type": "object", "properties": properties, "required": required}
