import pytest

from infrastructure.errors import UsageError
from infrastructure.schwab.symbols import checked_symbols


def test_symbols_are_distinct_in_their_order() -> None:
    assert checked_symbols("msft, AAPL,MSFT") == ("MSFT", "AAPL")
    assert checked_symbols(["$SPX", "/ESZ25"]) == ("$SPX", "/ESZ25")


def test_the_padding_of_an_option_symbol_stays() -> None:
    assert checked_symbols(["AAPL  251219C00200000"]) == ("AAPL  251219C00200000",)


def test_five_hundred_symbols_are_the_most() -> None:
    assert len(checked_symbols(f"S{i}" for i in range(500))) == 500
    with pytest.raises(UsageError, match="501 symbols are more than the 500"):
        checked_symbols(f"S{i}" for i in range(501))


@pytest.mark.parametrize("symbols", ["", ",", []])
def test_no_symbol_is_refused(symbols: str | list[str]) -> None:
    with pytest.raises(UsageError):
        checked_symbols(symbols)
