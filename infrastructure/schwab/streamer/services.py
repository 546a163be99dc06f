"""The streamer's services: how each delivers, and what its numbered fields are.

The tables are those of schwab-stream-fields.json, confirmed by frames seen on the wire: a bar of
CHART_EQUITY begins with its sequence, which Schwab's own guide has sixth. Names are Schwab's in
snake case.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, Literal

Kind = Literal["f", "i", "b", "s", "o"]
"""A field's kind: float, integer, boolean, string, or an object of its own."""


class Service(StrEnum):
    """The thirteen services that the streamer serves."""

    LEVELONE_EQUITIES = "LEVELONE_EQUITIES"
    LEVELONE_OPTIONS = "LEVELONE_OPTIONS"
    LEVELONE_FUTURES = "LEVELONE_FUTURES"
    LEVELONE_FUTURES_OPTIONS = "LEVELONE_FUTURES_OPTIONS"
    LEVELONE_FOREX = "LEVELONE_FOREX"
    CHART_EQUITY = "CHART_EQUITY"
    CHART_FUTURES = "CHART_FUTURES"
    SCREENER_EQUITY = "SCREENER_EQUITY"
    SCREENER_OPTION = "SCREENER_OPTION"
    NYSE_BOOK = "NYSE_BOOK"
    NASDAQ_BOOK = "NASDAQ_BOOK"
    OPTIONS_BOOK = "OPTIONS_BOOK"
    ACCT_ACTIVITY = "ACCT_ACTIVITY"


class Delivery(StrEnum):
    """How a service sends what is new."""

    CHANGE = "change"
    """The first update of a key holds every field, later ones only what changed."""
    WHOLE = "whole"
    """Each update replaces the one before."""
    SEQUENCE = "sequence"
    """Each update is an event of its own, counted by `seq`."""


@dataclass(frozen=True, slots=True)
class Field:
    """One numbered field.

    Attributes:
        number: Its number on the wire.
        name: Its name here.
        kind: What its values are.
    """

    number: int
    name: str
    kind: Kind


@dataclass(frozen=True)
class ServiceSpec:
    """Describe one service.

    Attributes:
        service: Which.
        delivery: How it sends.
        fields: Its fields, in the order of their numbers.
        key_limit: Most keys that one connection may hold.
    """

    service: Service
    delivery: Delivery
    fields: tuple[Field, ...]
    key_limit: int

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def names(self) -> dict[str, str]:
        """The fields' names by their numbers as the wire writes them."""
        return {str(field.number): field.name for field in self.fields}

    @cached_property
    def all_numbers(self) -> tuple[int, ...]:
        """Every field's number."""
        return tuple(field.number for field in self.fields)


KEY_LIMIT: Final = 500
"""Keys that Schwab streams per service, as users have measured it."""
SCREENER_KEY_LIMIT: Final = 10

_DELIVERY: Final = {
    Service.LEVELONE_EQUITIES: Delivery.CHANGE,
    Service.LEVELONE_OPTIONS: Delivery.CHANGE,
    Service.LEVELONE_FUTURES: Delivery.CHANGE,
    Service.LEVELONE_FUTURES_OPTIONS: Delivery.CHANGE,
    Service.LEVELONE_FOREX: Delivery.CHANGE,
    Service.CHART_EQUITY: Delivery.SEQUENCE,
    Service.CHART_FUTURES: Delivery.SEQUENCE,
    Service.SCREENER_EQUITY: Delivery.WHOLE,
    Service.SCREENER_OPTION: Delivery.WHOLE,
    Service.NYSE_BOOK: Delivery.WHOLE,
    Service.NASDAQ_BOOK: Delivery.WHOLE,
    Service.OPTIONS_BOOK: Delivery.WHOLE,
    Service.ACCT_ACTIVITY: Delivery.SEQUENCE,
}

_FIELDS: Final = {
    Service.LEVELONE_EQUITIES: (
        "symbol:s bid_price:f ask_price:f last_price:f bid_size:i ask_size:i ask_id:s bid_id:s "
        "total_volume:i last_size:i high_price:f low_price:f close_price:f exchange_id:s "
        "marginable:b description:s last_id:s open_price:f net_change:f high_52week:f "
        "low_52week:f pe_ratio:f annual_dividend_amount:f dividend_yield:f nav:f "
        "exchange_name:s dividend_date:s regular_market_quote:b regular_market_trade:b "
        "regular_market_last_price:f regular_market_last_size:i regular_market_net_change:f "
        "security_status:s mark:f quote_time:i trade_time:i regular_market_trade_time:i "
        "bid_time:i ask_time:i ask_mic_id:s bid_mic_id:s last_mic_id:s net_percent_change:f "
        "regular_market_percent_change:f mark_net_change:f mark_percent_change:f htb_quantity:i "
        "htb_rate:f hard_to_borrow:i shortable:i post_market_net_change:f "
        "post_market_percent_change:f"
    ),
    Service.LEVELONE_OPTIONS: (
        "symbol:s description:s bid_price:f ask_price:f last_price:f high_price:f low_price:f "
        "close_price:f total_volume:i open_interest:i volatility:f money_intrinsic_value:f "
        "expiration_year:i multiplier:f digits:i open_price:f bid_size:i ask_size:i last_size:i "
        "net_change:f strike_price:f contract_type:s underlying:s expiration_month:i "
        "deliverables:s time_value:f expiration_day:i days_to_expiration:i delta:f gamma:f "
        "theta:f vega:f rho:f security_status:s theoretical_option_value:f underlying_price:f "
        "uv_expiration_type:s mark:f quote_time:i trade_time:i exchange:s exchange_name:s "
        "last_trading_day:i settlement_type:s net_percent_change:f mark_net_change:f "
        "mark_percent_change:f implied_yield:f is_penny_pilot:b option_root:s high_52week:f "
        "low_52week:f indicative_ask_price:f indicative_bid_price:f indicative_quote_time:i "
        "exercise_type:s"
    ),
    Service.LEVELONE_FUTURES: (
        "symbol:s bid_price:f ask_price:f last_price:f bid_size:i ask_size:i bid_id:s ask_id:s "
        "total_volume:i last_size:i quote_time:i trade_time:i high_price:f low_price:f "
        "close_price:f exchange_id:s description:s last_id:s open_price:f net_change:f "
        "future_percent_change:f exchange_name:s security_status:s open_interest:i mark:f "
        "tick:f tick_amount:f product:s future_price_format:s future_trading_hours:s "
        "future_is_tradable:b future_multiplier:f future_is_active:b future_settlement_price:f "
        "future_active_symbol:s future_expiration_date:i expiration_style:s ask_time:i "
        "bid_time:i quoted_in_session:b settlement_date:i"
    ),
    Service.LEVELONE_FUTURES_OPTIONS: (
        "symbol:s bid_price:f ask_price:f last_price:f bid_size:i ask_size:i bid_id:s ask_id:s "
        "total_volume:i last_size:i quote_time:i trade_time:i high_price:f low_price:f "
        "close_price:f last_id:s description:s open_price:f open_interest:f mark:f tick:f "
        "tick_amount:f future_multiplier:f future_settlement_price:f underlying_symbol:s "
        "strike_price:f future_expiration_date:i expiration_style:s contract_type:s "
        "security_status:s exchange:s exchange_name:s"
    ),
    Service.LEVELONE_FOREX: (
        "symbol:s bid_price:f ask_price:f last_price:f bid_size:i ask_size:i total_volume:i "
        "last_size:i quote_time:i trade_time:i high_price:f low_price:f close_price:f "
        "exchange:s description:s open_price:f net_change:f percent_change:f exchange_name:s "
        "digits:i security_status:s tick:f tick_amount:f product:s trading_hours:s "
        "is_tradable:b market_maker:s high_52week:f low_52week:f mark:f"
    ),
    Service.CHART_EQUITY: (
        "key:s sequence:i open_price:f high_price:f low_price:f close_price:f volume:f "
        "chart_time:i chart_day:i"
    ),
    Service.CHART_FUTURES: (
        "key:s chart_time:i open_price:f high_price:f low_price:f close_price:f volume:f"
    ),
    Service.SCREENER_EQUITY: ("symbol:s timestamp:i sort_field:s frequency:i items:o"),
    Service.SCREENER_OPTION: ("symbol:s timestamp:i sort_field:s frequency:i items:o"),
    Service.NYSE_BOOK: ("symbol:s market_snapshot_time:i bid_side_levels:o ask_side_levels:o"),
    Service.NASDAQ_BOOK: ("symbol:s market_snapshot_time:i bid_side_levels:o ask_side_levels:o"),
    Service.OPTIONS_BOOK: ("symbol:s market_snapshot_time:i bid_side_levels:o ask_side_levels:o"),
    Service.ACCT_ACTIVITY: ("subscription_key:s account:s message_type:s message_data:s"),
}


def _spec(service: Service) -> ServiceSpec:
    words = [word.split(":") for word in _FIELDS[service].split()]
    fields = tuple(Field(number, name, kind) for number, (name, kind) in enumerate(words))  # type: ignore[arg-type]
    limit = SCREENER_KEY_LIMIT if service.value.startswith("SCREENER") else KEY_LIMIT
    return ServiceSpec(service, _DELIVERY[service], fields, limit)


SPECS: Final[dict[Service, ServiceSpec]] = {service: _spec(service) for service in Service}
"""The description of every service."""
