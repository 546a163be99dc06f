"""Every GET of market data and trading, good and bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from infrastructure.clock import utc_from_ns
from infrastructure.config import Secret
from system.algo_trader.conformance.probe import Probe
from system.algo_trader.conformance.schemas import Side

MARKET: Final = "/marketdata/v1"
TRADER: Final = "/trader/v1"
UNKNOWN: Final = "NOTASYMBOL"
APPLE_CUSIP: Final = "037833100"

_DAY_NS: Final = 86_400 * 1_000_000_000
Who = Literal["user", "stranger", "nobody"]


@dataclass(frozen=True, slots=True)
class RestCase:
    """One question.

    Attributes:
        name: What the report calls it; it holds no value of a person.
        path: With `{hash}`, `{order}`, `{transaction}` where the account's own stand.
        params: The query; `{from}` and `{to}` stand for the last 50 days.
        form: The name of the answer's form.
        side: Whose forms apply.
        status: The expected one.
        who: Who asks.
    """

    name: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    form: str = "ErrorResponse"
    side: Side = "market"
    status: int = 200
    who: Who = "user"


def _market(name: str, path: str, form: str, **params: str) -> RestCase:
    return RestCase(name, MARKET + path, params, form)


def _bad(name: str, path: str, status: int = 400, **params: str) -> RestCase:
    return RestCase(name, MARKET + path, params, status=status)


def _trader(name: str, path: str, form: str, **params: str) -> RestCase:
    return RestCase(name, TRADER + path, params, form, "trader")


def _refused(name: str, path: str, status: int) -> RestCase:
    return RestCase(name, TRADER + path, {}, "ServiceError", "trader", status)


MARKET_CASES: Final = (
    _market("quotes", "/quotes", "QuoteResponse", symbols=f"AAPL,IBM,{UNKNOWN}"),
    _market("quotes, one block", "/quotes", "QuoteResponse", symbols="IBM", indicative="false"),
    _bad("quotes without symbols", "/quotes"),
    _bad("quotes of unknown fields", "/quotes", symbols="AAPL", fields="moon"),
    _market("one quote", "/AAPL/quotes", "QuoteResponse"),
    _bad("one quote, unknown", f"/{UNKNOWN}/quotes", 404),
    _market(
        "option chain",
        "/chains",
        "OptionChain",
        symbol="AAPL",
        strikeCount="2",
        includeUnderlyingQuote="true",
    ),
    _market("option chain, puts", "/chains", "OptionChain", symbol="AAPL", contractType="PUT"),
    _market("expiration chain", "/expirationchain", "ExpirationChain", symbol="AAPL"),
    _market(
        "price history, minutes",
        "/pricehistory",
        "CandleList",
        symbol="AAPL",
        periodType="day",
        period="1",
        frequencyType="minute",
        frequency="30",
        needPreviousClose="true",
    ),
    _market(
        "price history, days",
        "/pricehistory",
        "CandleList",
        symbol="AAPL",
        periodType="month",
        period="1",
        frequencyType="daily",
        frequency="1",
    ),
    _bad(
        "price history, impossible",
        "/pricehistory",
        symbol="AAPL",
        periodType="day",
        frequencyType="monthly",
    ),
    _market("movers", "/movers/$DJI", "Movers"),
    _bad("movers of an old index", "/movers/$SPX.X"),
    _market("markets", "/markets", "Markets", markets="equity,option,bond,future,forex"),
    _bad("markets, unknown", "/markets", markets="moon"),
    _market("one market", "/markets/equity", "Markets"),
    _market(
        "instruments", "/instruments", "Instruments", symbol="AAPL", projection="symbol-search"
    ),
    _market(
        "instruments, fundamental",
        "/instruments",
        "Instruments",
        symbol="AAPL",
        projection="fundamental",
    ),
    _market("instrument by CUSIP", f"/instruments/{APPLE_CUSIP}", "Instruments"),
    RestCase(
        "quotes, bad token",
        f"{MARKET}/quotes",
        {"symbols": "AAPL"},
        "Unauthorized",
        status=401,
        who="stranger",
    ),
    RestCase("quotes, no token", f"{MARKET}/quotes", {"symbols": "AAPL"}, status=400, who="nobody"),
)

_ORDERS: Final = {"fromEnteredTime": "{from}", "toEnteredTime": "{to}"}
_TRADES: Final = {"startDate": "{from}", "endDate": "{to}", "types": "TRADE"}

NUMBERS_CASE: Final = _trader("account numbers", "/accounts/accountNumbers", "[AccountNumberHash]")
TRADER_CASES: Final = (
    _trader("accounts", "/accounts", "[Account]"),
    _trader("accounts with positions", "/accounts", "[Account]", fields="positions"),
    _trader("one account", "/accounts/{hash}", "Account", fields="positions"),
    _trader("orders of all accounts", "/orders", "[Order]", **_ORDERS),
    _trader("orders", "/accounts/{hash}/orders", "[Order]", **_ORDERS),
    _refused("orders without a range", "/accounts/{hash}/orders", 400),
    _trader("one order", "/accounts/{hash}/orders/{order}", "Order"),
    _refused("one order, unknown", "/accounts/{hash}/orders/1", 404),
    _trader("transactions", "/accounts/{hash}/transactions", "[Transaction]", **_TRADES),
    _trader("one transaction", "/accounts/{hash}/transactions/{transaction}", "Transaction"),
)
PREFERENCE_CASE: Final = _trader("user preference", "/userPreference", "UserPreference")
STRANGER_CASE: Final = RestCase(
    "accounts, bad token",
    f"{TRADER}/accounts",
    {},
    "Unauthorized",
    status=401,
    who="stranger",
)


def every_case() -> Iterator[RestCase]:
    """Yield every case in the order in which they are asked."""
    yield from MARKET_CASES
    yield NUMBERS_CASE
    yield from TRADER_CASES
    yield PREFERENCE_CASE
    yield STRANGER_CASE


class RestCases:
    """Ask every case.

    Args:
        probe: Who asks.
        token: The user's access token.
        now_ns: The market's time, nanoseconds UTC.
    """

    def __init__(self, probe: Probe, token: Secret, now_ns: int) -> None:
        self._probe = probe
        self._tokens = {
            "user": token,
            "stranger": Secret("I0.bm90IGEgdG9rZW4.this-is-not-an-access-token@"),
            "nobody": None,
        }
        self._own = {"from": _stamp(now_ns - 50 * _DAY_NS), "to": _stamp(now_ns + _DAY_NS)}

    def run(self) -> Any:
        """Ask them all and return the decoded user preference, None where it had no form."""
        preference = None
        for case in every_case():
            value = self._ask(case)
            self._learn(case, value)
            if case is PREFERENCE_CASE:
                preference = value
        return preference

    def _ask(self, case: RestCase) -> Any:
        missing = [key for key in ("hash", "order", "transaction") if f"{{{key}}}" in case.path]
        missing = [key for key in missing if key not in self._own]
        if missing:
            why = f"there is no {missing[0]} to ask for"
            self._probe.findings.unobserved.append((case.name, why))
            return None
        params = {key: value.format_map(self._own) for key, value in case.params.items()}
        return self._probe.get(
            case.name,
            case.path.format_map(self._own),
            params,
            self._tokens[case.who],
            status=case.status,
            side=case.side,
            form=case.form,
        )

    def _learn(self, case: RestCase, value: Any) -> None:
        """Remember the account's own numbers, for the cases that name one."""
        first = value[0] if isinstance(value, list) and value else None
        if not isinstance(first, dict):
            return
        for name, key, place in (
            (NUMBERS_CASE.name, "hashValue", "hash"),
            ("orders", "orderId", "order"),
            ("transactions", "activityId", "transaction"),
        ):
            if case.name == name and isinstance(first.get(key), str | int):
                self._own[place] = str(first[key])


def _stamp(now_ns: int) -> str:
    return utc_from_ns(now_ns).strftime("%Y-%m-%dT%H:%M:%S.000Z")
