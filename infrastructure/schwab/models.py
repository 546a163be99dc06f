"""Typed answers of the market-data endpoints, candles apart.

Field names are Schwab's, in snake case; sources: schwab-schema.json, and schwab-api.md §2.1 where
live answers differ. Prices are in the instrument's currency, sizes in shares or contracts, times in
milliseconds UTC as on the wire (`*_time`), and what Schwab does not send is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from infrastructure.clock import parse_rfc3339
from infrastructure.schwab.wire import Record, WireFormError, build_record


class QuoteBlock(Record, frozen=True, kw_only=True, rename="camel"):
    """The prices of a quote; which are present depends on the asset class."""

    ask_price: float | None = None
    ask_size: int | None = None
    ask_time: int | None = None
    ask_mic_id: str | None = msgspec.field(default=None, name="askMICId")
    bid_price: float | None = None
    bid_size: int | None = None
    bid_time: int | None = None
    bid_mic_id: str | None = msgspec.field(default=None, name="bidMICId")
    last_price: float | None = None
    last_size: int | None = None
    last_mic_id: str | None = msgspec.field(default=None, name="lastMICId")
    open_price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    close_price: float | None = None
    mark: float | None = None
    mark_change: float | None = None
    mark_percent_change: float | None = None
    net_change: float | None = None
    net_percent_change: float | None = None
    post_market_change: float | None = None
    post_market_percent_change: float | None = None
    future_percent_change: float | None = None
    week52_high: float | None = msgspec.field(default=None, name="52WeekHigh")
    week52_low: float | None = msgspec.field(default=None, name="52WeekLow")
    n_av: float | None = msgspec.field(default=None, name="nAV")
    quote_time: int | None = None
    trade_time: int | None = None
    settle_time: int | None = None
    total_volume: int | None = None
    open_interest: float | None = None
    volatility: float | None = None
    security_status: str | None = None
    quoted_in_session: bool | None = None
    tick: float | None = None
    tick_amount: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    rho: float | None = None
    time_value: float | None = None
    money_intrinsic_value: float | None = None
    theoretical_option_value: float | None = None
    underlying_price: float | None = None
    implied_yield: float | None = None
    ind_ask_price: float | None = None
    ind_bid_price: float | None = None
    ind_quote_time: int | None = None


class RegularBlock(Record, frozen=True, kw_only=True, rename="camel"):
    """The last regular session's prices of an equity."""

    regular_market_last_price: float | None = None
    regular_market_last_size: int | None = None
    regular_market_net_change: float | None = None
    regular_market_percent_change: float | None = None
    regular_market_trade_time: int | None = None


class ExtendedBlock(Record, frozen=True, kw_only=True, rename="camel"):
    """The extended session's prices of an equity."""

    ask_price: float | None = None
    ask_size: int | None = None
    bid_price: float | None = None
    bid_size: int | None = None
    last_price: float | None = None
    last_size: int | None = None
    mark: float | None = None
    quote_time: int | None = None
    total_volume: int | None = None
    trade_time: int | None = None


class ReferenceBlock(Record, frozen=True, kw_only=True, rename="camel"):
    """What a quote says about the instrument itself; the class's own keys are in `extra`."""

    description: str | None = None
    exchange: str | None = None
    exchange_name: str | None = None
    cusip: str | None = None
    is_hard_to_borrow: bool | None = None
    is_shortable: bool | None = None
    htb_quantity: int | None = None
    htb_rate: float | None = None


class FundamentalBlock(Record, frozen=True, kw_only=True, rename="camel"):
    """The fundamentals of a quote; dates are Schwab's text."""

    avg10_days_volume: float | None = None
    avg1_year_volume: float | None = None
    declaration_date: str | None = None
    div_amount: float | None = None
    div_ex_date: str | None = None
    div_freq: int | None = None
    div_pay_amount: float | None = None
    div_pay_date: str | None = None
    div_yield: float | None = None
    eps: float | None = None
    fund_leverage_factor: float | None = None
    fund_strategy: str | None = None
    last_earnings_date: str | None = None
    next_div_ex_date: str | None = None
    next_div_pay_date: str | None = None
    pe_ratio: float | None = None


class Quote(Record, frozen=True, kw_only=True, rename="camel"):
    """One symbol's quote.

    Attributes:
        symbol: As Schwab names it.
        asset_main_type: BOND, EQUITY, FOREX, FUTURE, FUTURE_OPTION, INDEX, MUTUAL_FUND, OPTION.
        asset_sub_type: Such as ETF or ADR.
        quote_type: NBBO or NFL.
        realtime: Whether the account sees this market in real time.
        ssid: Schwab's own number of the instrument.
        quote: Prices.
        regular: The regular session's prices of an equity.
        extended: The extended session's prices of an equity.
        reference: The instrument.
        fundamental: Fundamentals.
    """

    symbol: str
    asset_main_type: str | None = None
    asset_sub_type: str | None = None
    quote_type: str | None = None
    realtime: bool | None = None
    ssid: int | None = None
    quote: QuoteBlock | None = None
    regular: RegularBlock | None = None
    extended: ExtendedBlock | None = None
    reference: ReferenceBlock | None = None
    fundamental: FundamentalBlock | None = None


class Quotes(msgspec.Struct, frozen=True):
    """The quotes of several symbols, a mapping by symbol.

    Attributes:
        by_symbol: The known symbols' quotes.
        invalid_symbols: Those that Schwab does not know.
        errors: Schwab's `errors` entry as decoded, empty without one.
    """

    by_symbol: dict[str, Quote]
    invalid_symbols: tuple[str, ...] = ()
    errors: dict[str, Any] = msgspec.field(default_factory=dict)

    def __getitem__(self, symbol: str) -> Quote:
        return self.by_symbol[symbol]

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.by_symbol

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_symbol)

    def __len__(self) -> int:
        return len(self.by_symbol)


def parse_quotes(value: Any) -> Quotes:
    """Return the quotes of a decoded answer; `errors` beside the symbols names unknown ones.

    Raises:
        WireFormError: If it is no map of quotes.
    """
    if not isinstance(value, dict):
        raise WireFormError(f"$: expected an object, got {type(value).__name__}")
    errors = value.get("errors")
    errors = errors if isinstance(errors, dict) else {}
    invalid = errors.get("invalidSymbols")
    quotes = {
        symbol: build_record(Quote, {"symbol": symbol, **entry}, f"$.{symbol}")
        for symbol, entry in value.items()
        if symbol != "errors" and isinstance(entry, dict)
    }
    return Quotes(quotes, tuple(map(str, invalid)) if isinstance(invalid, list) else (), errors)


def merged_quotes(parts: Sequence[Quotes]) -> Quotes:
    """Return the quotes of several answers as one; lists of what is invalid are joined."""
    errors: dict[str, Any] = {}
    for part in parts:
        for key, value in part.errors.items():
            held = errors.get(key)
            if isinstance(held, list) and isinstance(value, list):
                errors[key] = [*held, *value]
            else:
                errors[key] = value
    return Quotes(
        {symbol: quote for part in parts for symbol, quote in part.by_symbol.items()},
        tuple(symbol for part in parts for symbol in part.invalid_symbols),
        errors,
    )


class Interval(Record, frozen=True, kw_only=True):
    """A part of a session, from start to end, as ISO 8601 with the exchange's offset."""

    start: str
    end: str

    @property
    def start_ns(self) -> int:
        """The start in nanoseconds UTC."""
        return parse_rfc3339(self.start)

    @property
    def end_ns(self) -> int:
        """The end in nanoseconds UTC."""
        return parse_rfc3339(self.end)


class Hours(Record, frozen=True, kw_only=True, rename="camel"):
    """One product's hours on one day.

    Attributes:
        date: The day, YYYY-MM-DD.
        market_type: EQUITY, OPTION, BOND, FUTURE or FOREX.
        product: Such as EQ, EQO or IND; the market's name on a closed day.
        is_open: Whether it trades that day.
        session_hours: preMarket, regularMarket and postMarket; None on a closed day.
    """

    date: str
    is_open: bool
    market_type: str | None = None
    product: str | None = None
    product_name: str | None = None
    category: str | None = None
    exchange: str | None = None
    session_hours: dict[str, tuple[Interval, ...]] | None = None


def parse_market_hours(value: Any) -> dict[str, dict[str, Hours]]:
    """Return hours by market and product of a decoded answer.

    Raises:
        WireFormError: If it is no map of maps of hours.
    """
    if not isinstance(value, dict):
        raise WireFormError(f"$: expected an object, got {type(value).__name__}")
    hours: dict[str, dict[str, Hours]] = {}
    for market, products in value.items():
        if not isinstance(products, dict):
            raise WireFormError(f"$.{market}: expected an object, got {type(products).__name__}")
        hours[market] = {
            product: build_record(Hours, entry, f"$.{market}.{product}")
            for product, entry in products.items()
        }
    return hours


class Instrument(Record, frozen=True, kw_only=True, rename="camel"):
    """One instrument of the lookup.

    Attributes:
        symbol: Its symbol.
        asset_type: EQUITY, ETF, BOND, MUTUAL_FUND, ...
        cusip: Nine characters, leading zeros kept.
        description: Its name.
        exchange: Its primary exchange.
        fundamental: With projection `fundamental`: the ratios as Schwab names them.
    """

    symbol: str
    asset_type: str | None = None
    cusip: str | None = None
    description: str | None = None
    exchange: str | None = None
    fundamental: dict[str, Any] | None = None


def parse_instruments(value: Any) -> tuple[Instrument, ...]:
    """Return the instruments of a decoded answer.

    Raises:
        WireFormError: If it is no object with a list of instruments.
    """
    listed = value.get("instruments", []) if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise WireFormError("$: expected an object with a list `instruments`")
    return tuple(
        build_record(Instrument, entry, f"$.instruments[{i}]") for i, entry in enumerate(listed)
    )
