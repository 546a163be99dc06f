from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests
import requests_mock

from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import AnswerTooLarge, NoDataError, UsageError
from infrastructure.schwab.option_data import OptionData
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.retry import RetryPolicy

BASE = "http://127.0.0.1:9"
DAYS = ["2024-10-18", "2024-10-25", "2024-11-01", "2024-11-08", "2024-11-15"]
TOO_BIG = {
    "fault": {
        "faultstring": "Body buffer overflow",
        "detail": {"errorcode": "protocol.http.TooBigBody"},
    }
}


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        yield mock


@pytest.fixture
def data() -> OptionData:
    requester = Requester(
        BASE,
        lambda _: Secret("I0.token@"),
        session=requests.Session(),
        clock=VirtualClock(0),
        timeout_s=1,
        retry=RetryPolicy(),
    )
    return OptionData(requester)


def chain_of(days: list[str]) -> dict[str, Any]:
    def side(letter: str) -> dict[str, Any]:
        return {
            f"{day}:9": {
                "5.0": [
                    {
                        "symbol": f"AAPL  {day[2:].replace('-', '')}{letter}00005000",
                        "bid": 1.5,
                        "volatility": -999.0,
                        "delta": "NaN",
                        "newKey": 7,
                    }
                ]
            }
            for day in days
        }

    maps = {"callExpDateMap": side("C"), "putExpDateMap": side("P")}
    return {"symbol": "AAPL", "status": "SUCCESS", "dividendYield": 0.5, "odd": 1, **maps}


def test_a_chain_keeps_what_it_does_not_know_and_says_none_for_none(
    schwab: requests_mock.Mocker, data: OptionData
) -> None:
    schwab.get(f"{BASE}/marketdata/v1/chains", json=chain_of(DAYS[:1]))
    chain = data.option_chain("aapl", contract_type="all", from_date=date(2024, 10, 18))
    (call,) = chain.calls
    assert (call.bid, call.volatility, call.delta) == (1.5, None, None)
    assert call.extra == {"newKey": 7}
    assert chain.extra == {"odd": 1}
    assert schwab.last_request is not None
    assert schwab.last_request.qs["fromdate"] == ["2024-10-18"]
    assert data.option_chain("AAPL", raw=True) == chain_of(DAYS[:1])


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_chain_too_large_is_asked_in_parts_and_merged(
    schwab: requests_mock.Mocker, data: OptionData, most: int
) -> None:
    def answer(request: Any, context: Any) -> Any:
        first = request.qs.get("fromdate", [DAYS[0]])[0]
        last = request.qs.get("todate", [DAYS[-1]])[0]
        asked = [day for day in DAYS if first <= day <= last]
        if len(asked) > most:
            context.status_code = 502
            return TOO_BIG
        return chain_of(asked)

    schwab.get(f"{BASE}/marketdata/v1/chains", json=answer)
    listed = {"expirationList": [{"expirationDate": day} for day in DAYS]}
    schwab.get(f"{BASE}/marketdata/v1/expirationchain", json=listed)
    chain = data.whole_option_chain("AAPL")
    assert [call.symbol[6:12] for call in chain.calls] == [day[2:].replace("-", "") for day in DAYS]
    assert chain.number_of_contracts == len(chain) == 10


def test_one_expiry_too_large_is_an_error(schwab: requests_mock.Mocker, data: OptionData) -> None:
    schwab.get(f"{BASE}/marketdata/v1/chains", status_code=502, json=TOO_BIG)
    listed = {"expirationList": [{"expirationDate": DAYS[0]}]}
    schwab.get(f"{BASE}/marketdata/v1/expirationchain", json=listed)
    with pytest.raises(AnswerTooLarge):
        data.whole_option_chain("AAPL")


def test_a_failed_chain_is_no_data(schwab: requests_mock.Mocker, data: OptionData) -> None:
    schwab.get(f"{BASE}/marketdata/v1/chains", json={"symbol": "X", "status": "FAILED"})
    with pytest.raises(NoDataError):
        data.option_chain("X")


def test_movers_have_the_observed_keys(schwab: requests_mock.Mocker, data: OptionData) -> None:
    row = {"symbol": "F", "marketShare": 1.5, "netPercentChange": 0.1, "totalVolume": 10}
    schwab.get(f"{BASE}/marketdata/v1/movers/%24SPX", json={"screeners": [row]})
    (mover,) = data.movers("$spx")
    assert (mover.symbol, mover.market_share) == ("F", 1.5)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"symbol": "/ESZ25"}, "is a future"),
        ({"symbol": "AAPL", "contract_type": "CAL"}, "CALL"),
        ({"symbol": "AAPL", "strike_count": 0}, "not positive"),
        (
            {"symbol": "AAPL", "from_date": date(2024, 2, 1), "to_date": date(2024, 1, 1)},
            "is after",
        ),
    ],
)
def test_a_wrong_request_is_refused_before_the_wire(
    schwab: requests_mock.Mocker, data: OptionData, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        data.option_chain(**arguments)
    assert schwab.request_history == []
