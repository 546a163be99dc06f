from __future__ import annotations

from datetime import date
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import VirtualClock
from infrastructure.errors import InputError
from infrastructure.simulators.schwab.black_scholes import value
from infrastructure.simulators.schwab.chain_file import read_chain
from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.option_surface import RATE
from infrastructure.simulators.schwab.simulator import SchwabSimulator

CHAIN = """
Standard & Poors 500 Index,Last: 3900.86,Change:  -116.96
"Date: June 11, 2022, 8:47 PM EDT",Bid: 3878.48,Ask: 3927.93,Size: 1*1,Volume: 0
{columns}
Fri Jun 17 2022,SPX220617C03900000,60.1,0,59.5,60.5,12,0.31,0.52,0.0025,345,3900.00,\
SPX220617P03900000,0,0,58.0,59.0,0,0,0,0,7
""".format(
    columns="Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,"
    "Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)


def contracts(body: dict[str, Any], side: str) -> dict[tuple[str, float], dict[str, Any]]:
    return {
        (day, float(strike)): found[0]
        for day, strikes in body[f"{side}ExpDateMap"].items()
        for strike, found in strikes.items()
    }


def test_black_scholes_gives_the_published_gamma() -> None:
    found = value(True, 6000, 6000, 30 / 365, 0.043, 0.013, 0.15)
    assert found.gamma == pytest.approx(0.001539712327, abs=1e-12)


@given(
    st.floats(50, 150),
    st.floats(0.05, 2),
    st.floats(0.1, 0.8),
)
def test_black_scholes_keeps_parity_and_its_greeks_are_its_slopes(
    strike: float, years: float, vol: float
) -> None:
    def call(spot: float = 100, wait: float = 0, more: float = 0) -> float:
        return value(True, spot, strike, years - wait, 0.03, 0.01, vol + more).price

    put = value(False, 100, strike, years, 0.03, 0.01, vol)
    forward = 100 * exp(-0.01 * years) - strike * exp(-0.03 * years)
    assert call() - put.price == pytest.approx(forward, abs=1e-9)
    found = value(True, 100, strike, years, 0.03, 0.01, vol)
    assert found.delta == pytest.approx((call(100.001) - call(99.999)) / 0.002, abs=1e-4)
    assert found.vega == pytest.approx((call(more=1e-5) - call(more=-1e-5)) / 2e-5 / 100, abs=1e-4)
    day = 1e-5
    assert found.theta * 365 == pytest.approx(
        (call(wait=day) - call(wait=-day)) / 2 / day, abs=1e-3
    )


def test_every_price_of_a_chain_is_free_of_arbitrage(signed_in: Desk) -> None:
    body = signed_in.get("/chains", symbol="AAPL").json()
    calls, puts = contracts(body, "call"), contracts(body, "put")
    spot = body["underlyingPrice"]
    assert body["numberOfContracts"] == len(calls) + len(puts) > 500
    by_day: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for (day, strike), call in calls.items():
        put = puts[day, strike]
        assert call["bid"] <= call["theoreticalOptionValue"] <= call["ask"]
        days = call["daysToExpiration"] - 1 / 24 / 60
        parity = spot - strike * exp(-RATE * days / 365)
        found = call["theoreticalOptionValue"] - put["theoreticalOptionValue"]
        assert found == pytest.approx(parity, abs=0.02)
        assert call["volatility"] == put["volatility"]
        assert call["delta"] - put["delta"] == pytest.approx(1, abs=1e-5)
        by_day.setdefault(day, []).append((strike, call))
    for row in by_day.values():
        values = [call["theoreticalOptionValue"] for _, call in sorted(row, key=lambda r: r[0])]
        slopes = [after - before for before, after in pairwise(values)]
        assert all(slope <= 1e-5 for slope in slopes)
        bends = [after - before for before, after in pairwise(slopes)]
        assert all(bend >= -1e-5 for bend in bends)


def test_the_same_seed_gives_the_same_chain_and_another_one_another() -> None:
    def volatilities(seed: int) -> list[float]:
        clock = VirtualClock(0)
        market = ReplayMarket.from_bokeh(as_of=date(2012, 10, 24), seed=seed, clock=clock)
        with SchwabSimulator(market, clock=clock) as simulator:
            desk = Desk(simulator, clock, requests.Session())
            desk.sign_in()
            body = desk.get("/chains", symbol="IBM", strikeCount=3).json()
            return [each["volatility"] for each in contracts(body, "call").values()]

    assert volatilities(1) == volatilities(1) != volatilities(2)


def test_a_chain_is_cut_by_its_parameters(signed_in: Desk) -> None:
    body = signed_in.get(
        "/chains",
        symbol="AAPL",
        contractType="PUT",
        strikeCount=4,
        fromDate="2013-04-01",
        toDate="2013-05-01",
        range="OTM",
        includeUnderlyingQuote="True",
    ).json()
    assert body["callExpDateMap"] == {}
    assert body["underlying"]["symbol"] == "AAPL"
    for (day, strike), put in contracts(body, "put").items():
        assert "2013-04-01" <= day[:10] <= "2013-05-01"
        assert strike < body["underlyingPrice"]
        assert put["inTheMoney"] is False
    assert {len(found) for found in body["putExpDateMap"].values()} == {4}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"symbol": "NOSUCH"}, 404),
        ({"symbol": "AAPL", "strategy": "GUESS"}, 400),
        ({"symbol": "AAPL", "range": "FAR"}, 400),
        ({"symbol": "AAPL", "fromDate": "soon"}, 400),
        ({"symbol": "AAPL", "interval": "wide"}, 400),
        ({"symbol": "AAPL", "optionType": "X"}, 400),
        ({"symbol": "AAPL", "strategy": "ANALYTICAL", "volatility": "0"}, 400),
        ({"symbol": "AAPL", "fromDate": "2013-05-02", "toDate": "2013-05-01"}, 400),
    ],
)
def test_invalid_questions_are_refused(signed_in: Desk, query: dict[str, str], status: int) -> None:
    assert signed_in.get("/chains", **query).status_code == status


def test_a_chain_out_of_a_file_is_shown_as_it_was_recorded(
    bokeh_market: ReplayMarket, tmp_path: Path
) -> None:
    file = tmp_path / "chain.csv"
    file.write_text(CHAIN)
    clock = VirtualClock(0)
    chain = read_chain(file)
    with SchwabSimulator(bokeh_market, clock=clock, recorded_chain=chain) as simulator:
        desk = Desk(simulator, clock, requests.Session())
        desk.sign_in()
        body = desk.get("/chains", symbol="$SPX").json()
        dates = desk.get("/expirationchain", symbol="$SPX").json()["expirationList"]
    assert body["isIndex"] is True
    assert body["underlyingPrice"] == 3900.86
    (call,) = contracts(body, "call").values()
    (put,) = contracts(body, "put").values()
    assert (call["bid"], call["ask"], call["volatility"]) == (59.5, 60.5, 31.0)
    assert (call["delta"], call["gamma"], call["openInterest"]) == (0.52, 0.0025, 345)
    assert (put["volatility"], put["delta"], put["theta"]) == (-999, -999, -999)
    assert (call["daysToExpiration"], call["exerciseType"], call["settlementType"]) == (6, "E", "A")
    assert [each["expirationDate"] for each in dates] == ["2022-06-17"]


@pytest.mark.parametrize("text", ["", "a,b\n", CHAIN.replace("59.5,60.5", "59.5,much")])
def test_a_file_that_is_no_chain_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "chain.csv"
    file.write_text(text)
    with pytest.raises(InputError):
        read_chain(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_chain(tmp_path / "none.csv")


def test_moneyness_bends_the_surface_down_to_high_strikes(signed_in: Desk) -> None:
    body = signed_in.get("/chains", symbol="MSFT").json()
    first = {day for day, _ in contracts(body, "call")}
    for day in first:
        row = [(s, c["volatility"]) for (d, s), c in contracts(body, "call").items() if d == day]
        row.sort(key=lambda each: abs(log(each[0] / body["underlyingPrice"])))
        low = [vol for strike, vol in row[:6] if strike < body["underlyingPrice"]]
        high = [vol for strike, vol in row[:6] if strike > body["underlyingPrice"]]
        assert min(low) > max(high)


def test_ranges_and_months_and_kinds_cut_a_chain(signed_in: Desk) -> None:
    spot = signed_in.get("/chains", symbol="IBM", strikeCount=1).json()["underlyingPrice"]

    def strikes(**query: str) -> list[float]:
        body = signed_in.get("/chains", symbol="IBM", contractType="CALL", **query).json()
        return [strike for _, strike in contracts(body, "call")]

    assert min(strikes(range="SAK")) > spot > max(strikes(range="SBK"))
    assert max(abs(strike / spot - 1) for strike in strikes(range="SNK")) <= 0.05
    assert max(strikes(range="ITM")) < spot < min(strikes(range="OTM"))
    assert strikes(optionType="NS") == []
    assert strikes(optionType="S") == strikes() != []
    april = signed_in.get("/chains", symbol="IBM", expMonth="APR", interval=5).json()
    assert {day[:7] for day, _ in contracts(april, "put")} == {"2013-04"}
    assert april["interval"] == 5.0


@pytest.mark.parametrize("strategy", ["COVERED", "VERTICAL", "CALENDAR", "STRADDLE", "ROLL"])
def test_a_strategy_chain_has_lists_instead_of_maps_and_invents_nothing_for_them(
    signed_in: Desk, strategy: str
) -> None:
    body = signed_in.get("/chains", symbol="IBM", strategy=strategy).json()
    assert (body["status"], body["strategy"]) == ("SUCCESS", strategy)
    assert (body["intervals"], body["monthlyStrategyList"]) == ([], [])
    assert not body.keys() & {"callExpDateMap", "putExpDateMap"}


def test_an_analytical_chain_is_valued_with_the_askers_assumptions(signed_in: Desk) -> None:
    query = {"symbol": "IBM", "strategy": "ANALYTICAL", "strikeCount": "3"}
    assumed = {"volatility": 40, "underlyingPrice": 210, "interestRate": 3, "daysToExpiration": 73}
    body = signed_in.get("/chains", **query, **assumed).json()
    for name, number in assumed.items():
        assert body[name] == number
    plain = contracts(signed_in.get("/chains", symbol="IBM", strikeCount=3).json(), "call")
    for (day, strike), call in contracts(body, "call").items():
        put = contracts(body, "put")[day, strike]
        # Put and call at one strike differ by the forward, whatever the volatility.
        parity = 210 - strike * exp(-0.03 * 73 / 365)
        difference = call["theoreticalOptionValue"] - put["theoreticalOptionValue"]
        assert difference == pytest.approx(parity, abs=1e-4)
        assert call["volatility"] == 40.0
        assert (call["bid"], call["ask"]) == (plain[day, strike]["bid"], plain[day, strike]["ask"])
    ignored = signed_in.get("/chains", symbol="IBM", strikeCount=3, volatility=40).json()
    assert contracts(ignored, "call") == plain
