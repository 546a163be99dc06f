from datetime import UTC, date, datetime

import pytest
import requests
from bokeh_sampledata import stocks

from infrastructure.clock import VirtualClock
from infrastructure.errors import BugError
from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.wire_check import differences
from infrastructure.simulators.schwab.wire_forms import WireForm

OBSERVED = ("postMarketChange", "postMarketPercentChange")
CALL = "AAPL  130419C00430000"
BAD_FIELDS = (
    "valid fields should be any of all,fundamental,reference,extended,quote,regular or empty value"
)


def test_quote_carries_the_last_recorded_day(signed_in: Desk) -> None:
    answer = signed_in.get("/quotes", symbols="IBM")
    entry = answer.json()["IBM"]
    last, before = stocks.IBM["close"][-1], stocks.IBM["close"][-2]
    year = [day >= "2012-03-01" for day in stocks.IBM["date"]]
    highs = [high for high, inside in zip(stocks.IBM["high"], year, strict=True) if inside]
    assert entry["quote"]["lastPrice"] == last
    assert entry["quote"]["closePrice"] == before
    assert entry["quote"]["openPrice"] == stocks.IBM["open"][-1]
    assert entry["quote"]["totalVolume"] == stocks.IBM["volume"][-1]
    assert entry["quote"]["52WeekHigh"] == max(highs)
    assert entry["quote"]["netChange"] == round(last - before, 4)
    assert entry["quote"]["netPercentChange"] == pytest.approx((last / before - 1) * 100)
    assert entry["quote"]["bidPrice"] < last < entry["quote"]["askPrice"]
    close = datetime(2013, 3, 1, 21, tzinfo=UTC).timestamp() * 1000
    assert entry["regular"]["regularMarketTradeTime"] == close
    assert entry["fundamental"]["avg10DaysVolume"] == sum(stocks.IBM["volume"][-10:]) / 10
    assert entry["reference"]["cusip"] == "459200101"
    assert answer.headers["X-Simulated"] == "synthetic"


def test_quotes_keep_to_the_published_schema(signed_in: Desk) -> None:
    body = signed_in.get("/quotes", symbols=",".join(signed_in.simulator.market.symbols)).json()
    assert len(body) == 5
    for entry in body.values():
        assert differences(entry, "EquityResponse", observed=OBSERVED) == []


def test_unknown_symbols_are_collected_beside_the_known(signed_in: Desk) -> None:
    body = signed_in.get("/quotes", symbols="AAPL,NOSUCH,$NOSUCH,aapl", indicative="True").json()
    assert body.keys() == {"AAPL", "errors"}
    assert body["errors"] == {"invalidSymbols": ["NOSUCH", "$NOSUCH"]}
    only = signed_in.get("/quotes", symbols="/ESH23,/ESH12")
    gone = {"invalidSymbols": ["/ESH23", "/ESH12"]}
    assert (only.status_code, only.json()) == (200, {"errors": gone})


def test_no_symbols_and_too_many_are_refused_in_schwabs_words(signed_in: Desk) -> None:
    none = signed_in.get("/quotes", symbols="")
    pointers = [f"/data/attributes/{kind}" for kind in ("symbols", "cusips", "ssids")]
    (error,) = none.json()["errors"]
    assert none.status_code == 400
    assert error["detail"] == "Search combination should have min of 1."
    assert error["source"] == {"pointer": pointers}
    many = signed_in.get("/quotes", symbols=",".join(f"S{number}" for number in range(501)))
    assert many.status_code == 400
    assert many.json()["errors"][0]["detail"] == "Search combination should not exceed 500."
    enough = signed_in.get("/quotes", symbols=",".join(f"S{number}" for number in range(500)))
    assert len(enough.json()["errors"]["invalidSymbols"]) == 500


def test_fields_choose_the_blocks(signed_in: Desk) -> None:
    entry = signed_in.get("/quotes", symbols="FB", fields="quote,reference").json()["FB"]
    assert "quote" in entry
    assert "reference" in entry
    assert "regular" not in entry
    assert "fundamental" not in entry
    whole = signed_in.get("/quotes", symbols="FB", fields="all").json()
    assert whole == signed_in.get("/quotes", symbols="FB", fields="").json()
    bad = signed_in.get("/quotes", symbols="FB", fields="price")
    assert bad.status_code == 400
    assert bad.json()["errors"][0]["detail"] == BAD_FIELDS
    assert bad.json()["errors"][0]["source"] == {"parameter": "fields"}


def test_one_symbol_by_path_is_the_same_entry_or_not_found(signed_in: Desk) -> None:
    entry = signed_in.get("/AAPL/quotes").json()
    assert entry == signed_in.get("/quotes", symbols="AAPL").json()
    assert signed_in.get("/NOSUCH/quotes").status_code == 404
    assert signed_in.get("/AAPL/quotes", fields="nonsense").status_code == 400


def test_slash_symbol_in_a_path_is_found_only_encoded(signed_in: Desk) -> None:
    log = signed_in.simulator.requests
    signed_in.get("/%2FES/quotes")
    assert log.all()[-1].route == "GET /marketdata/v1/{symbol_id}/quotes"
    signed_in.session.get(f"{signed_in.simulator.base_url}/marketdata/v1//ES/quotes")
    assert log.all()[-1].route == "GET /marketdata/v1//ES/quotes"
    assert log.all()[-1].status == 404


def test_after_the_close_the_extended_block_and_the_post_market_change_appear() -> None:
    clock = VirtualClock(0)
    market = ReplayMarket.from_bokeh(clock=clock)
    clock.advance(seconds=3 * 3600)
    with SchwabSimulator(market) as simulator, requests.Session() as session:
        desk = Desk(simulator, clock, session)
        desk.sign_in()
        entry = desk.get("/quotes", symbols="AAPL").json()["AAPL"]
        candles = desk.history(period=1, endDate=market.now_ns // 1_000_000).json()["candles"]
    assert differences(entry, "EquityResponse", observed=OBSERVED) == []
    assert entry["regular"]["regularMarketLastPrice"] == stocks.AAPL["close"][-1]
    assert entry["extended"]["lastPrice"] == candles[-1]["close"] == entry["quote"]["lastPrice"]
    change = entry["quote"]["lastPrice"] - stocks.AAPL["close"][-1]
    assert entry["quote"]["postMarketChange"] == pytest.approx(change)


def test_first_day_has_no_change_and_days_before_it_no_quote() -> None:
    clock = VirtualClock(0)
    first = ReplayMarket.from_bokeh(as_of=date(2012, 5, 18), clock=clock)
    before = ReplayMarket.from_bokeh(as_of=date(2012, 5, 17), clock=clock)
    answers = []
    for market in (first, before):
        with SchwabSimulator(market) as simulator, requests.Session() as session:
            desk = Desk(simulator, clock, session)
            desk.sign_in()
            answers.append(desk.get("/quotes", symbols="FB").json())
    assert "netChange" not in answers[0]["FB"]["quote"]
    assert answers[1] == {"errors": {"invalidSymbols": ["FB"]}}


def test_form_refuses_a_key_that_schwab_does_not_have() -> None:
    with pytest.raises(BugError, match="price"):
        WireForm("QuoteEquity")({"price": 1.0})
    assert differences({"quoteType": "LIVE"}, "EquityResponse") == [
        "EquityResponse.quoteType: 'LIVE' is none of ['NBBO', 'NFL', None]"
    ]
    assert differences({"symbol": None, "realtime": 1}, "EquityResponse") == [
        "EquityResponse.symbol: null",
        "EquityResponse.realtime: 1 is no boolean",
    ]


@pytest.mark.parametrize(
    ("symbol", "kind", "form"),
    [
        (CALL, "OPTION", "OptionResponse"),
        ("$SPX", "INDEX", "IndexResponse"),
        ("/ESH13", "FUTURE", "FutureResponse"),
        ("/ES", "FUTURE", "FutureResponse"),
        ("./OZCZ13C565", "FUTURE_OPTION", "FutureOptionResponse"),
        ("EUR/USD", "FOREX", "ForexResponse"),
        ("AAAHX", "MUTUAL_FUND", "MutualFundResponse"),
    ],
)
def test_every_class_is_quoted_in_its_published_form(
    signed_in: Desk, symbol: str, kind: str, form: str
) -> None:
    entry = signed_in.get("/quotes", symbols=symbol).json()[symbol]
    extras = ("futureIsTradable", "futureMultiplier", "futureSettlementPrice", "uvExpirationType")
    assert differences(entry, form, observed=extras) == []
    assert (entry["assetMainType"], entry["symbol"]) == (kind, symbol)
    assert entry["reference"]["description"]
    assert entry["quote"]["securityStatus"] == "Normal"
    assert (
        "reference" not in signed_in.get("/quotes", symbols=symbol, fields="quote").json()[symbol]
    )
    path = symbol.replace("/", "%2F")
    assert signed_in.get(f"/{path}/quotes").json().keys() == {symbol}


def test_a_future_is_quoted_as_its_root_and_names_the_active_contract(signed_in: Desk) -> None:
    body = signed_in.get("/quotes", symbols="/ES,/ESH13").json()
    assert body["/ES"]["quote"] == body["/ESH13"]["quote"]
    assert body["/ES"]["reference"]["futureActiveSymbol"] == "/ESH13"
    assert body["/ES"]["reference"]["futureMultiplier"] == 50
    quote = body["/ES"]["quote"]
    share = (quote["lastPrice"] - quote["closePrice"]) / quote["closePrice"]
    assert quote["futurePercentChange"] == pytest.approx(share, abs=1e-9)
    assert quote["lastPrice"] / 0.25 == round(quote["lastPrice"] / 0.25)


def test_an_option_is_quoted_as_in_its_chain(signed_in: Desk) -> None:
    entry = signed_in.get("/quotes", symbols=CALL).json()[CALL]
    chain = signed_in.get("/chains", symbol="AAPL", strike=430, contractType="CALL").json()
    [contract] = chain["callExpDateMap"]["2013-04-19:49"]["430.0"]
    assert contract["symbol"] == CALL
    names = {"bidPrice": "bid", "askPrice": "ask", "delta": "delta", "openInterest": "openInterest"}
    for name, in_chain in names.items():
        assert entry["quote"][name] == contract[in_chain]
    assert entry["reference"]["daysToExpiration"] == contract["daysToExpiration"] == 49
    assert entry["quote"]["moneyIntrinsicValue"] == round(chain["underlyingPrice"] - 430, 4)
