"""Judge the reading of Schwab's chains with documents written by hand from what accounts see."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError, ProviderUnavailable
from infrastructure.schwab.chains import parse_chain
from system.algo_trader.feeds.schwab_chain import SchwabChain, standard_chain
from system.algo_trader.options.black import greeks
from system.algo_trader.options.gex import gex_report
from system.algo_trader.options.parity import RateCurve

QUOTED_MS = 1_728_936_000_000  # 2024-10-14T20:00:00Z


def contract(right: str, strike: float, **changed: Any) -> dict[str, Any]:
    price = float(greeks(230.0, strike, 4 / 365, 0.25, right == "C").price)
    return {
        "putCall": "CALL" if right == "C" else "PUT",
        "symbol": f"AAPL  241018{right}{int(strike * 1000):08d}",
        "exchangeName": "OPR",
        "bid": price,
        "ask": price + 0.0002,
        "last": 1.5,
        "totalVolume": 7,
        "quoteTimeInLong": QUOTED_MS,
        "volatility": 25.0,
        "delta": 0.4,
        "gamma": 0.03,
        "openInterest": 120,
        "strikePrice": strike,
        "expirationDate": "2024-10-18T20:00:00.000+00:00",
        "multiplier": 100.0,
        "settlementType": "P",
        "nonStandard": False,
        "mini": False,
        **changed,
    }


def document(*contracts: dict[str, Any], **changed: Any) -> dict[str, Any]:
    maps: dict[str, dict[str, Any]] = {"CALL": {}, "PUT": {}}
    for each in contracts:
        strikes = maps[each["putCall"]].setdefault("2024-10-18:4", {})
        strikes.setdefault(str(each["strikePrice"]), []).append(each)
    return {
        "symbol": "AAPL",
        "status": "SUCCESS",
        "strategy": "SINGLE",
        "isDelayed": False,
        "isChainTruncated": False,
        "underlyingPrice": 230.0,
        "volatility": 29.0,
        "callExpDateMap": maps["CALL"],
        "putExpDateMap": maps["PUT"],
        **changed,
    }


def read(answer: dict[str, Any], symbol: str) -> SchwabChain:
    return standard_chain(parse_chain(answer), symbol)


def ladder(**changed: Any) -> list[dict[str, Any]]:
    strikes = [float(strike) for strike in range(215, 246, 2)]
    return [contract(right, strike, **changed) for right in "CP" for strike in strikes]


def test_a_contract_becomes_a_row_with_percents_as_fractions() -> None:
    got = read(document(contract("C", 232.5, bid=1.1, ask=1.2)), "AAPL")
    chain = got.chain
    assert (chain.underlying, chain.spot, len(chain)) == ("AAPL", 230.0, 1)
    assert (chain.bid[0], chain.ask[0], chain.last[0]) == (1.1, 1.2, 1.5)
    assert (chain.volume[0], chain.open_interest[0], chain.strike[0]) == (7, 120, 232.5)
    assert chain.vendor_volatility[0] == pytest.approx(0.25)
    assert (chain.vendor_delta[0], chain.vendor_gamma[0]) == (0.4, 0.03)
    assert rfc3339(chain.as_of_ns) == "2024-10-14T20:00:00Z"
    assert rfc3339(int(chain.settles_ns[0])) == "2024-10-18T20:00:00Z"
    assert (got.left_out, got.is_delayed, got.is_truncated) == (0, False, False)


@pytest.mark.parametrize("sentinel", [-999.0, -999, math.nan, "NaN", None])
def test_sentinels_become_missing_and_greeks_are_recomputed(sentinel: Any) -> None:
    rows = ladder(volatility=sentinel, delta=sentinel, gamma=sentinel)
    chain = read(document(*rows), "AAPL").chain
    for column in (chain.vendor_volatility, chain.vendor_delta, chain.vendor_gamma):
        assert np.isnan(column).all()
    report = gex_report(chain, now_ns=chain.as_of_ns, curve=RateCurve.flat(0), prefer="vendor")
    said = report.as_dict()
    assert said["greeks_source"] == {"none": 0, "computed": len(rows), "vendor": 0}
    assert said["expiries"][0]["atm_volatility"] == pytest.approx(0.25, abs=2e-3)


def test_vendor_greeks_are_said_to_be_the_vendors_when_preferred() -> None:
    chain = read(document(*ladder()), "AAPL").chain
    report = gex_report(chain, now_ns=chain.as_of_ns, curve=RateCurve.flat(0), prefer="vendor")
    assert report.as_dict()["greeks_source"]["vendor"] == len(chain)


def test_adjusted_and_mini_contracts_are_counted_and_left_out() -> None:
    odd = [
        contract("C", 230.0, symbol="AAPL1 241018C00230000", nonStandard=True),
        contract("C", 225.0, symbol="AAPL7 241018C00225000", mini=True),
        contract("P", 225.0, multiplier=10.0),
    ]
    got = read(document(contract("C", 230.0), *odd), "AAPL")
    assert (len(got.chain), got.left_out) == (1, 3)
    with pytest.raises(NoDataError, match="no option that delivers 100 shares"):
        read(document(*odd), "AAPL")


@pytest.mark.parametrize(
    "empty",
    [
        {"symbol": "X", "callExpDateMap": {}, "putExpDateMap": {}, "status": "FAILED"},
        {"symbol": "X"},
    ],
)
def test_a_symbol_without_options_is_no_data(empty: dict[str, Any]) -> None:
    with pytest.raises(NoDataError, match="Schwab lists no options on X"):
        read(empty, "X")


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (document(contract("C", 230.0, symbol="AAPL")), "AAPL"),
        (document(contract("C", 230.0, quoteTimeInLong=None)), "when it was quoted"),
        (document(contract("C", 230.0), underlyingPrice=None), "the underlying's price"),
    ],
)
def test_what_a_chain_cannot_do_without_is_the_providers_fault(broken: Any, sentence: str) -> None:
    with pytest.raises(ProviderUnavailable, match=sentence):
        read(broken, "AAPL")


@settings(max_examples=25, deadline=None)
@given(st.permutations(ladder()))
def test_the_order_of_keys_does_not_matter(shuffled: list[dict[str, Any]]) -> None:
    turned = [dict(reversed(each.items())) for each in shuffled]
    expected = read(document(*ladder()), "AAPL").chain
    chain = read(document(*turned), "AAPL").chain
    assert chain.strike.tolist() == expected.strike.tolist()
    assert chain.is_call.tolist() == expected.is_call.tolist()
    assert chain.bid.tolist() == expected.bid.tolist()
