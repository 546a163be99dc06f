"""The matrix is written out again here, by hand, from Schwab's table: it is the judge."""

import itertools

import pytest

from infrastructure.errors import UsageError
from infrastructure.schwab.enums import FrequencyType, PeriodType
from infrastructure.schwab.history import price_history_request

PERIODS = {
    "day": [1, 2, 3, 4, 5, 10],
    "month": [1, 2, 3, 6],
    "year": [1, 2, 3, 5, 10, 15, 20],
    "ytd": [1],
}
UNITS = {
    "day": ["minute"],
    "month": ["daily", "weekly"],
    "year": ["daily", "weekly", "monthly"],
    "ytd": ["daily", "weekly"],
}
COUNTS = {"minute": [1, 5, 10, 15, 30], "daily": [1], "weekly": [1], "monthly": [1]}
ALL_PERIODS = range(32)
START_MS, END_MS = 1_330_000_000_000, 1_362_009_600_000


@pytest.mark.parametrize("period_type", sorted(PERIODS))
def test_every_combination_is_allowed_exactly_as_in_schwabs_table(period_type: str) -> None:
    for period, unit, count in itertools.product(ALL_PERIODS, COUNTS, [0, 1, 2, 5, 10, 15, 30, 60]):
        in_table = (
            period in PERIODS[period_type] and unit in UNITS[period_type] and count in COUNTS[unit]
        )
        expected = {
            "symbol": "AAPL",
            "periodType": period_type,
            "period": str(period),
            "frequencyType": unit,
            "frequency": str(count),
        }
        try:
            params = price_history_request(
                "AAPL", period_type=period_type, period=period, frequency_type=unit, frequency=count
            ).params()
        except UsageError:
            assert not in_table, expected
        else:
            assert in_table, expected
            assert params == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("day", "10", "minute", "1")),
        ({"period_type": "month"}, ("month", "1", "weekly", "1")),
        ({"period_type": "year"}, ("year", "1", "monthly", "1")),
        ({"period_type": "ytd"}, ("ytd", "1", "weekly", "1")),
        ({"frequency_type": "daily"}, ("year", "1", "daily", "1")),
        ({"frequency_type": "minute", "frequency": 30}, ("day", "10", "minute", "30")),
        ({"period_type": PeriodType.DAY, "period": 5}, ("day", "5", "minute", "1")),
    ],
)
def test_what_is_left_out_is_schwabs_default(
    given: dict[str, object], expected: tuple[str, str, str, str]
) -> None:
    params = price_history_request("AAPL", **given).params()  # type: ignore[arg-type]
    assert (
        params["periodType"],
        params["period"],
        params["frequencyType"],
        params["frequency"],
    ) == expected


def test_a_range_is_sent_without_a_period() -> None:
    params = price_history_request(
        "AAPL", frequency_type=FrequencyType.DAILY, start_ms=START_MS, end_ms=END_MS
    ).params()
    assert "period" not in params
    assert params["periodType"] == "year"
    assert (params["startDate"], params["endDate"]) == (str(START_MS), str(END_MS))


@pytest.mark.parametrize(
    "times", [{"start_ms": START_MS}, {"end_ms": END_MS}, {"start_ms": START_MS, "end_ms": END_MS}]
)
def test_period_and_range_are_never_sent_together(times: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="both given") as caught:
        price_history_request("AAPL", period_type="year", period=1, **times)  # type: ignore[arg-type]
    assert "not both" in str(caught.value)


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"end_ms": END_MS}, "without start_ms"),
        ({"start_ms": END_MS, "end_ms": START_MS}, "not before"),
        ({"start_ms": START_MS, "end_ms": START_MS}, "not before"),
        ({"start_ms": START_MS // 1000}, "milliseconds"),
        ({"start_ms": START_MS * 1000}, "milliseconds"),
        ({"start_ms": float(START_MS)}, "milliseconds"),
        ({"start_ms": True}, "milliseconds"),
        ({"start_ms": -5}, "milliseconds"),
    ],
)
def test_impossible_ranges_are_refused(times: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        price_history_request("AAPL", **times)  # type: ignore[arg-type]


def test_the_lower_bound_that_other_clients_send_is_accepted() -> None:
    # schwab-py sends 1971-01-01 for "as early as possible" (schwab-api.md §2).
    request = price_history_request("AAPL", start_ms=31_536_000_000, end_ms=END_MS)
    assert request.start_ms == 31_536_000_000


def test_booleans_go_on_the_wire_in_lower_case() -> None:
    params = price_history_request("AAPL", extended_hours=False, previous_close=True).params()
    assert params["needExtendedHoursData"] == "false"
    assert params["needPreviousClose"] == "true"


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("AAPL  251219C00200000", "option"),
        ("/ESZ25", "future"),
        ("./OZCZ23C565", "future option"),
        ("EUR/USD", "forex pair"),
    ],
)
def test_classes_without_candles_are_refused_by_name(symbol: str, kind: str) -> None:
    with pytest.raises(UsageError, match=f"is a {kind}, and Schwab keeps candles for"):
        price_history_request(symbol)


@pytest.mark.parametrize("symbol", ["brk/b", " $spx ", "BF.B", "SPY"])
def test_equities_and_indices_are_accepted_in_upper_case(symbol: str) -> None:
    assert price_history_request(symbol).symbol == symbol.strip().upper()


@pytest.mark.parametrize("symbol", ["", "  ", "AAPL,MSFT", "A\x00", "ÄPL"])
def test_malformed_symbols_are_refused(symbol: str) -> None:
    with pytest.raises(UsageError):
        price_history_request(symbol)


def test_a_misspelt_word_brings_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'minute'"):
        price_history_request("AAPL", frequency_type="minutes")
    with pytest.raises(UsageError, match="Did you mean 'year'"):
        price_history_request("AAPL", period_type="years")


def test_a_daily_candle_over_days_is_refused_with_what_works() -> None:
    with pytest.raises(UsageError, match="month, year or ytd"):
        price_history_request("AAPL", period_type="day", frequency_type="daily")
