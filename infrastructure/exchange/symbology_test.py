"""Judge symbols by Schwab's published samples and by reading back what was written."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError, UnknownSymbol
from infrastructure.exchange import symbol_strategies as drawn
from infrastructure.exchange.symbology import (
    AssetClass,
    Equity,
    Forex,
    Future,
    FutureOption,
    FutureRoot,
    Index,
    IndicativeValue,
    MutualFund,
    Option,
    Symbol,
    parse_option,
    parse_symbol,
)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("AAPL", Equity("AAPL")),
        ("BRK/B", Equity("BRK", "B")),
        ("AAAHX", MutualFund("AAAHX")),
        ("$SPX", Index("SPX")),
        ("$COMPX", Index("COMPX")),
        ("$ABC.IV", IndicativeValue("ABC")),
        ("/ES", FutureRoot("ES")),
        ("/ESH23", Future("ES", 2023, 3)),
        ("/ESZ25", Future("ES", 2025, 12)),
        ("/6EZ25", Future("6E", 2025, 12)),
        ("./OZCZ23C565", FutureOption("OZC", 2023, 12, "C", Decimal(565))),
        ("./OGG26C4240", FutureOption("OG", 2026, 2, "C", Decimal(4240))),
        ("./ADUF23C0.55", FutureOption("ADU", 2023, 1, "C", Decimal("0.55"))),
        ("EUR/USD", Forex("EUR", "USD")),
        ("AUD/CAD", Forex("AUD", "CAD")),
        ("AAPL  251219C00200000", Option("AAPL", date(2025, 12, 19), "C", 200_000)),
        ("AMZN  230317C01360000", Option("AMZN", date(2023, 3, 17), "C", 1_360_000)),
        ("SPXW  251219P06012500", Option("SPXW", date(2025, 12, 19), "P", 6_012_500)),
    ],
)
def test_schwabs_spellings_are_read_and_written(text: str, symbol: Symbol) -> None:
    assert parse_symbol(text) == symbol
    assert symbol.to_schwab() == text


@pytest.mark.parametrize(
    ("text", "schwab"),
    [
        (" aapl ", "AAPL"),
        ("BRK.B", "BRK/B"),
        ("BRK-B", "BRK/B"),
        ("brk b", "BRK/B"),
        ("BAC-PRL", "BAC/PRL"),
        ("ESZ25", "/ESZ25"),
        ("NQU25", "/NQU25"),
        ("NQU2025", "/NQU25"),
        ("6EZ25", "/6EZ25"),
        ("M2KZ25", "/M2KZ25"),
        ("/zbu24", "/ZBU24"),
        ("AAPL251219C00200000", "AAPL  251219C00200000"),
        ("AAPL1 251219C00200000", "AAPL1 251219C00200000"),
        ("AAPL1251219C00200000", "AAPL1 251219C00200000"),
        ("GOOGL7251219C00200000", "GOOGL7251219C00200000"),
        ("./ozcz23c565.0", "./OZCZ23C565"),
    ],
)
def test_usual_other_spellings_become_schwabs(text: str, schwab: str) -> None:
    assert parse_symbol(text).to_schwab() == schwab


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$SPX.X", r"TD Ameritrade.*Did you mean \$SPX\?"),
        ("^GSPC", r"Did you mean \$SPX\?"),
        ("^VIX", r"Did you mean \$VIX\?"),
        ("SPX", r"indices have a dollar sign here\. Did you mean \$SPX\?"),
        ("/ESZ5", r"which decade Z5 lies in\. Write the year with two digits: /ESZ25"),
        ("/ESZ1999", r"delivery year 1999 has to lie between 2000 and 2099"),
        ("EUR/EUR", "pairs a currency with itself"),
        ("AAPL  251319C00200000", "has the expiry 251319, which is no date"),
        ("AAPL  251219C00000000", "strike 0 has to lie between"),
        ("", "the symbol is empty"),
        ("TOOLONGS", r"cannot read the symbol 'TOOLONGS'\. Expected a stock"),
        ("AAPL; DROP", "cannot read the symbol"),
        ("./OZC", "cannot read the symbol"),
    ],
)
def test_what_is_no_symbol_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(UnknownSymbol, match=message):
        parse_symbol(text)


@settings(deadline=None)
@given(drawn.symbols())
def test_every_symbol_is_read_back_from_schwabs_spelling(symbol: Symbol) -> None:
    assert parse_symbol(symbol.to_schwab()) == symbol
    assert parse_symbol(symbol.to_schwab().lower()) == symbol


@settings(deadline=None)
@given(drawn.symbols())
def test_every_symbol_is_read_back_from_its_own_text(symbol: Symbol) -> None:
    assert parse_symbol(str(symbol)) == symbol


@settings(deadline=None)
@given(drawn.equities(), st.sampled_from("./- "))
def test_share_classes_are_read_in_every_house_spelling(equity: Equity, mark: str) -> None:
    text = f"{equity.root}{mark}{equity.suffix}" if equity.suffix else equity.root
    assert parse_symbol(text) == equity
    assert parse_symbol(str(equity)) == equity


@settings(deadline=None)
@given(drawn.options())
def test_options_fill_21_characters_and_are_read_back_padded_or_compact(option: Option) -> None:
    text = option.to_osi()
    assert len(text) == 21
    assert parse_option(text) == option
    assert parse_symbol(text.replace(" ", "")) == option
    assert Option.of(option.root, option.expiry, option.right, option.strike) == option


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_either_read_or_refused_as_an_unknown_symbol(text: str) -> None:
    try:
        symbol = parse_symbol(text)
    except UnknownSymbol:
        return
    assert parse_symbol(symbol.to_schwab()) == symbol


@pytest.mark.parametrize(
    ("root", "underlying", "adjusted"),
    [
        ("AAPL", Equity("AAPL"), False),
        ("AAPL1", Equity("AAPL"), True),
        ("SPXW", Index("SPX"), False),
        ("NDXP", Index("NDX"), False),
        ("VIXW", Index("VIX"), False),
        ("SPY", Equity("SPY"), False),
    ],
)
def test_an_option_knows_its_underlying(root: str, underlying: Symbol, adjusted: bool) -> None:
    option = Option(root, date(2025, 12, 19), "C", 1000)
    assert option.underlying == underlying
    assert option.is_adjusted is adjusted


@pytest.mark.parametrize(
    ("root", "year", "thousandths", "message"),
    [
        ("TOOLONG", 2025, 1000, "option root 'TOOLONG'"),
        ("aapl", 2025, 1000, "option root 'aapl'"),
        ("", 2025, 1000, "option root ''"),
        ("AAPL", 1999, 1000, "has to lie between 2000 and 2099"),
        ("AAPL", 2025, 100_000_000, "has to lie between 0.001 and 99999.999"),
        ("AAPL", 2025, 0, "has to lie between 0.001 and 99999.999"),
    ],
)
def test_an_option_that_osi_cannot_hold_is_refused(
    root: str, year: int, thousandths: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Option(root, date(year, 12, 19), "C", thousandths)


def test_option_parts_are_checked_when_built_from_dollars() -> None:
    assert Option.of("F", date(2025, 1, 17), "P", "12.5").strike_thousandths == 12_500
    with pytest.raises(InputError, match="more than three decimals"):
        Option.of("F", date(2025, 1, 17), "P", "12.0005")
    with pytest.raises(InputError, match="option right 'X' has to be C or P"):
        Option("F", date(2025, 1, 17), "X", 1000)  # type: ignore[arg-type]
    with pytest.raises(UnknownSymbol, match="'AAPL' is not an option symbol"):
        parse_option("AAPL")


def test_a_contract_month_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="month 13 is not a month"):
        Future("ES", 2025, 13)
    with pytest.raises(InputError, match="delivery year 1999"):
        Future("ES", 1999, 12)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("AAPL", AssetClass.EQUITY),
        ("AAAHX", AssetClass.MUTUAL_FUND),
        ("$SPX", AssetClass.INDEX),
        ("$ABC.IV", AssetClass.INDICATIVE),
        ("AAPL  251219C00200000", AssetClass.OPTION),
        ("/ES", AssetClass.FUTURE),
        ("/ESZ25", AssetClass.FUTURE),
        ("./OZCZ23C565", AssetClass.FUTURE_OPTION),
        ("EUR/USD", AssetClass.FOREX),
    ],
)
def test_each_symbol_knows_its_asset_class(text: str, kind: AssetClass) -> None:
    assert parse_symbol(text).asset_class is kind
