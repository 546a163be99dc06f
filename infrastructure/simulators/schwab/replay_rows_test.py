from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import InputError
from infrastructure.simulators.schwab.market import ReplayMarket

DAILY = """Symbol,Date,Open,High,Low,Close,Volume
SPY,2019-02-15,276.36,277.41,276.13,277.37,97088659
SPY,2019-02-14,273.78,275.64,272.87,274.38,83234396
qqq,2019-02-15,172.0,173.0,171.0,172.5,1000.0
"""
MINUTES = """datetime,open,high,low,close,volume
2019-02-15 16:00:00,170.23,170.42,170.21,170.38,427888
2019-02-15 15:59:00,170.17,170.25,170.13,170.2461,202717
2019-02-15 09:31:00,171.25,171.5,171.2,171.3,1000
2019-02-15 09:30:00,171.0,171.1,170.9,171.0,10
2019-02-14 09:32:00,169.5,169.9,169.4,169.7,500
2019-02-14 09:31:00,169.71,169.8,169.6,169.5,700
"""


def written(folder: Path, text: str, name: str = "bars.csv") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def replay(file: Path, **more: object) -> ReplayMarket:
    return ReplayMarket.from_file(file, clock=VirtualClock(0), **more)  # type: ignore[arg-type]


def test_daily_file_newest_first_is_replayed_in_order(tmp_path: Path) -> None:
    market = replay(written(tmp_path, DAILY))
    assert market.symbols == ("QQQ", "SPY")
    assert market.market_date == date(2019, 2, 15)
    assert market.daily("SPY").close.tolist() == [274.38, 277.37]
    assert market.daily("SPY").volume.tolist() == [83234396, 97088659]
    assert market.is_synthetic("1m")
    assert not market.is_synthetic("1w")
    assert market.source == "bars.csv"


def test_parquet_file_is_the_same_as_csv(tmp_path: Path) -> None:
    frame = pd.read_csv(written(tmp_path, DAILY))
    frame["Date"] = pd.to_datetime(frame["Date"])
    frame.to_parquet(tmp_path / "bars.parquet")
    market = replay(tmp_path / "bars.parquet")
    assert market.daily("SPY").close.tolist() == [274.38, 277.37]


def test_file_without_symbols_needs_one(tmp_path: Path) -> None:
    file = written(tmp_path, MINUTES)
    with pytest.raises(InputError, match="lacks symbol"):
        replay(file)
    assert replay(file, symbol="aapl").symbols == ("AAPL",)


def test_minutes_labelled_by_their_end_are_shifted_and_are_not_synthetic(tmp_path: Path) -> None:
    market = replay(written(tmp_path, MINUTES), symbol="AAPL", bar_label="end")
    assert not market.is_synthetic("1m")
    bars = market.minutes("AAPL", date(2019, 2, 14), date(2019, 2, 15), False)
    times = pd.DatetimeIndex(bars.start_ns, tz="UTC").tz_convert("America/New_York")
    assert times.strftime("%d %H:%M").tolist() == [
        "14 09:30",
        "14 09:31",
        "15 09:30",
        "15 15:58",
        "15 15:59",
    ]
    # 09:30 by its end is 09:29, before the open.
    whole = market.minutes("AAPL", date(2019, 2, 14), date(2019, 2, 15), True)
    assert len(whole) == 6
    daily = market.daily("AAPL")
    assert daily.open.tolist() == [169.71, 171.25]
    assert daily.close.tolist() == [169.7, 170.38]
    assert daily.high.tolist() == [169.9, 171.5]
    assert daily.volume.tolist() == [1200, 1000 + 202717 + 427888]


def test_times_with_a_zone_are_taken_as_they_are(tmp_path: Path) -> None:
    text = MINUTES.replace(":00,", ":00-05:00,")
    market = replay(written(tmp_path, text), symbol="AAPL")
    naive = replay(written(tmp_path, MINUTES), symbol="AAPL")
    assert np.array_equal(
        market.minutes("AAPL", date(2019, 2, 14), date(2019, 2, 15), True).start_ns,
        naive.minutes("AAPL", date(2019, 2, 14), date(2019, 2, 15), True).start_ns,
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("symbol,date,open,high,low\nA,2019-02-15,1,1,1\n", "lacks close, volume"),
        ("symbol,open,high,low,close,volume\nA,1,1,1,1,1\n", "lacks date or time"),
        ("symbol,date,open,high,low,close,volume\n", "no rows"),
        (DAILY + "SPY,2019-02-15,1,1,1,1,1\n", "two rows for 2019-02-15"),
        (DAILY + "SPY,2019-02-16,1,1,1,1,1\n", "2019-02-16, which is no session"),
        (DAILY + "SPY,2019-02-13,,1,1,1,1\n", "no open"),
        (DAILY + "SPY,2019-02-13,x,1,1,1,1\n", "open is not a number"),
        (DAILY + "SPY,soon,1,1,1,1,1\n", "time that cannot be read"),
        (DAILY + "SPY,,1,1,1,1,1\n", "row without a time"),
    ],
)
def test_file_that_cannot_be_replayed_is_refused_with_the_reason(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        replay(written(tmp_path, text))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        replay(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="cannot be read"):
        replay(written(tmp_path, "PAR1", "bars.parquet"))
    with pytest.raises(InputError, match="cannot be read"):
        replay(written(tmp_path, "", "empty.csv"))
