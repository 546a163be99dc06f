from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import requests_mock

from infrastructure.clock import VirtualClock, ns_from_utc
from infrastructure.config import Secret
from infrastructure.errors import NoDataError, UnknownSymbol, UsageError
from infrastructure.schwab.market_data import MarketData
from infrastructure.schwab.option_data import OptionData
from infrastructure.schwab.quote_data import LONGEST_LIST, symbol_parts
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.retry import RetryPolicy
from infrastructure.schwab.transport import DEFAULT_BASE_URL

BASE = "http://127.0.0.1:9"
MARKET = f"{BASE}/marketdata/v1"
NOW_NS = ns_from_utc(datetime(2025, 6, 18, 21, tzinfo=UTC))
APPLE = {"symbol": "AAPL", "cusip": "037833100", "assetType": "EQUITY"}


class AllData(MarketData, OptionData):
    """The market-data half of the client."""


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        yield mock


def data_at(base_url: str = BASE) -> AllData:
    requester = Requester(
        base_url,
        lambda _: Secret("I0.token@"),
        session=requests.Session(),
        clock=VirtualClock(NOW_NS),
        timeout_s=1,
        retry=RetryPolicy(),
    )
    return AllData(requester)


def asked_symbols(request: Any) -> list[str]:
    return parse_qs(urlsplit(str(request.url)).query)["symbols"][0].split(",")


def test_any_number_of_quotes_is_asked_in_parts_and_the_unknown_are_kept_apart(
    schwab: requests_mock.Mocker,
) -> None:
    def answer(request: Any, _: Any) -> Any:
        asked = asked_symbols(request)
        assert len(asked) <= 500
        unknown = [symbol for symbol in asked if int(symbol[1:]) % 7 == 0]
        known = {symbol: {"symbol": symbol} for symbol in asked if symbol not in unknown}
        return {**known, "errors": {"invalidSymbols": unknown}}

    schwab.get(f"{MARKET}/quotes", json=answer)
    wanted = [f"S{i}" for i in range(1_234)]
    quotes = data_at().all_quotes(wanted)
    assert list(quotes) == [symbol for symbol in wanted if int(symbol[1:]) % 7]
    assert list(quotes.invalid_symbols) == wanted[::7]
    assert quotes.errors == {"invalidSymbols": wanted[::7]}
    assert schwab.call_count == 3
    with pytest.raises(UsageError, match="1234 symbols are more than the 500"):
        data_at().quotes(wanted)


def test_a_part_that_nobody_knows_is_no_error_but_all_of_them_are(
    schwab: requests_mock.Mocker,
) -> None:
    def answer(request: Any, _: Any) -> Any:
        asked = asked_symbols(request)
        known = {"AAPL": {"symbol": "AAPL"}} if "AAPL" in asked else {}
        return {**known, "errors": {"invalidSymbols": [each for each in asked if each != "AAPL"]}}

    schwab.get(f"{MARKET}/quotes", json=answer)
    unknown = [f"X{i}" for i in range(600)]
    quotes = data_at().all_quotes([*unknown, "AAPL"])
    assert list(quotes) == ["AAPL"]
    assert len(quotes.invalid_symbols) == 600
    with pytest.raises(UnknownSymbol) as caught:
        data_at().all_quotes(unknown)
    assert caught.value.context["symbols"] == unknown


def test_long_option_symbols_keep_the_address_short() -> None:
    options = [f"AAPL  251219C{i:08d}" for i in range(700)]
    parts = list(symbol_parts(options))
    assert [symbol for part in parts for symbol in part] == options
    assert all(len(",".join(part)) <= LONGEST_LIST for part in parts)
    assert len(parts) > 2
    assert list(symbol_parts(["A" * 20_000])) == [("A" * 20_000,)]


def test_one_market_has_hours_by_product(schwab: requests_mock.Mocker) -> None:
    body = {"option": {"EQO": {"date": "2025-06-20", "isOpen": True}, "IND": {"isOpen": 1}}}
    body["option"]["IND"] = {"date": "2025-06-20", "isOpen": True}
    schwab.get(f"{MARKET}/markets/option", json=body)
    hours = data_at().hours_of_market("OPTION", date(2025, 6, 20))
    assert sorted(hours) == ["EQO", "IND"]
    assert schwab.last_request is not None
    assert schwab.last_request.qs == {"date": ["2025-06-20"]}
    assert data_at().hours_of_market("option", raw=True) == body
    schwab.get(f"{MARKET}/markets/equity", json={})
    with pytest.raises(NoDataError, match="equity market"):
        data_at().hours_of_market("equity")
    with pytest.raises(UsageError, match="Did you mean 'equity'"):
        data_at().hours_of_market("equty")


@pytest.mark.parametrize("body", [APPLE, {"instruments": [APPLE]}])
def test_a_cusip_is_understood_in_the_papers_form_and_the_observed_one(
    schwab: requests_mock.Mocker, body: Any
) -> None:
    schwab.get(f"{MARKET}/instruments/037833100", json=body)
    assert data_at().instrument("037833100").symbol == "AAPL"
    assert data_at().instrument("037833100", raw=True) == body


def test_a_cusip_without_its_zeros_is_refused_and_an_unknown_one_is_no_data(
    schwab: requests_mock.Mocker,
) -> None:
    with pytest.raises(UsageError, match="leading zeros"):
        data_at().instrument("37833100")
    assert schwab.request_history == []
    schwab.get(f"{MARKET}/instruments/000000000", json={"instruments": []})
    with pytest.raises(NoDataError):
        data_at().instrument("000000000")


@pytest.mark.parametrize("day", ["2025-06-17", "2026-06-20"])
def test_a_day_without_hours_at_schwab_never_reaches_the_wire(
    schwab: requests_mock.Mocker, day: str
) -> None:
    with pytest.raises(UsageError, match="between today"):
        data_at(DEFAULT_BASE_URL).market_hours("equity", day)
    assert schwab.request_history == []


def test_movers_take_every_order_and_frequency_of_the_papers(schwab: requests_mock.Mocker) -> None:
    schwab.get(f"{MARKET}/movers/NYSE", json={"screeners": []})
    assert data_at().movers("nyse", sort="trades", frequency=30) == ()
    assert schwab.last_request is not None
    assert schwab.last_request.qs == {"sort": ["trades"], "frequency": ["30"]}
    with pytest.raises(UsageError, match="0, 1, 5, 10, 30, 60"):
        data_at().movers("NYSE", frequency=15)
    with pytest.raises(UsageError, match="PERCENT_CHANGE_UP"):
        data_at().movers("NYSE", sort="PERCENT_CHANGE")


@pytest.mark.parametrize(
    ("path", "body", "ask"),
    [
        ("quotes", {"AAPL": {"x": 1}}, lambda data: data.quotes("AAPL", raw=True)),
        ("AAPL/quotes", {"AAPL": {"x": 1}}, lambda data: data.quote("AAPL", raw=True)),
        ("pricehistory", {"odd": 1}, lambda data: data.price_history("AAPL", raw=True)),
        ("chains", {"odd": 1}, lambda data: data.option_chain("AAPL", raw=True)),
        ("expirationchain", {"odd": 1}, lambda data: data.option_expirations("AAPL", raw=True)),
        ("movers/%24SPX", {"odd": 1}, lambda data: data.movers("$SPX", raw=True)),
        ("markets", {"odd": 1}, lambda data: data.market_hours("bond", raw=True)),
        ("markets/bond", {"odd": 1}, lambda data: data.hours_of_market("bond", raw=True)),
        ("instruments", {"odd": 1}, lambda data: data.instruments("AAPL", raw=True)),
        ("instruments/037833100", 7, lambda data: data.instrument("037833100", raw=True)),
    ],
)
def test_raw_returns_whatever_the_answer_holds(
    schwab: requests_mock.Mocker, path: str, body: Any, ask: Any
) -> None:
    schwab.get(f"{MARKET}/{path}", json=body)
    assert ask(data_at()) == body


def test_candles_never_send_a_period_beside_the_range(schwab: requests_mock.Mocker) -> None:
    schwab.get(f"{MARKET}/pricehistory", json={"symbol": "AAPL", "candles": [], "empty": True})
    found = data_at().candles("AAPL", "5m", date(2025, 1, 2), date(2025, 6, 17))
    assert found.reason is not None
    for request in schwab.request_history:
        assert "period" not in request.qs
        assert {"startdate", "enddate", "periodtype", "frequency"} <= set(request.qs)
        assert request.qs["frequency"] == ["5"]
    with pytest.raises(UsageError, match="timeframe='2m' is none of 1m, 5m"):
        data_at().candles("AAPL", "2m", date(2025, 1, 2))
