"""Typed answers of the account and order endpoints.

Field names are Schwab's in snake case (schwab-schema.json, schwab-api.md §2.2); what a type does
not know is in `extra`. Amounts and prices are Decimal, in dollars. Account numbers and hashes are
personal: no repr shows them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from infrastructure.schwab.orders.words import TERMINAL_STATUSES
from infrastructure.schwab.wire import Record, WireFormError, build_record


def masked(number: str) -> str:
    """Return the last three digits of an account number, the most that is ever shown."""
    return f"...{number[-3:]}"


class AccountNumber(Record, frozen=True, kw_only=True, rename="camel"):
    """The number of an account, and the hash that stands for it in paths."""

    account_number: str
    hash_value: str

    def __repr__(self) -> str:
        return f"AccountNumber({masked(self.account_number)!r})"


class Instrument(Record, frozen=True, kw_only=True, rename="camel"):
    """What is held or traded."""

    symbol: str | None = None
    asset_type: str | None = None
    type: str | None = None
    cusip: str | None = None
    description: str | None = None
    put_call: str | None = None
    underlying_symbol: str | None = None


class Position(Record, frozen=True, kw_only=True, rename="camel"):
    """One holding; quantities are not negative, shares or contracts."""

    instrument: Instrument
    long_quantity: Decimal | None = None
    short_quantity: Decimal | None = None
    average_price: Decimal | None = None
    market_value: Decimal | None = None
    current_day_profit_loss: Decimal | None = None
    long_open_profit_loss: Decimal | None = None
    short_open_profit_loss: Decimal | None = None


class Balances(Record, frozen=True, kw_only=True, rename="camel"):
    """Amounts of an account; further ones are in `extra`."""

    liquidation_value: Decimal | None = None
    cash_balance: Decimal | None = None
    available_funds: Decimal | None = None
    buying_power: Decimal | None = None
    cash_available_for_trading: Decimal | None = None
    equity: Decimal | None = None


class Account(Record, frozen=True, kw_only=True, rename="camel"):
    """One account.

    Attributes:
        account_number: Personal; shown masked.
        type: CASH or MARGIN.
        positions: Empty where none were asked for.
        current_balances: Now.
        initial_balances: At the start of the day.
        projected_balances: After the open orders.
    """

    account_number: str
    type: str | None = None
    is_day_trader: bool | None = None
    is_closing_only_restricted: bool | None = None
    round_trips: int | None = None
    positions: tuple[Position, ...] = ()
    current_balances: Balances | None = None
    initial_balances: Balances | None = None
    projected_balances: Balances | None = None

    def __repr__(self) -> str:
        return f"Account({masked(self.account_number)!r}, {len(self.positions)} positions)"


class OrderLeg(Record, frozen=True, kw_only=True, rename="camel"):
    """One leg of a placed order."""

    instrument: Instrument
    instruction: str | None = None
    quantity: Decimal | None = None
    leg_id: int | None = None
    position_effect: str | None = None


class PlacedOrder(Record, frozen=True, kw_only=True, rename="camel"):
    """An order as Schwab holds it; an OCO parent has little but children.

    `order_activity_collection` is as decoded; the account number stays in `extra`.
    """

    order_id: int | None = None
    status: str | None = None
    status_description: str | None = None
    order_type: str | None = None
    order_strategy_type: str | None = None
    session: str | None = None
    duration: str | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    quantity: Decimal | None = None
    filled_quantity: Decimal | None = None
    remaining_quantity: Decimal | None = None
    entered_time: str | None = None
    close_time: str | None = None
    cancelable: bool | None = None
    order_leg_collection: tuple[OrderLeg, ...] = ()
    child_order_strategies: tuple[PlacedOrder, ...] = ()
    order_activity_collection: tuple[dict[str, Any], ...] = ()

    def __repr__(self) -> str:
        return f"PlacedOrder({self.order_id}, {self.status!r}, {self.order_type!r})"

    @property
    def is_terminal(self) -> bool:
        """Whether it changes no more."""
        return self.status in TERMINAL_STATUSES


class Validation(Record, frozen=True, kw_only=True, rename="camel"):
    """One message of Schwab's checks."""

    activity_message: str | None = None
    message: str | None = None
    original_severity: str | None = None
    validation_rule_name: str | None = None


class Validations(Record, frozen=True, kw_only=True, rename="camel"):
    """What Schwab's checks of an order say."""

    accepts: tuple[Validation, ...] = ()
    alerts: tuple[Validation, ...] = ()
    rejects: tuple[Validation, ...] = ()
    reviews: tuple[Validation, ...] = ()
    warns: tuple[Validation, ...] = ()


class Preview(Record, frozen=True, kw_only=True, rename="camel"):
    """What Schwab would do with an order; `order_strategy` is as decoded."""

    order_validation_result: Validations | None = None
    order_strategy: dict[str, Any] | None = None
    commission_and_fee: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Preview({self.order_validation_result!r})"


class Transaction(Record, frozen=True, kw_only=True, rename="camel"):
    """One booking; `transfer_items` are as decoded."""

    activity_id: int | None = None
    time: str | None = None
    type: str | None = None
    status: str | None = None
    order_id: int | None = None
    net_amount: Decimal | None = None
    trade_date: str | None = None
    settlement_date: str | None = None
    transfer_items: tuple[dict[str, Any], ...] = ()

    def __repr__(self) -> str:
        return f"Transaction({self.activity_id}, {self.type!r})"


class UserPreference(Record, frozen=True, kw_only=True, rename="camel"):
    """The user's settings; accounts, streamer and offers as decoded, and never in a repr."""

    accounts: tuple[dict[str, Any], ...] = ()
    streamer_info: tuple[dict[str, Any], ...] = ()
    offers: tuple[dict[str, Any], ...] = ()

    def __repr__(self) -> str:
        return f"UserPreference({len(self.accounts)} accounts)"


def parse_account(value: Any, path: str = "$") -> Account:
    """Return the account of a decoded entry; what stands beside it goes into `extra`.

    Raises:
        WireFormError: If it is no account.
    """
    if not isinstance(value, dict):
        raise WireFormError(f"{path}: expected an object, got {type(value).__name__}")
    beside = {key: item for key, item in value.items() if key != "securitiesAccount"}
    account = build_record(Account, value.get("securitiesAccount"), f"{path}.securitiesAccount")
    return msgspec.structs.replace(account, extra={**account.extra, **beside})


def parse_list(value: Any) -> list[Any]:
    """Return a decoded list.

    Raises:
        WireFormError: If it is none.
    """
    if not isinstance(value, list):
        raise WireFormError(f"$: expected a list, got {type(value).__name__}")
    return value


def parse_preference(value: Any) -> UserPreference:
    """Return the preference; the papers say a list, the server sends one object (§0.1)."""
    return build_record(UserPreference, value[0] if isinstance(value, list) and value else value)
