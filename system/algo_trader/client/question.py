"""What is asked of the service, built from the arguments of a client's verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import quote

from infrastructure.errors import NoDataError, UsageError
from infrastructure.exchange.symbology import Option, parse_symbol
from system.algo_trader.client.result import Result

PREFIX: Final = "/api/v1"
ALL_ROWS: Final = 1_000_000
When = str | date | datetime | None


@dataclass(frozen=True, slots=True)
class Question:
    """Name an operation with its parameters.

    Attributes:
        operation: Its name in the service's catalogue.
        path: Where it is asked over HTTP.
        parameters: Those in the query.
        in_path: Those in the path; over Flight they stand with the others.
        is_bulk: Whether its answer may be long.
    """

    operation: str
    path: str
    parameters: dict[str, str]
    in_path: dict[str, str]
    is_bulk: bool = False

    def command(self) -> dict[str, Any]:
        """Return it as the content of a Flight ticket."""
        return {"operation": self.operation, "parameters": {**self.in_path, **self.parameters}}


def quotes(symbols: Sequence[str] | str) -> Question:
    """Ask for the newest quotes."""
    return _plain("quotes", "/quotes", symbols=_joined(symbols))


def history(
    symbol: str,
    timeframe: str = "1d",
    start: When = None,
    end: When = None,
    *,
    session: str | None = None,
    adjustment: str | None = None,
    rolls: str | None = None,
    limit: int = ALL_ROWS,
) -> Question:
    """Ask for bars; without a start for the last ones, as many as the limit says."""
    return _plain(
        "candles", "/candles", is_bulk=True, symbol=symbol, timeframe=timeframe,
        start_time=_instant(start), end_time=_instant(end), session=session,
        adjustment=adjustment, rolls=rolls, limit=limit if start or limit < ALL_ROWS else 10_000,
    )  # fmt: skip


def trades(symbols: Sequence[str] | str, start: When, end: When, kind: str = "trades") -> Question:
    """Ask for stored trades or quotes."""
    if start is None:
        raise UsageError("trades are asked for from an instant on", next_step="Give `start`.")
    return _plain(
        "ticks_historical", "/ticks/historical", is_bulk=True, symbols=_joined(symbols), kind=kind,
        start_time=_instant(start), end_time=_instant(end), limit=ALL_ROWS,
    )  # fmt: skip


def chain(symbol: str, expiry: date | str | None, right: str | None, strikes: int | None,
          at: When) -> Question:  # fmt: skip
    """Ask for an option chain."""
    return _of_symbol(
        "option_chain", "/options/{symbol}", symbol, expiry=expiry, right=right, strikes=strikes,
        at=_instant(at), limit=10_000,
    )  # fmt: skip


def gex(symbol: str, at: When) -> Question:
    """Ask for gamma exposure."""
    return _of_symbol("gex", "/gex/{symbol}", symbol, at=_instant(at))


def gex_history(symbol: str, start: When, end: When, limit: int) -> Question:
    """Ask how exposure went."""
    return _of_symbol(
        "gex_history", "/gex/{symbol}/history", symbol, start_time=_instant(start),
        end_time=_instant(end), limit=limit,
    )  # fmt: skip


def levels(symbol: str, day: date | str | None, session: str | None, pivot: str | None) -> Question:
    """Ask for levels of a day."""
    return _of_symbol("levels", "/levels/{symbol}", symbol, date=day, session=session, pivot=pivot)


def metrics(symbol: str) -> Question:
    """Ask for key figures."""
    return _of_symbol("metrics", "/metrics/{symbol}", symbol)


def quality(symbols: Sequence[str] | str | None, timeframe: str, days: int) -> Question:
    """Ask for coverage and gaps."""
    named = None if symbols is None else _joined(symbols)
    return _plain("quality", "/quality", symbols=named, timeframe=timeframe, days=days)


def option_of(symbol: str) -> Option:
    """Return the contract that a symbol names.

    Raises:
        UsageError: If it names none.
    """
    found = parse_symbol(symbol)
    if not isinstance(found, Option):
        raise UsageError(
            f"{symbol!r} is no option", next_step="Write it as Schwab does: AAPL  260116C00200000."
        )
    return found


def one_contract(found: Result, option: Option) -> dict[str, Any]:
    """Return the row of one contract.

    Raises:
        NoDataError: If the chain does not list it.
    """
    right = str(option.right)[:1].upper()
    for row in found.rows():
        if row["right"] == right and abs(row["strike"] - float(option.strike)) < 1e-9:
            return {**row, "facts": dict(found.facts)}
    raise NoDataError(
        f"the chain of {option.underlying.to_schwab()} does not list {option.to_schwab()}"
    )


def check_tape(found: Result, symbols: Sequence[str] | str, *, sampled: bool) -> Result:
    """Return trades, unless they are no tape and nobody asked for such.

    Raises:
        UsageError: If the source leaves trades out.
    """
    if found.facts.get("is_sampled") and not sampled:
        raise UsageError(
            f"{found.facts['source']} shows changes of the last price of {_joined(symbols)}, not "
            "every trade: figures that need a tape would be wrong",
            next_step="Pass sampled=True to have them all the same, or import a tape.",
        )
    return found


def _plain(operation: str, path: str, *, is_bulk: bool = False, **given: Any) -> Question:
    return Question(operation, PREFIX + path, _texts(given), {}, is_bulk)


def _of_symbol(operation: str, path: str, symbol: str, **given: Any) -> Question:
    where = PREFIX + path.replace("{symbol}", quote(symbol, safe="$/"))
    return Question(operation, where, _texts(given), {"symbol": symbol})


def _texts(given: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in given.items() if value is not None}


def _joined(symbols: Sequence[str] | str) -> str:
    return symbols if isinstance(symbols, str) else ",".join(symbols)


def _instant(when: When) -> str | None:
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise UsageError(f"{when} has no zone", next_step="Give a datetime with a tzinfo.")
        return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return None if when is None else str(when)
