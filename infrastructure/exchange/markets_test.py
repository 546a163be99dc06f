import pytest

from infrastructure.errors import InputError, UnknownSymbol
from infrastructure.exchange.markets import calendar_of
from infrastructure.exchange.symbology import parse_symbol


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("AAPL", "XNYS"),
        ("AAAHX", "XNYS"),
        ("$SPX", "XNYS"),
        ("AAPL  251219C00200000", "CBOE_EQUITY_OPTIONS"),
        ("SPXW  251219C06000000", "CBOE_INDEX_OPTIONS"),
        ("/ES", "CME_EQUITY"),
        ("/CLF25", "CME_ENERGY"),
        ("/GCG25", "CME_METALS"),
        ("/ZNH25", "CME_RATES"),
        ("/6EH25", "CME_FX"),
        ("/ZCZ25", "CME_GRAINS"),
        ("/LEG25", "CME_LIVESTOCK"),
        ("/VXF25", "CFE"),
    ],
)
def test_a_symbol_trades_by_the_calendar_of_its_market(symbol: str, name: str) -> None:
    assert calendar_of(symbol).name == name
    assert calendar_of(parse_symbol(symbol)) is calendar_of(symbol)


@pytest.mark.parametrize("symbol", ["EUR/USD", "./OZCZ23C565"])
def test_a_symbol_without_an_exchange_calendar_is_refused(symbol: str) -> None:
    with pytest.raises(InputError, match=f"no exchange calendar is known for {symbol}"):
        calendar_of(symbol)


def test_a_future_outside_the_table_has_no_calendar() -> None:
    with pytest.raises(UnknownSymbol, match="no specification of the futures root 'QQ'"):
        calendar_of("/QQZ25")
