import json

import msgspec
import numpy as np
import pytest

from infrastructure.schwab.candles import parse_candle_list
from infrastructure.schwab.wire import WireFormError

ROW = {"open": 1, "high": 3.5, "low": 0.5, "close": 2.0, "volume": 100, "datetime": 1362009600000}


def body(*rows: object, **more: object) -> bytes:
    return json.dumps({"candles": rows, "symbol": "AAPL", "empty": not rows, **more}).encode()


def test_candles_are_typed_and_come_as_columns() -> None:
    later = {**ROW, "close": 2.5, "volume": 7, "datetime": 1362096000000}
    candles = parse_candle_list(body(ROW, later))
    assert (candles.symbol, candles.empty, len(candles)) == ("AAPL", False, 2)
    assert candles.candles[0].open == 1.0
    columns = candles.columns()
    assert {name: column.dtype for name, column in columns.items()} == {
        "time": np.dtype(np.int64),
        "open": np.dtype(np.float64),
        "high": np.dtype(np.float64),
        "low": np.dtype(np.float64),
        "close": np.dtype(np.float64),
        "volume": np.dtype(np.int64),
    }
    assert columns["time"].tolist() == [1362009600000 * 10**6, 1362096000000 * 10**6]
    assert columns["close"].tolist() == [2.0, 2.5]
    assert columns["volume"].tolist() == [100, 7]


def test_no_candles_are_an_empty_result_with_columns_of_length_zero() -> None:
    candles = parse_candle_list(body())
    assert candles.empty
    assert {len(column) for column in candles.columns().values()} == {0}


def test_an_answer_without_the_candles_key_is_empty() -> None:
    assert parse_candle_list(b'{"symbol":"AAPL","empty":true}').empty


def test_the_previous_close_is_typed_and_none_without_it() -> None:
    given = parse_candle_list(body(ROW, previousClose=441.4, previousCloseDate=1361923200000))
    assert (given.previous_close, given.previous_close_date) == (441.4, 1361923200000)
    assert parse_candle_list(body(ROW)).previous_close is None


def test_unknown_keys_are_kept_on_the_list_and_on_candles() -> None:
    candles = parse_candle_list(
        body({**ROW, "datetimeISO8601": "2013-02-28"}, ROW, previousCloseDateISO8601="2013-02-27")
    )
    assert candles.extra == {"previousCloseDateISO8601": "2013-02-27"}
    assert candles.candles[0].extra == {"datetimeISO8601": "2013-02-28"}
    assert candles.candles[1].extra == {}


def test_whole_floats_are_volumes_too() -> None:
    assert parse_candle_list(body({**ROW, "volume": 1e6})).candles[0].volume == 1_000_000


@pytest.mark.parametrize(
    "bad",
    [
        {**ROW, "close": None},
        {**ROW, "volume": 1.5},
        {**ROW, "high": "3"},
        {key: value for key, value in ROW.items() if key != "low"},
        "no candle",
    ],
)
def test_a_candle_without_a_value_is_set_apart_not_lost_and_not_filled(bad: object) -> None:
    candles = parse_candle_list(body(ROW, bad, ROW))
    assert len(candles) == 2
    assert candles.malformed == (bad,)
    assert not candles.empty


def test_only_malformed_candles_are_not_an_empty_history() -> None:
    assert not parse_candle_list(body({"open": 1})).empty


@pytest.mark.parametrize("wrong", [b"[]", b'"text"', b"{}", b'{"symbol":5}'])
def test_another_form_is_refused(wrong: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, WireFormError)):
        parse_candle_list(wrong)


def test_candles_that_are_no_list_are_refused() -> None:
    with pytest.raises(WireFormError, match="expected a list"):
        parse_candle_list(b'{"symbol":"AAPL","candles":{}}')


def test_a_cut_off_body_is_no_json() -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_candle_list(body(ROW)[:-3])
