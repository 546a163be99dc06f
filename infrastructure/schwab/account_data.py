"""The account endpoints: numbers, balances, positions, bookings and the user's settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, TypeVar, overload

import msgspec

from infrastructure.clock import utc_from_ns
from infrastructure.errors import NoDataError, UsageError
from infrastructure.logging import register_secret
from infrastructure.schwab.accounts import (
    Account,
    AccountNumber,
    Transaction,
    UserPreference,
    masked,
    parse_account,
    parse_list,
    parse_preference,
)
from infrastructure.schwab.endpoint import Endpoint
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.wire import build_record

ROOT = "/trader/v1"
DAY_NS = 86_400 * 10**9
TRANSACTION_TYPES = (
    "TRADE",
    "RECEIVE_AND_DELIVER",
    "DIVIDEND_OR_INTEREST",
    "ACH_RECEIPT",
    "ACH_DISBURSEMENT",
    "CASH_RECEIPT",
    "CASH_DISBURSEMENT",
    "ELECTRONIC_FUND",
    "WIRE_OUT",
    "WIRE_IN",
    "JOURNAL",
    "MEMORANDUM",
    "MARGIN_CALL",
    "MONEY_MARKET",
    "SMA_ADJUSTMENT",
)
_HASH = re.compile(r"[0-9A-Za-z]{14,128}")
T = TypeVar("T")


class AccountData(Endpoint):
    """Ask for accounts, bookings and the user's settings.

    Args:
        requester: Sends the requests.
    """

    def __init__(self, requester: Requester) -> None:
        super().__init__(requester)
        self._numbers: dict[str, str] = {}

    @overload
    def account_numbers(self, *, raw: Literal[False] = False) -> tuple[AccountNumber, ...]: ...
    @overload
    def account_numbers(self, *, raw: Literal[True]) -> Any: ...
    def account_numbers(self, *, raw: bool = False) -> Any:
        """Return number and hash of every account; the order says nothing."""
        numbers = self._ask("/accounts/accountNumbers", {}, "the account numbers", _numbers, raw)
        for entry in () if raw else numbers:
            register_secret(entry.account_number)
            register_secret(entry.hash_value)
            self._numbers[entry.hash_value] = entry.account_number
        return numbers

    def account_hash(self, account: str | None = None) -> str:
        """Return the hash of an account.

        Args:
            account: Its number, or the last three or more digits; the only account when None.

        Raises:
            UsageError: If none or several fit.
        """
        wanted = account or ""
        if account is not None and len(account) < 3:
            raise UsageError(f"account={account!r} is shorter than three digits")
        fitting = [
            entry.hash_value
            for entry in self.account_numbers()
            if entry.account_number.endswith(wanted) or entry.hash_value == account
        ]
        if len(fitting) == 1:
            return fitting[0]
        named = "" if account is None else f" that end in {masked(wanted)}"
        raise UsageError(
            f"there are {len(fitting)} accounts{named}, expected one",
            next_step="Name the account by more of its digits.",
        )

    @overload
    def accounts(
        self, *, positions: bool = False, raw: Literal[False] = False
    ) -> tuple[Account, ...]: ...
    @overload
    def accounts(self, *, positions: bool = False, raw: Literal[True]) -> Any: ...
    def accounts(self, *, positions: bool = False, raw: bool = False) -> Any:
        """Return every account, with its positions if asked for."""
        return self._ask("/accounts", _positions(positions), "the accounts", _accounts, raw)

    @overload
    def account(
        self, account_hash: str, *, positions: bool = False, raw: Literal[False] = False
    ) -> Account: ...
    @overload
    def account(self, account_hash: str, *, positions: bool = False, raw: Literal[True]) -> Any: ...
    def account(self, account_hash: str, *, positions: bool = False, raw: bool = False) -> Any:
        """Return one account, with its positions if asked for."""
        path = f"/accounts/{checked_hash(account_hash)}"
        return self._ask(path, _positions(positions), "the account", parse_account, raw)

    @overload
    def transactions(
        self,
        account_hash: str,
        *,
        start_ns: int,
        end_ns: int,
        types: tuple[str, ...] = (),
        symbol: str | None = None,
        raw: Literal[False] = False,
    ) -> tuple[Transaction, ...]: ...
    @overload
    def transactions(
        self,
        account_hash: str,
        *,
        start_ns: int,
        end_ns: int,
        types: tuple[str, ...] = (),
        symbol: str | None = None,
        raw: Literal[True],
    ) -> Any: ...
    def transactions(
        self,
        account_hash: str,
        *,
        start_ns: int,
        end_ns: int,
        types: tuple[str, ...] = (),
        symbol: str | None = None,
        raw: bool = False,
    ) -> Any:
        """Return an account's bookings in a time of up to a year, of all types by default."""
        if not start_ns < end_ns or end_ns - start_ns > 366 * DAY_NS:
            raise UsageError("transactions are listed for a time of up to one year, in order")
        unknown = [word for word in types if word not in TRANSACTION_TYPES]
        if unknown:
            raise UsageError(f"types={unknown[0]!r} is none of {', '.join(TRANSACTION_TYPES)}")
        params = {
            "startDate": instant_text(start_ns),
            "endDate": instant_text(end_ns),
            "types": ",".join(types or TRANSACTION_TYPES),
        }
        if symbol is not None:
            params["symbol"] = symbol
        path = f"/accounts/{checked_hash(account_hash)}/transactions"
        return self._ask(path, params, "the transactions", _transactions, raw)

    @overload
    def transaction(
        self, account_hash: str, activity_id: int, *, raw: Literal[False] = False
    ) -> Transaction: ...
    @overload
    def transaction(self, account_hash: str, activity_id: int, *, raw: Literal[True]) -> Any: ...
    def transaction(self, account_hash: str, activity_id: int, *, raw: bool = False) -> Any:
        """Return one booking."""
        path = f"/accounts/{checked_hash(account_hash)}/transactions/{int(activity_id)}"
        return self._ask(path, {}, f"transaction {activity_id}", _transaction, raw)

    @overload
    def user_preference(self, *, raw: Literal[False] = False) -> UserPreference: ...
    @overload
    def user_preference(self, *, raw: Literal[True]) -> Any: ...
    def user_preference(self, *, raw: bool = False) -> Any:
        """Return the user's settings, with the streamer's address."""
        return self._ask("/userPreference", {}, "the user's preference", parse_preference, raw)

    def _ask(
        self, path: str, params: dict[str, str], what: str, parse: Callable[[Any], T], raw: bool
    ) -> Any:
        answer = self._requester.get(f"{ROOT}{path}", params, what=what)
        return self._parsed(
            answer,
            msgspec.json.decode if raw else lambda body: parse(msgspec.json.decode(body)),
        )


def checked_hash(account_hash: str) -> str:
    """Return an account's hash.

    Raises:
        UsageError: If it is an account's number, or no hash.
    """
    if _HASH.fullmatch(account_hash) is None or account_hash.isdigit():
        raise UsageError(
            "an account is named by its hash in requests, not by its number",
            next_step="Look it up with account_hash(number).",
        )
    register_secret(account_hash)
    return account_hash


def instant_text(ns: int) -> str:
    """Return an instant as the trader endpoints take it: 2025-03-07T22:34:50.000Z."""
    moment: datetime = utc_from_ns(ns)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _positions(wanted: bool) -> dict[str, str]:
    return {"fields": "positions"} if wanted else {}


def _numbers(value: Any) -> tuple[AccountNumber, ...]:
    return tuple(build_record(AccountNumber, entry) for entry in parse_list(value))


def _accounts(value: Any) -> tuple[Account, ...]:
    return tuple(parse_account(entry) for entry in parse_list(value))


def _transactions(value: Any) -> tuple[Transaction, ...]:
    return tuple(build_record(Transaction, entry) for entry in parse_list(value))


def _transaction(value: Any) -> Transaction:
    entries = value if isinstance(value, list) else [value]
    if not entries:
        raise NoDataError("Schwab has no such transaction")
    return build_record(Transaction, entries[0])
