"""Judge continuous futures by polars, and by what a holder of the contracts would have earned."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from infrastructure.errors import NoDataError
from infrastructure.exchange.calendars import calendar, date_of
from infrastructure.exchange.continuous import parse_continuous
from infrastructure.exchange.zones import local_to_ns
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.continuous_bars import ContinuousBars, RollAdjust
from system.algo_trader.storage.export_file import ExportRequest, export_file
from system.algo_trader.storage.records import ROLLS

CONTRACTS = ("/ESH24", "/ESM24", "/ESU24", "/ESZ24")
ENDS = {"/ESH24": "2024-03-15", "/ESM24": "2024-06-21", "/ESU24": "2024-09-20",
        "/ESZ24": "2024-12-20"}  # fmt: skip
"""CME's expiration calendar."""
FIRST, LAST = date(2024, 2, 1), date(2024, 10, 31)


def daily(name: str, seed: int) -> pl.DataFrame:
    """Seeded daily bars of one contract, from half a year before its expiry."""
    rng = np.random.default_rng(seed)
    days = calendar("CME_Equity").session_dates(FIRST, min(LAST, date.fromisoformat(ENDS[name])))
    close = np.round(5_000 + 20 * seed + np.cumsum(rng.normal(0, 10, len(days))), 2)
    left = np.array([(date.fromisoformat(ENDS[name]) - day).days for day in days.tolist()])
    volume = np.where(left > 110, 10, np.where(left > 5, 1_000, 100)) + rng.integers(
        0, 9, len(days)
    )
    return pl.DataFrame({"day": days.astype("datetime64[D]"), "close": close, "volume": volume,
                         "contract": [name] * len(days)})  # fmt: skip


def starts(days: pl.Series) -> np.ndarray:
    return np.asarray(local_to_ns(days.to_numpy().astype("datetime64[D]"), 0, "America/Chicago"))


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.concat([daily(name, seed) for seed, name in enumerate(CONTRACTS)])


@pytest.fixture
def archive(tmp_path: Path, frame: pl.DataFrame) -> Archive:
    made = Archive(tmp_path)
    for name in CONTRACTS:
        mine = frame.filter(pl.col("contract") == name)
        series = Series(name, Timeframe.D1, adjustment=Adjustment.SPLIT, source=Source.FILE)
        close = mine["close"].to_numpy()
        bars = Bars.of(series, start=starts(mine["day"]), open=close - 1, high=close + 2,
                       low=close - 3, close=close, volume=mine["volume"].to_numpy(),
                       fetched_at=1, is_synthetic=False)  # fmt: skip
        made.append(bars, "r")
    return made


def read(archive: Archive, symbol: str, adjust: RollAdjust = RollAdjust.NONE) -> pl.DataFrame:
    future = parse_continuous(symbol)
    assert future is not None
    found = ContinuousBars(archive).bars(future, Timeframe.D1, adjust)
    table = pl.DataFrame(pl.from_arrow(found.bars.table))
    return table.with_columns(contract=pl.Series(found.contracts))


def held_by_calendar(frame: pl.DataFrame) -> pl.DataFrame:
    """By polars: of each day's contracts that have not expired, the first to expire."""
    ends = pl.DataFrame({"contract": list(ENDS), "end": list(ENDS.values())})
    return (
        frame.join(ends.with_columns(pl.col("end").str.to_date()), on="contract")
        .filter(pl.col("end") >= pl.col("day"))
        .sort("day", "end")
        .group_by("day", maintain_order=True)
        .first()
    )


def test_the_calendar_is_stitched_unadjusted(archive: Archive, frame: pl.DataFrame) -> None:
    found, expected = read(archive, "ES.c.0"), held_by_calendar(frame)
    assert found["contract"].to_list() == expected["contract"].to_list()
    assert found["close"].to_list() == expected["close"].to_list()
    assert found["start"].to_list() == starts(expected["day"]).tolist()
    assert set(found["symbol"].to_list()) == {"ES.c.0"}


def test_volume_leads_by_the_day_before(archive: Archive, frame: pl.DataFrame) -> None:
    found = read(archive, "ES.v.0")
    wide = frame.pivot("contract", index="day", values="volume").sort("day")
    names = [name for name in wide.columns if name != "day"]
    expected, lead = [], 0
    for row, day in enumerate(wide["day"].to_list()):
        while date.fromisoformat(ENDS[names[lead]]) < day:
            lead += 1
        # What traded most before the first day is not known, so it has no bar.
        if row:
            before = {name: wide[name][row - 1] or -1 for name in names[lead:]}
            lead = names.index(max(before, key=lambda name: before[name]))
            expected.append(names[lead])
    assert found["contract"].to_list() == expected
    assert len(set(expected)) == 4


@pytest.mark.parametrize("symbol", ["ES.c.0", "ES.v.0"])
def test_adjusted_bars_earn_what_the_held_contract_did(
    archive: Archive, frame: pl.DataFrame, symbol: str
) -> None:
    plain = read(archive, symbol)
    own = {
        (row["contract"], start): row["close"]
        for row, start in zip(frame.to_dicts(), starts(frame["day"]).tolist(), strict=True)
    }
    ratio, difference = (
        read(archive, symbol, each)["close"].to_numpy()
        for each in (RollAdjust.RATIO, RollAdjust.DIFFERENCE)
    )
    keys = list(zip(plain["contract"].to_list(), plain["start"].to_list(), strict=True))
    for row in range(1, len(keys)):
        contract, start = keys[row]
        now, before = own[contract, start], own[contract, keys[row - 1][1]]
        assert ratio[row] / ratio[row - 1] == pytest.approx(now / before, rel=1e-12)
        assert difference[row] - difference[row - 1] == pytest.approx(now - before, abs=1e-8)
    assert ratio[-1] == difference[-1] == plain["close"][-1]
    assert (plain["close"].to_numpy() != ratio).any()


def test_the_roll_table_is_kept_once(archive: Archive) -> None:
    future = parse_continuous("ES.c.0")
    assert future is not None
    reader = ContinuousBars(archive)
    rolls = reader.rolls(future, FIRST, LAST)
    assert [(roll.contract, roll.first) for roll in rolls[1:]] == [
        ("/ESM24", "2024-03-16"), ("/ESU24", "2024-06-22"), ("/ESZ24", "2024-09-21"),
    ]  # fmt: skip
    assert reader.record(future, rolls, 1) == 4
    assert reader.record(future, rolls, 2) == 0
    assert archive.records(ROLLS, "ES.c.0").num_rows == 4


def test_what_is_missing_is_said_and_nothing_takes_its_place(
    archive: Archive, tmp_path: Path
) -> None:
    with pytest.raises(NoDataError, match="open interest of each day, and bars carry none"):
        read(archive, "ES.n.0")
    with pytest.raises(NoDataError, match="no 1d bars of any contract of NQ"):
        read(archive, "NQ.c.0")
    with pytest.raises(NoDataError, match="daily volume of each contract of NQ"):
        ContinuousBars(archive).rolls(parse_continuous("NQ.v.0"), FIRST, LAST)  # type: ignore[arg-type]
    few = Archive(tmp_path / "few")
    for name in ("/ESH24", "/ESM24"):
        bars = archive.winners(name, Timeframe.D1)
        cut = starts(pl.Series([date(2024, 3, 18)]))[0]
        few.append(bars.where(bars.start >= cut) if name == "/ESM24" else bars, "r")
    assert len(read(few, "ES.c.0")) > 60
    with pytest.raises(NoDataError, match="share no daily close before 2024-03-16"):
        read(few, "ES.c.0", RollAdjust.RATIO)


def test_minutes_roll_with_the_session_that_opens_the_evening_before(
    archive: Archive,
) -> None:
    hours = calendar("CME_Equity")
    [friday] = hours.sessions(date(2024, 3, 15), date(2024, 3, 15))
    [monday] = hours.sessions(date(2024, 3, 18), date(2024, 3, 18))
    minute = 60_000_000_000
    for name, price in (("/ESH24", 1.0), ("/ESM24", 2.0)):
        at = [friday.all[0][0], friday.close_ns - minute, monday.open_ns, monday.open_ns + minute]
        archive.append(
            Bars.of(Series(name, Timeframe.M1, source=Source.FILE), start=at, open=[price] * 4,
                    high=[price] * 4, low=[price] * 4, close=[price] * 4, volume=[1] * 4,
                    fetched_at=1, is_synthetic=False),
            "minutes",
        )  # fmt: skip
    future = parse_continuous("ES.c.0")
    assert future is not None
    found = ContinuousBars(archive).bars(future, Timeframe.M1)
    assert found.contracts == ("/ESH24", "/ESH24", "/ESM24", "/ESM24")
    # The session of Monday opens on Sunday evening.
    assert monday.open_ns < starts(pl.Series([date(2024, 3, 18)]))[0]


def test_a_roll_of_products_that_open_in_the_morning_sees_nothing_of_its_own_day(
    tmp_path: Path,
) -> None:
    archive = Archive(tmp_path)
    days = pl.Series([date(2024, 10, day) for day in (28, 29, 30)])
    for name, closes, volumes in (("/LEV24", [180.0, 181.0, 182.0], [9, 4, 4]),
                                  ("/LEZ24", [190.0, 192.0, 199.0], [5, 6, 9])):  # fmt: skip
        series = Series(name, Timeframe.D1, source=Source.FILE)
        bars = Bars.of(series, start=starts(days), open=closes, high=closes, low=closes,
                       close=closes, volume=volumes, fetched_at=1, is_synthetic=False)  # fmt: skip
        archive.append(bars, "days")
    found = read(archive, "LE.v.0", RollAdjust.DIFFERENCE)
    # December led on the 29th, so it counts on the 30th, and the gap is that of the 29th.
    assert found["contract"].to_list() == ["/LEV24", "/LEZ24"]
    assert found["close"].to_list() == [181.0 + 192.0 - 181.0, 199.0]


def test_ranks_count_contracts_of_which_nothing_is_stored(archive: Archive) -> None:
    future = parse_continuous("ES.v.3")
    assert future is not None
    [roll, *_] = ContinuousBars(archive).rolls(future, FIRST, FIRST + timedelta(days=20))
    assert roll.contract == "/ESZ24"
    after = parse_continuous("ES.v.4")
    assert after is not None
    [roll, *_] = ContinuousBars(archive).rolls(after, FIRST, FIRST + timedelta(days=20))
    assert roll.contract == "/ESH25"
    with pytest.raises(NoDataError, match=r"no 1d bars of ES\.v\.4"):
        read(archive, "ES.v.4")


def test_a_gap_to_a_contract_without_minutes_counts_for_those_before_it(
    archive: Archive,
) -> None:
    hours = calendar("CME_Equity")
    for name, day, price in (("/ESH24", date(2024, 3, 14), 1.0), ("/ESU24", date(2024, 7, 1), 9.0)):
        [session] = hours.sessions(day, day)
        archive.append(
            Bars.of(Series(name, Timeframe.M1, source=Source.FILE), start=[session.open_ns],
                    open=[price], high=[price], low=[price], close=[price], volume=[1],
                    fetched_at=1, is_synthetic=False),
            "minutes",
        )  # fmt: skip
    future = parse_continuous("ES.c.0")
    assert future is not None
    reader = ContinuousBars(archive)
    found = reader.bars(future, Timeframe.M1, RollAdjust.DIFFERENCE)
    gaps = [
        roll.close - roll.close_before
        for roll in reader.rolls(future, FIRST, date(2024, 7, 1))
        if roll.close is not None and roll.close_before is not None
    ]
    assert len(gaps) == 2
    assert found.contracts == ("/ESH24", "/ESU24")
    assert found.bars.floats("close").tolist() == pytest.approx([1.0 + sum(gaps), 9.0])


def test_the_contract_of_a_day_is_that_of_its_bars(archive: Archive) -> None:
    reader = ContinuousBars(archive)
    for symbol in ("ES.c.0", "ES.v.0"):
        future = parse_continuous(symbol)
        assert future is not None
        bars = read(archive, symbol)
        for start, contract in list(zip(bars["start"], bars["contract"], strict=True))[::9]:
            day = date_of(start)
            assert reader.contract_on(future, day) == contract
    by_volume = parse_continuous("ES.v.0")
    assert by_volume is not None
    with pytest.raises(NoDataError, match=r"which contract ES\.v\.0 means on 2024-02-01 is not"):
        reader.contract_on(by_volume, FIRST)


@pytest.mark.parametrize("adjust", RollAdjust)
def test_an_exported_file_names_the_contract_of_each_bar_and_the_rolls(
    archive: Archive, tmp_path: Path, adjust: RollAdjust
) -> None:
    request = ExportRequest("bars_1d", "ES.c.0", rolls=adjust)
    done = export_file(archive, request, tmp_path, "parquet", now_ns=1)
    assert done.path.name == f"ES.c.0-bars_1d-rth-rolls-{adjust}.parquet"
    written, expected = pl.read_parquet(done.path), read(archive, "ES.c.0", adjust)
    for name in ("close", "volume", "contract"):
        assert written[name].to_list() == expected[name].to_list()
    facts = json.loads((tmp_path / f"{done.path.name}.provenance.json").read_text())
    assert facts["adjustment"] == f"rolls {adjust}"
    assert [roll["contract"] for roll in facts["rolls"]] == list(CONTRACTS)
    assert facts["requests"] == ["r"]
    assert not {part.symbol for part in archive.parts("bars_1d")} - set(CONTRACTS)
