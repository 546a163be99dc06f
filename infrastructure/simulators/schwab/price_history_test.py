from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import requests
from bokeh_sampledata import stocks

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.price_history import HistoryRules, months_before
from infrastructure.simulators.schwab.simulator import SchwabSimulator

CHICAGO = ZoneInfo("America/Chicago")
NEW_YORK = ZoneInfo("America/New_York")
FIELDS = ("open", "high", "low", "close", "volume")
YEARS = {"periodType": "year", "frequencyType": "daily"}


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def midnight_central(day: str) -> int:
    return ms(datetime.fromisoformat(day).replace(tzinfo=CHICAGO))


def day_of(candle: dict[str, Any]) -> date:
    return datetime.fromtimestamp(candle["datetime"] / 1000, CHICAGO).date()


def starts(candles: list[dict[str, Any]]) -> list[datetime]:
    return [datetime.fromtimestamp(candle["datetime"] / 1000, NEW_YORK) for candle in candles]


@pytest.mark.parametrize(
    ("symbol", "splits"),
    [
        ("AAPL", [("2000-06-21", 2), ("2005-02-28", 2)]),
        ("MSFT", [("2003-02-18", 2)]),
        ("GOOG", []),
        ("IBM", []),
        ("FB", []),
    ],
)
def test_daily_candles_are_the_recorded_rows_once_splits_are_undone(
    signed_in: Desk, symbol: str, splits: list[tuple[str, int]]
) -> None:
    answer = signed_in.history(symbol, period=20, **YEARS)
    candles = answer.json()["candles"]
    recorded = getattr(stocks, symbol)
    assert len(candles) == len(recorded["date"])
    for row, candle in enumerate(candles):
        day = recorded["date"][row]
        shares = 1
        for ex_date, ratio in splits:
            shares *= ratio if day < ex_date else 1
        assert candle["datetime"] == midnight_central(day)
        for field in ("open", "high", "low", "close"):
            assert candle[field] * shares == recorded[field][row]
        assert candle["volume"] == recorded["volume"][row] * shares
    assert answer.headers["X-Simulated"] == "replay"


def test_crash_of_september_2000_is_there_and_the_splits_are_not(signed_in: Desk) -> None:
    candles = signed_in.history(period=20, **YEARS).json()["candles"]
    closes = {str(day_of(candle)): candle["close"] for candle in candles}
    assert round(closes["2000-09-29"] / closes["2000-09-28"] - 1, 3) == -0.519
    assert abs(closes["2005-02-28"] / closes["2005-02-25"] - 1) < 0.01
    assert abs(closes["2000-06-21"] / closes["2000-06-20"] - 1) < 0.11


def test_raw_market_shows_prices_as_traded() -> None:
    market = ReplayMarket.from_bokeh(adjusted=False, clock=VirtualClock(0))
    assert market.daily("AAPL").close.tolist() == stocks.AAPL["close"]
    assert market.daily("AAPL").volume.tolist() == stocks.AAPL["volume"]


def test_split_is_applied_only_from_its_date_on() -> None:
    before = ReplayMarket.from_bokeh(as_of=date(2005, 2, 27), clock=VirtualClock(0))
    after = ReplayMarket.from_bokeh(as_of=date(2005, 2, 28), clock=VirtualClock(0))
    assert before.last_session == date(2005, 2, 25)
    assert before.daily("AAPL").close[-1] == 88.99
    assert after.daily("AAPL").close[-2:].tolist() == [88.99 / 2, 44.86]
    assert len(after.daily("FB")) == 0


@pytest.mark.parametrize(
    ("query", "count", "step"),
    [
        ({}, 10 * 390, 60),
        ({"period": 5}, 5 * 390, 60),
        ({"period": 1, "frequency": 5}, 78, 300),
        ({"period": 2, "frequency": 30, "frequencyType": "minute"}, 26, 1800),
    ],
)
def test_periods_of_days_count_sessions(
    signed_in: Desk, query: dict[str, Any], count: int, step: int
) -> None:
    answer = signed_in.history(needExtendedHoursData="false", **query)
    candles = answer.json()["candles"]
    assert len(candles) == count
    assert candles[1]["datetime"] - candles[0]["datetime"] == step * 1000
    assert starts(candles)[0].strftime("%H:%M") == "09:30"
    assert starts(candles)[-1].date() == date(2013, 3, 1)
    assert answer.headers["X-Simulated"] == "synthetic"


def test_minutes_of_a_session_add_up_to_its_daily_bar(signed_in: Desk) -> None:
    query = {"periodType": "day", "period": 10, "needExtendedHoursData": "False"}
    minutes = signed_in.history(**query).json()["candles"]
    daily = signed_in.history(periodType="month", frequencyType="daily").json()["candles"][-10:]
    days = [moment.date() for moment in starts(minutes)]
    for bar in daily:
        part = [c for c, day in zip(minutes, days, strict=True) if day == day_of(bar)]
        assert part[0]["open"] == bar["open"]
        assert part[-1]["close"] == bar["close"]
        assert max(c["high"] for c in part) == bar["high"]
        assert min(c["low"] for c in part) == bar["low"]
        assert sum(c["volume"] for c in part) == bar["volume"]
        assert all(c["low"] <= min(c["open"], c["close"]) for c in part)
        assert all(c["high"] >= max(c["open"], c["close"]) for c in part)


def test_extended_hours_are_the_default_thin_and_inside_seven_to_twenty(signed_in: Desk) -> None:
    candles = signed_in.history(period=2, periodType="day").json()["candles"]
    hours = [moment.time() for moment in starts(candles)]
    regular = signed_in.history(period=2, needExtendedHoursData="false").json()["candles"]
    assert min(hours).isoformat() >= "07:00:00"
    assert max(hours).isoformat() < "20:00:00"
    assert 0 < len(candles) - len(regular) < 390
    inside = {candle["datetime"] for candle in regular}
    assert inside < {candle["datetime"] for candle in candles}
    extra = sum(c["volume"] for c in candles) - sum(c["volume"] for c in regular)
    assert 0 < extra < 0.01 * sum(c["volume"] for c in regular)


def test_early_close_has_half_the_minutes(signed_in: Desk) -> None:
    # 2012-12-24, 13:00 in New York.
    query = {
        "startDate": ms(datetime(2012, 12, 24, 12, tzinfo=UTC)),
        "endDate": ms(datetime(2012, 12, 25, 12, tzinfo=UTC)),
        "needExtendedHoursData": "false",
        "frequency": 5,
    }
    candles = signed_in.history(**query).json()["candles"]
    assert len(candles) == 42
    assert starts(candles)[-1].strftime("%H:%M") == "12:55"


def test_weeks_start_on_monday_and_months_on_the_first_at_midnight_central(
    signed_in: Desk,
) -> None:
    weekly = signed_in.history(periodType="year", period=1, frequencyType="weekly").json()
    assert {day_of(candle).weekday() for candle in weekly["candles"]} == {0}
    assert day_of(weekly["candles"][-1]) == date(2013, 2, 25)
    monthly = signed_in.history(periodType="year", period=20, frequencyType="monthly").json()
    assert [day_of(c).day for c in monthly["candles"]] == [1] * len(monthly["candles"])
    assert monthly["candles"][0]["datetime"] == midnight_central("2000-03-01")
    assert datetime.fromtimestamp(monthly["candles"][4]["datetime"] / 1000, UTC).hour == 5
    assert datetime.fromtimestamp(monthly["candles"][-1]["datetime"] / 1000, UTC).hour == 6


@pytest.mark.parametrize(("frequency", "letter"), [("weekly", "W-SUN"), ("monthly", "M")])
def test_weeks_and_months_equal_what_pandas_makes_of_the_days(
    signed_in: Desk, frequency: str, letter: str
) -> None:
    import pandas as pd

    recorded = pd.DataFrame(stocks.GOOG)
    recorded.index = pd.PeriodIndex(pd.to_datetime(recorded["date"]), freq=letter)
    groups = recorded.groupby(level=0)
    expected = groups.agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    answer = signed_in.history("GOOG", periodType="year", period=20, frequencyType=frequency)
    candles = answer.json()["candles"]
    assert [day_of(c) for c in candles] == [p.start_time.date() for p in expected.index]
    for field in FIELDS:
        assert [candle[field] for candle in candles] == expected[field].tolist()


def test_defaults_of_each_period_type(signed_in: Desk) -> None:
    def spacing(**query: Any) -> float:
        candles = signed_in.history("IBM", **query).json()["candles"]
        return float(np.median(np.diff([c["datetime"] for c in candles]))) / 86_400_000

    assert spacing(needExtendedHoursData="false") == pytest.approx(1 / 1440)
    assert spacing(periodType="month") == 7
    assert 28 <= spacing(periodType="year") <= 31
    assert spacing(periodType="ytd") == 7
    one_year = signed_in.history("IBM", periodType="year").json()["candles"]
    assert len(one_year) == 13


def test_year_to_date_starts_in_january(signed_in: Desk) -> None:
    candles = signed_in.history(periodType="ytd", frequencyType="daily").json()["candles"]
    assert [day_of(candles[0]), day_of(candles[-1])] == [date(2013, 1, 2), date(2013, 3, 1)]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"periodType": "week"}, "periodType"),
        ({"periodType": "day", "period": 6}, "period"),
        ({"periodType": "month", "period": 4}, "period"),
        ({"periodType": "year", "period": 4}, "period"),
        ({"periodType": "ytd", "period": 2}, "period"),
        ({"periodType": "day", "frequencyType": "daily"}, "frequencyType"),
        ({"periodType": "month", "frequencyType": "monthly"}, "frequencyType"),
        ({"periodType": "ytd", "frequencyType": "monthly"}, "frequencyType"),
        ({"periodType": "year", "frequencyType": "minute"}, "frequencyType"),
        ({"periodType": "day", "frequency": 2}, "frequency"),
        ({"periodType": "month", "frequencyType": "daily", "frequency": 5}, "frequency"),
        ({"period": "ten"}, "period"),
        ({"startDate": "yesterday"}, "startDate"),
        ({"endDate": -1}, "endDate"),
        ({"needExtendedHoursData": "yes"}, "needExtendedHoursData"),
        ({"startDate": 1_300_000_000_000, "endDate": 1_200_000_000_000}, "endDate"),
        ({"symbol": ""}, "symbol"),
    ],
)
def test_invalid_parameters_are_refused_by_name(
    signed_in: Desk, query: dict[str, Any], parameter: str
) -> None:
    answer = signed_in.history(**({"symbol": "AAPL"} | query))
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["status"] == "400"
    assert error["title"] == "Bad Request"
    assert error["source"] == {"parameter": parameter}


def test_unknown_symbol_is_not_found_or_empty_by_choice(
    signed_in: Desk, bokeh_market: ReplayMarket
) -> None:
    answer = signed_in.history("NOSUCH")
    assert answer.status_code == 404
    (error,) = answer.json()["errors"]
    assert {"status": "404", "title": "Not Found"}.items() <= error.items()
    signed_in.simulator.price_history.rules = HistoryRules(unknown_symbol="empty")
    assert signed_in.history("NOSUCH").json() == {
        "candles": [],
        "symbol": "NOSUCH",
        "empty": True,
    }


def test_range_without_rows_is_empty(signed_in: Desk) -> None:
    saturday = ms(datetime(2013, 2, 23, 12, tzinfo=UTC))
    answer = signed_in.history(startDate=saturday, endDate=saturday + 3_600_000)
    assert answer.json() == {"candles": [], "symbol": "AAPL", "empty": True}
    future = signed_in.history(startDate=1_700_000_000_000, endDate=1_700_000_100_000, **YEARS)
    assert future.json()["empty"] is True
    early = signed_in.history("FB", startDate=0, endDate=1_000_000_000_000, **YEARS)
    assert early.json()["empty"] is True


def test_start_and_end_bound_the_daily_stamps_inclusively(signed_in: Desk) -> None:
    first, last = midnight_central("2008-09-15"), midnight_central("2008-09-19")
    query = {"startDate": first, "endDate": last} | YEARS
    candles = signed_in.history(**query).json()["candles"]
    assert [day_of(c).day for c in candles] == [15, 16, 17, 18, 19]
    query = {"startDate": first + 1, "endDate": last - 1} | YEARS
    candles = signed_in.history(**query).json()["candles"]
    assert [day_of(c).day for c in candles] == [16, 17, 18]


def test_period_and_range_together_go_by_the_range_or_the_period(signed_in: Desk) -> None:
    # What schwab-py sends for "every day": 1971 to next week, with a period of 20 years.
    both = {"startDate": 31_536_000_000, "endDate": 2_000_000_000_000, "period": 1} | YEARS
    assert len(signed_in.history(**both).json()["candles"]) == 3270
    signed_in.simulator.price_history.rules = HistoryRules(period_and_range="period")
    assert len(signed_in.history(**both).json()["candles"]) < 260


def test_end_without_start_takes_the_period_before_it(signed_in: Desk) -> None:
    end = ms(datetime(2013, 2, 20, 21, tzinfo=UTC))
    candles = signed_in.history(period=3, endDate=end, needExtendedHoursData="false").json()[
        "candles"
    ]
    # Monday 2013-02-18 was a holiday.
    days = sorted({moment.date().day for moment in starts(candles)})
    assert days == [15, 19, 20]


def test_minutes_end_at_their_depth(signed_in: Desk) -> None:
    query = {"startDate": ms(datetime(2012, 1, 3, tzinfo=UTC)), "needExtendedHoursData": "false"}
    ones = starts(signed_in.history(frequency=1, **query).json()["candles"])
    fives = starts(signed_in.history(frequency=5, **query).json()["candles"])
    assert date(2013, 3, 1) - ones[0].date() <= timedelta(days=48)
    assert date(2013, 3, 1) - fives[0].date() <= timedelta(days=270)
    assert fives[0].date() < ones[0].date() - timedelta(days=200)
    signed_in.simulator.price_history.rules = HistoryRules(depth_limits=False)
    week = {"endDate": ms(datetime(2012, 1, 7, tzinfo=UTC))} | query
    assert len(signed_in.history(frequency=1, **week).json()["candles"]) == 4 * 390


def test_previous_close_is_the_session_before_the_first_candle(signed_in: Desk) -> None:
    body = signed_in.history("IBM", period=1, periodType="day", needPreviousClose="True").json()
    assert body["previousClose"] == stocks.IBM["close"][-2]
    assert body["previousCloseDate"] == midnight_central("2013-02-28")
    assert "previousClose" not in signed_in.history("IBM", period=1).json()
    whole = signed_in.history("FB", period=20, needPreviousClose="true", **YEARS).json()
    assert "previousClose" not in whole


def test_symbol_may_be_lower_case_and_the_path_may_end_with_a_slash(signed_in: Desk) -> None:
    answer = signed_in.get("/pricehistory/", symbol="aapl", periodType="month")
    assert answer.json()["symbol"] == "AAPL"


def test_months_before_keeps_the_day_where_the_month_has_it() -> None:
    assert months_before(date(2013, 3, 1), 12) == date(2012, 3, 1)
    assert months_before(date(2012, 3, 31), 1) == date(2012, 2, 29)
    assert months_before(date(2012, 1, 15), 1) == date(2011, 12, 15)
    assert months_before(date(2012, 12, 31), 6) == date(2012, 6, 30)


def test_open_market_shows_a_running_daily_bar_and_finished_minutes_only() -> None:
    clock = VirtualClock(0)
    market = ReplayMarket.from_bokeh(as_of=date(2013, 2, 27), clock=clock)
    # To 10:00 on Thursday, the 28th: 18 hours after Wednesday's close.
    clock.advance(seconds=18 * 3600 - 1)
    assert market.market_date == date(2013, 2, 28)
    with SchwabSimulator(market, clock=clock) as simulator:
        desk = Desk(simulator, clock, requests.Session())
        desk.sign_in()
        last = desk.history(periodType="month", frequencyType="daily").json()["candles"]
        assert day_of(last[-1]) == date(2013, 2, 27)
        now = ms(datetime(2013, 2, 28, 15, tzinfo=UTC))
        running = desk.history(periodType="month", frequencyType="daily", endDate=now).json()[
            "candles"
        ][-1]
        minutes = desk.history(period=1, endDate=now, needExtendedHoursData="false").json()[
            "candles"
        ]
    assert len(minutes) == 30
    assert running["open"] == stocks.AAPL["open"][-2]
    assert running["close"] == minutes[-1]["close"]
    assert running["volume"] == sum(c["volume"] for c in minutes)


def test_range_without_an_end_stops_at_the_close_of_the_last_session() -> None:
    clock = VirtualClock(0)
    market = ReplayMarket.from_bokeh(clock=clock)
    clock.advance(seconds=3 * 3600)
    with SchwabSimulator(market) as simulator, requests.Session() as session:
        desk = Desk(simulator, clock, session)
        desk.sign_in()
        last = starts(desk.history(period=1).json()["candles"])[-1]
        later = starts(desk.history(period=1, endDate=market.now_ns // 10**6).json()["candles"])
    assert last.strftime("%H:%M") == "15:59"
    assert later[-1].hour >= 16
