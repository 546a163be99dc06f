from datetime import date

import pytest
import requests

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.wire_check import differences


def test_equity_hours_of_the_replays_day(signed_in: Desk) -> None:
    answer = signed_in.get("/markets", markets="equity")
    product = answer.json()["equity"]["EQ"]
    assert product["isOpen"] is True
    assert product["date"] == "2013-03-01"
    assert product["sessionHours"] == {
        "preMarket": [{"start": "2013-03-01T07:00:00-05:00", "end": "2013-03-01T09:30:00-05:00"}],
        "regularMarket": [
            {"start": "2013-03-01T09:30:00-05:00", "end": "2013-03-01T16:00:00-05:00"}
        ],
        "postMarket": [{"start": "2013-03-01T16:00:00-05:00", "end": "2013-03-01T20:00:00-05:00"}],
    }
    assert answer.headers["X-Simulated"] == "replay"


def test_closed_day_has_no_hours_and_the_markets_name_as_key(signed_in: Desk) -> None:
    # Good Friday.
    body = signed_in.get("/markets", markets="equity,option", date="2013-03-29").json()
    assert body["equity"]["equity"]["isOpen"] is False
    assert "sessionHours" not in body["equity"]["equity"]
    assert body["option"].keys() == {"option"}


def test_early_close_ends_at_one(signed_in: Desk) -> None:
    body = signed_in.get("/markets/equity", date="2013-11-29").json()
    hours = body["equity"]["EQ"]["sessionHours"]
    assert hours["regularMarket"][0]["end"] == "2013-11-29T13:00:00-05:00"
    assert hours["postMarket"][0]["start"] == "2013-11-29T13:00:00-05:00"


def test_index_options_trade_a_quarter_of_an_hour_longer(signed_in: Desk) -> None:
    body = signed_in.get("/markets/option", date="2013-07-05").json()
    ends = {
        code: product["sessionHours"]["regularMarket"][0]["end"]
        for code, product in body["option"].items()
    }
    assert ends == {"EQO": "2013-07-05T16:00:00-04:00", "IND": "2013-07-05T16:15:00-04:00"}


def test_every_market_keeps_to_the_schema(signed_in: Desk) -> None:
    body = signed_in.get("/markets", markets="equity,option,bond,future,forex").json()
    assert body.keys() == {"equity", "option", "bond", "future", "forex"}
    for products in body.values():
        for product in products.values():
            assert differences(product, "Hours") == []
            assert product["isOpen"] is True
    saturday = signed_in.get("/markets", markets="bond,future,forex", date="2013-03-02").json()
    assert [p["isOpen"] for m in saturday.values() for p in m.values()] == [False] * 3


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/markets", {}, 400),
        ("/markets", {"markets": "crypto"}, 400),
        ("/markets", {"markets": "equity", "date": "2013-02-28"}, 400),
        ("/markets", {"markets": "equity", "date": "2014-03-02"}, 400),
        ("/markets", {"markets": "equity", "date": "March 1st"}, 400),
        ("/markets/equity", {"date": "yesterday"}, 400),
        ("/markets/crypto", {}, 404),
    ],
)
def test_invalid_questions_are_refused(
    signed_in: Desk, path: str, query: dict[str, str], status: int
) -> None:
    assert signed_in.get(path, **query).status_code == status


def test_today_moves_with_the_markets_clock() -> None:
    clock = VirtualClock(0)
    market = ReplayMarket.from_bokeh(as_of=date(2012, 10, 26), clock=clock)
    with SchwabSimulator(market) as simulator:
        desk = Desk(simulator, clock, requests.Session())
        desk.sign_in()
        clock.advance(seconds=3 * 86_400)
        # Hurricane Sandy closed the exchange on the Monday.
        assert desk.get("/markets/equity").json()["equity"]["equity"]["date"] == "2012-10-29"
