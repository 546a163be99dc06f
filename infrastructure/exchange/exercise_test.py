"""Judge exercise styles by the exchanges' specifications."""

import pytest

from infrastructure.exchange.exercise import exercise_of, exercise_on


@pytest.mark.parametrize(
    "root", ["SPX", "SPXW", "XSP", "NDX", "NDXP", "RUT", "RUTW", "VIX", "VIXW", "DJX", "XEO"]
)
def test_index_classes_are_european(root: str) -> None:
    assert exercise_of(f"{root:<6}240621C00100000") == "european"


@pytest.mark.parametrize("root", ["SPY", "AAPL", "QQQ", "IWM", "OEX", "AAPL1"])
def test_stocks_funds_and_the_oex_are_american(root: str) -> None:
    assert exercise_of(f"{root:<6}240621P00100000") == "american"


def test_an_underlying_tells_as_much_as_its_contracts() -> None:
    assert [exercise_on(name) for name in ("$SPX", "SPX", "$OEX", "SPY")] == [
        "european", "european", "american", "american"
    ]  # fmt: skip
