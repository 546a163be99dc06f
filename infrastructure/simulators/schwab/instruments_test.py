import pytest
from bokeh_sampledata import stocks

from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.wire_check import differences


@pytest.mark.parametrize(
    ("projection", "text", "found"),
    [
        ("symbol-search", "aapl", ["AAPL"]),
        ("symbol-search", "AAPL,IBM", ["AAPL", "IBM"]),
        ("symbol-search", "AAP", []),
        ("symbol-regex", "[AG].*", ["AAPL", "GOOG"]),
        ("desc-search", "corp", ["MSFT"]),
        ("desc-regex", ".*INC( A)?", ["AAPL", "FB", "GOOG"]),
        ("search", "BM", ["IBM"]),
        ("fundamental", "FB,MSFT,F", ["FB", "MSFT"]),
    ],
)
def test_projection_chooses_instruments(
    signed_in: Desk, projection: str, text: str, found: list[str]
) -> None:
    body = signed_in.get("/instruments", symbol=text, projection=projection).json()
    assert [each["symbol"] for each in body["instruments"]] == found
    for each in body["instruments"]:
        assert differences(each, "InstrumentResponse") == []
        assert ("fundamental" in each) == (projection == "fundamental")


def test_fundamental_carries_recorded_volumes(signed_in: Desk) -> None:
    body = signed_in.get("/instruments", symbol="MSFT", projection="fundamental").json()
    fundamental = body["instruments"][0]["fundamental"]
    assert fundamental["avg1DayVolume"] == stocks.MSFT["volume"][-1]
    assert fundamental["symbol"] == "MSFT"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"projection": "symbol-search"}, "symbol"),
        ({"symbol": "AAPL"}, "projection"),
        ({"symbol": "AAPL", "projection": "exact"}, "projection"),
        ({"symbol": "(", "projection": "symbol-regex"}, "symbol"),
        ({"symbol": "A" * 65, "projection": "desc-regex"}, "symbol"),
    ],
)
def test_invalid_search_is_refused_by_name(
    signed_in: Desk, query: dict[str, str], parameter: str
) -> None:
    answer = signed_in.get("/instruments", **query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"] == {"parameter": parameter}


def test_cusip_keeps_its_leading_zeros_and_answers_a_list(signed_in: Desk) -> None:
    body = signed_in.get("/instruments/037833100").json()
    assert [each["symbol"] for each in body["instruments"]] == ["AAPL"]
    assert signed_in.get("/instruments/37833100").status_code == 400
    assert signed_in.get("/instruments/000000000").status_code == 404
