"""Where live accounts see something else than Schwab's papers say: one test for each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.desk import REAL_NOW_NS, Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.order_desk import OrderPace
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.wire_check import differences

OPEN_TO_NEXT_MORNING_S = 17 * 3_600 + 40 * 60


@pytest.fixture
def trading() -> Iterator[Desk]:
    """A simulator at 09:40 of 2012-10-25 that nobody waits for."""
    clock = VirtualClock(REAL_NOW_NS)
    market = ReplayMarket.from_bokeh(as_of=date(2012, 10, 24), clock=clock)
    with SchwabSimulator(market, clock=clock) as simulator, requests.Session() as session:
        desk = Desk(simulator, clock, session)
        clock.advance(seconds=OPEN_TO_NEXT_MORNING_S)
        desk.sign_in()
        yield desk


def trader(desk: Desk, path: str, method: str = "GET", **more: Any) -> requests.Response:
    return desk.session.request(method, f"{desk.simulator.base_url}/trader/v1{path}", **more)


def account_path(desk: Desk, place: int = 0) -> str:
    return f"/accounts/{trader(desk, '/accounts/accountNumbers').json()[place]['hashValue']}"


def share_order(quantity: int, instruction: str = "BUY", **more: Any) -> dict[str, Any]:
    leg = {
        "instruction": instruction,
        "quantity": quantity,
        "instrument": {"symbol": "AAPL", "assetType": "EQUITY"},
    }
    usual = {
        "orderType": "MARKET",
        "session": "NORMAL",
        "duration": "DAY",
        "orderStrategyType": "SINGLE",
        "orderLegCollection": [leg],
    }
    return usual | more


def placed(desk: Desk, order: dict[str, Any], place: int = 0) -> str:
    answer = trader(desk, account_path(desk, place) + "/orders", "POST", json=order)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].removeprefix("https://api.schwabapi.com/trader/v1")


def test_deviation_1_user_preference_is_one_object(signed_in: Desk) -> None:
    body = trader(signed_in, "/userPreference").json()
    assert body.keys() == {"accounts", "streamerInfo", "offers"}
    assert len(body["streamerInfo"]) == 1


def test_deviation_2_chain_contracts_have_the_short_keys(signed_in: Desk) -> None:
    body = signed_in.get("/chains", symbol="AAPL", strikeCount=2).json()
    days, by_strike = next(iter(body["callExpDateMap"].items()))
    assert days == "2013-03-08:7"
    for strike, contracts in by_strike.items():
        assert strike == str(float(strike))
        assert isinstance(contracts, list)
        keys = contracts[0].keys()
        assert keys >= {"bid", "ask", "last", "mark", "inTheMoney", "mini", "pennyPilot"}
        assert keys >= {"extrinsicValue", "high52Week", "low52Week", "exerciseType"}
        assert not keys & {"bidPrice", "askPrice", "lastPrice", "markPrice", "isInTheMoney"}


def test_deviation_3_an_expirations_key_is_expiration_date(signed_in: Desk) -> None:
    first = signed_in.get("/expirationchain", symbol="AAPL").json()["expirationList"][0]
    assert "expirationDate" in first
    assert "expiration" not in first


def test_deviation_4_movers_have_shares_of_volume_and_no_order_of_ones_own(
    signed_in: Desk,
) -> None:
    plain = signed_in.get("/movers/$COMPX").json()["screeners"]
    wanted = signed_in.get("/movers/$COMPX", sort="PERCENT_CHANGE_UP", frequency=60).json()
    assert plain == wanted["screeners"]
    assert plain[0].keys() == {
        "description",
        "volume",
        "lastPrice",
        "netChange",
        "marketShare",
        "totalVolume",
        "trades",
        "netPercentChange",
        "symbol",
    }
    assert sum(item["marketShare"] for item in plain) == pytest.approx(100, abs=0.1)
    assert signed_in.get("/movers/$SPX.X").status_code == 400


def test_deviation_5_a_cusip_answers_a_list_of_one(signed_in: Desk) -> None:
    assert len(signed_in.get("/instruments/037833100").json()["instruments"]) == 1


def test_deviation_7_a_dead_refresh_token_nests_the_real_error_as_text(desk: Desk) -> None:
    body = desk.refresh("dead").json()
    assert body["error"] == "unsupported_token_type"
    assert "refresh_token_authentication_error" in body["error_description"]


def test_deviation_8_an_order_beyond_buying_power_is_201_and_rejected_a_second_later(
    trading: Desk,
) -> None:
    path = placed(trading, share_order(1_000_000))
    assert trader(trading, path).json()["status"] == "NEW"
    trading.clock.advance(seconds=1)
    body = trader(trading, path).json()
    assert body["status"] == "REJECTED"
    assert "buying power" in body["statusDescription"]


def test_deviation_9_accounts_have_an_aggregated_balance_and_more_keys(signed_in: Desk) -> None:
    for body in trader(signed_in, "/accounts").json():
        assert body["aggregatedBalance"]["liquidationValue"] == 100_000
        inside = body["securitiesAccount"]
        assert inside["currentBalances"].keys() >= {
            "cashBalance",
            "cashReceipts",
            "liquidationValue",
            "longMarketValue",
            "savings",
            "pendingDeposits",
        }
        assert inside["initialBalances"]["isInCall"] is False


def test_deviation_10_times_of_orders_have_no_colon_and_no_milliseconds(trading: Desk) -> None:
    path = placed(trading, share_order(10))
    assert trader(trading, path).json()["enteredTime"] == "2012-10-25T13:40:01+0000"


def test_a_bought_share_is_paid_held_and_told(trading: Desk) -> None:
    seen: list[str] = []
    trading.simulator.orders.listen(lambda event: seen.append(event.message_type))
    path = placed(trading, share_order(100))
    order = trader(trading, path).json()
    assert order["status"] == "FILLED"
    price = order["orderActivityCollection"][0]["executionLegs"][0]["price"]
    own = account_path(trading)
    inside = trader(trading, own, params={"fields": "positions"}).json()["securitiesAccount"]
    assert inside["positions"][0]["longQuantity"] == 100
    assert inside["currentBalances"]["cashBalance"] == pytest.approx(100_000 - 100 * price)
    span = {"startDate": "2012-10-01T00:00:00.000Z", "endDate": "2012-11-01T00:00:00Z"}
    (trade,) = trader(trading, own + "/transactions", params=span | {"types": "TRADE"}).json()
    assert trade["netAmount"] == pytest.approx(-100 * price)
    assert trade["orderId"] == order["orderId"]
    one = trader(trading, f"{own}/transactions/{trade['activityId']}").json()
    assert one == trade
    assert seen == [
        "OrderCreated",
        "OrderAccepted",
        "ExecutionRequested",
        "ExecutionRequestCreated",
        "ExecutionRequestCompleted",
        "OrderFillCompleted",
    ]


def test_a_canceled_order_tells_its_messages_in_the_observed_order(trading: Desk) -> None:
    path = placed(trading, share_order(10, orderType="LIMIT", price="1.00"))
    seen: list[str] = []
    leave = trading.simulator.orders.listen(lambda event: seen.append(event.message_type))
    assert trader(trading, path, "DELETE").status_code == 200
    assert seen == [
        "CancelAccepted",
        "ExecutionRequested",
        "ExecutionRequestCompleted",
        "ExecutionCreated",
        "OrderUROutCompleted",
    ]
    assert trader(trading, path, "DELETE").status_code == 400
    leave()
    placed(trading, share_order(1))
    assert len(seen) == 5


def test_a_replaced_order_leaves_a_new_one_that_cannot_be_replaced_when_gone(
    trading: Desk,
) -> None:
    path = placed(trading, share_order(10, orderType="LIMIT", price=1.0))
    answer = trader(trading, path, "PUT", json=share_order(5, orderType="LIMIT", price=2))
    new = answer.headers["Location"].removeprefix("https://api.schwabapi.com/trader/v1")
    assert trader(trading, path).json()["status"] == "REPLACED"
    assert trader(trading, new).json()["status"] == "WORKING"
    assert trader(trading, path, "PUT", json=share_order(5)).status_code == 400


def test_a_limit_meets_the_replayed_minutes_and_fills_inside_the_days_range(
    trading: Desk,
) -> None:
    low = trading.simulator.market.daily("AAPL")
    last = float(low.close[-1])
    path = placed(trading, share_order(10, orderType="LIMIT", price=round(last - 1, 2)))
    trading.clock.advance(seconds=6 * 3_600)
    trading.sign_in()
    order = trader(trading, path).json()
    day = trading.simulator.market.daily("AAPL")
    reached = float(day.low[-1]) <= last - 1.01
    assert order["status"] == ("FILLED" if reached else "WORKING")
    trading.clock.advance(seconds=3_600)
    trading.sign_in()
    assert trader(trading, path).json()["status"] == ("FILLED" if reached else "EXPIRED")


def test_orders_after_the_close_wait_for_the_open(signed_in: Desk) -> None:
    path = placed(signed_in, share_order(10))
    assert trader(signed_in, path).json()["status"] == "PENDING_ACTIVATION"


def test_a_bracket_shows_its_children_waiting_for_their_parent(trading: Desk) -> None:
    children = [
        share_order(10, "SELL", orderType="LIMIT", price="2000.00"),
        share_order(10, "SELL", orderType="STOP", stopPrice="1.00"),
    ]
    group = {"orderStrategyType": "OCO", "childOrderStrategies": children}
    entry = share_order(
        10,
        orderType="LIMIT",
        price="1.00",
        orderStrategyType="TRIGGER",
        childOrderStrategies=[group],
    )
    order = trader(trading, placed(trading, entry)).json()
    (oco,) = order["childOrderStrategies"]
    assert oco.keys() == {"orderStrategyType", "childOrderStrategies"}
    assert {child["status"] for child in oco["childOrderStrategies"]} == {"AWAITING_PARENT_ORDER"}


def test_a_vertical_of_options_trades_at_its_net_price(trading: Desk) -> None:
    chain = trading.get("/chains", symbol="AAPL", contractType="CALL", strikeCount=2).json()
    by_strike = next(iter(chain["callExpDateMap"].values()))
    (low,), (high,) = by_strike.values()
    legs = [
        {
            "instruction": instruction,
            "quantity": 2,
            "instrument": {"symbol": contract["symbol"], "assetType": "OPTION"},
        }
        for instruction, contract in (("BUY_TO_OPEN", low), ("SELL_TO_OPEN", high))
    ]
    net = round(low["ask"] - high["bid"], 2)
    order = share_order(
        1,
        orderType="NET_DEBIT",
        price=f"{net:.2f}",
        complexOrderStrategyType="VERTICAL",
        orderLegCollection=legs,
    )
    body = trader(trading, placed(trading, order)).json()
    assert body["status"] == "FILLED"
    assert body["orderLegCollection"][0]["instrument"]["putCall"] == "CALL"


@pytest.mark.parametrize(
    "change",
    [
        {"duration": "END_OF_WEEK"},
        {"requestedDestination": "INET"},
        {"orderType": "LIMIT", "price": "10.001"},
        {"orderType": "LIMIT"},
        {"orderType": "CABINET"},
        {"session": "NIGHT"},
        {"orderLegCollection": []},
        {"orderStrategyType": "OCO"},
    ],
)
def test_orders_that_cannot_be_read_are_400_with_message_and_errors(
    trading: Desk, change: dict[str, Any]
) -> None:
    answer = trader(
        trading, account_path(trading) + "/orders", "POST", json=share_order(1) | change
    )
    assert answer.status_code == 400
    assert answer.json().keys() == {"message", "errors"}


def test_a_cash_account_cannot_sell_what_it_does_not_hold(trading: Desk) -> None:
    path = placed(trading, share_order(1, "SELL"), place=1)
    trading.clock.advance(seconds=1)
    assert trader(trading, path).json()["status"] == "REJECTED"


def test_a_preview_names_why_an_order_would_be_rejected(trading: Desk) -> None:
    own = account_path(trading)
    good = trader(trading, own + "/previewOrder", "POST", json=share_order(1)).json()
    assert good["orderValidationResult"]["rejects"] == []
    bad = trader(trading, own + "/previewOrder", "POST", json=share_order(10**6)).json()
    assert bad["orderStrategy"]["status"] == "REJECTED"
    assert bad["orderValidationResult"]["rejects"][0]["originalSeverity"] == "REJECT"
    sells = [share_order(1, "SELL", orderType="LIMIT", price=p) for p in ("2000", "2100")]
    group = {"orderStrategyType": "OCO", "childOrderStrategies": sells}
    nested = {"orderStrategyType": "OCO", "childOrderStrategies": [group, group]}
    for body, status in ((group, 200), (nested, 400)):
        assert trader(trading, own + "/previewOrder", "POST", json=body).status_code == status
    assert trader(trading, own + "/orders", params=RANGE).json() == []


RANGE = {
    "fromEnteredTime": "2012-10-01T00:00:00.000Z",
    "toEnteredTime": "2012-11-01T00:00:00Z",
}


def test_orders_are_listed_by_time_status_and_number(trading: Desk) -> None:
    own = account_path(trading)
    placed(trading, share_order(1))
    placed(trading, share_order(1, orderType="LIMIT", price="1.00"))
    assert len(trader(trading, own + "/orders", params=RANGE).json()) == 2
    working = trader(trading, "/orders", params=RANGE | {"status": "WORKING"}).json()
    assert [order["status"] for order in working] == ["WORKING"]
    assert len(trader(trading, own + "/orders/", params=RANGE | {"maxResults": "1"}).json()) == 1
    assert trader(trading, own + "/orders").status_code == 400
    assert trader(trading, "/accounts/10000001").status_code == 400
    assert trader(trading, own + "/orders/7").status_code == 404


def test_deviation_11_a_fund_is_called_otherwise_in_positions_than_in_quotes(
    tmp_path: Path,
) -> None:
    file = tmp_path / "spy.csv"
    rows = [
        "time,symbol,price,size",
        *(
            f"2012-10-25 09:{minute}:{second},SPY,{141 + second / 100},10"
            for minute in range(30, 50)
            for second in (10, 20)
        ),
    ]
    file.write_text("\n".join(rows))
    clock = VirtualClock(REAL_NOW_NS)
    market = ReplayMarket.from_file(file, clock=clock)
    with SchwabSimulator(market, clock=clock) as simulator, requests.Session() as session:
        desk = Desk(simulator, clock, session)
        desk.sign_in()
        minutes = market.minutes("SPY", date(2012, 10, 25), date(2012, 10, 25), False)
        assert (len(minutes), float(minutes.open[0]), float(minutes.close[0])) == (20, 141.1, 141.2)
        assert minutes.volume.sum() == 400
        quote = desk.get("/quotes", symbols="SPY").json()["SPY"]
        assert (quote["assetMainType"], quote["assetSubType"]) == ("EQUITY", "ETF")
        order = share_order(1, session="SEAMLESS")
        order["orderLegCollection"][0]["instrument"]["symbol"] = "SPY"
        placed(desk, order)
        own = account_path(desk)
        inside = trader(desk, own, params={"fields": "positions"}).json()["securitiesAccount"]
        instrument = inside["positions"][0]["instrument"]
        assert instrument["assetType"] == "COLLECTIVE_INVESTMENT"
        assert instrument["type"] == "EXCHANGE_TRADED_FUND"


def test_orders_previews_and_transactions_keep_to_the_published_schema(trading: Desk) -> None:
    own = account_path(trading)
    order = trader(trading, placed(trading, share_order(100))).json()
    assert (
        differences(order, "Order", side="trader", observed=("activityId", "assetType", "symbol"))
        == []
    )
    preview = trader(trading, own + "/previewOrder", "POST", json=share_order(1)).json()
    assert differences(preview, "PreviewOrder", side="trader") == []
    span = {"startDate": "2012-10-01T00:00:00.000Z", "endDate": "2012-11-01T00:00:00Z"}
    (trade,) = trader(trading, own + "/transactions", params=span | {"types": "TRADE"}).json()
    seen = ("status", "closingPrice", "type", "assetType", "symbol", "description", "instrumentId")
    assert differences(trade, "Transaction", side="trader", observed=seen) == []
    preference = trader(trading, "/userPreference").json()
    assert differences(preference, "UserPreference", side="trader") == []


def test_a_large_order_fills_in_parts_as_size_is_shown(trading: Desk) -> None:
    path = placed(trading, share_order(1_000) | short_leg(1_000))
    parts = []
    for _ in range(200):
        order = trader(trading, path).json()
        parts.append(order["filledQuantity"])
        assert order["filledQuantity"] + order["remainingQuantity"] == 1_000
        if order["status"] == "FILLED":
            break
        assert order["status"] == "WORKING"
        trading.clock.advance(seconds=1)
    assert parts == sorted(parts)
    assert 0 < parts[0] < parts[-1] == 1_000
    assert parts[-1] == sum(each["quantity"] for each in order["orderActivityCollection"])


def short_leg(quantity: int) -> dict[str, Any]:
    instrument = {"symbol": "IBM", "assetType": "EQUITY"}
    leg = {"instruction": "SELL_SHORT", "quantity": quantity, "instrument": instrument}
    return {"orderLegCollection": [leg]}


@pytest.mark.parametrize("fills_first", [True, False])
def test_a_cancel_on_its_way_races_with_the_market(trading: Desk, fills_first: bool) -> None:
    trading.simulator.orders.pace = OrderPace(cancel_s=120 if fills_first else 0.5)
    last = float(trading.simulator.market.daily("AAPL").close[-1])
    # Above the market from the next minute on, below it now: the ask is a cent above the last.
    path = placed(trading, share_order(1, orderType="LIMIT", price=round(last, 2)))
    assert trader(trading, path).json()["status"] == "WORKING"
    trader(trading, path, "DELETE")
    assert trader(trading, path).json()["status"] == "PENDING_CANCEL"
    trading.clock.advance(seconds=0.6 if not fills_first else 119)
    status = trader(trading, path).json()["status"]
    fell = lowest_of_two_minutes(trading) <= last - 0.01
    assert status == ("CANCELED" if not fills_first else "FILLED" if fell else "PENDING_CANCEL")
    trading.clock.advance(seconds=2)
    status = trader(trading, path).json()["status"]
    assert status == ("FILLED" if fills_first and fell else "CANCELED")


def lowest_of_two_minutes(desk: Desk) -> float:
    day = date(2012, 10, 25)
    return float(desk.simulator.market.minutes("AAPL", day, day, False).low[-2:].min())


def test_two_orders_of_one_moment_share_the_displayed_size(trading: Desk) -> None:
    before = trading.simulator.orders.quote("IBM")
    assert before is not None
    short = share_order(1) | short_leg(500)
    assert 500 < before.bid_size < 1_000
    first, second = (trader(trading, placed(trading, short)).json() for _ in range(2))
    shown = trading.simulator.orders.quote("IBM")
    assert shown is not None
    assert first["filledQuantity"] + second["filledQuantity"] == shown.bid_size
