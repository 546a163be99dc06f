"""Run the commands that take a continuous future, on an archive of two contracts around a roll."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from infrastructure.clock import parse_rfc3339
from infrastructure.exchange.timeframes import schwab_bar_start
from infrastructure.exchange.zones import local_to_ns
from system.algo_trader.main import main
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import ROLLS

# ES of March 2024 ended on Friday the 15th: CME's expiration calendar.
DAYS = ("2024-03-13", "2024-03-14", "2024-03-15", "2024-03-18")
CLOSES = {"/ESH24": (5100.0, 5110.0, 5120.0, None), "/ESM24": (5150.0, 5162.0, 5171.0, 5180.0)}


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path))
    monkeypatch.setenv("ALGO_TRADER_PROBE_DEFAULT_PORTS", "off")
    made = Archive(Realm.sim(tmp_path).archive_root / "archive")
    for name, closes in CLOSES.items():
        known = [(day, close) for day, close in zip(DAYS, closes, strict=True) if close is not None]
        values = [close for _, close in known]
        bars = Bars.of(
            Series(name, Timeframe.D1, source=Source.SCHWAB_SIM),
            start=[schwab_bar_start(date.fromisoformat(day), "1d") for day, _ in known],
            open=values, high=[each + 10 for each in values], low=[each - 10 for each in values],
            close=values, volume=[100] * len(values),
            fetched_at=parse_rfc3339("2024-04-01T00:00:00Z"), is_synthetic=False,
        )  # fmt: skip
        made.append(bars, f"run-1/{name}/1d")
    return made


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["--sim", *words]) == code
    shown = capsys.readouterr()
    return shown.out if code == 0 else shown.err


def test_the_roll_table_names_contracts_dates_and_the_gap(
    capsys: pytest.CaptureFixture[str], archive: Archive
) -> None:
    span = ("--start", "2024-03-13", "--end", "2024-03-18")
    table = told(capsys, "futures", "rolls", "es.c.0", *span)
    [row] = [line.split() for line in table.splitlines() if "/ESM24" in line]
    assert row == ["/ESM24", "2024-03-16", "2024-03-19", "5120.0", "5171.0", "51.0"]
    found = json.loads(told(capsys, "futures", "rolls", "ES.c.0", *span, "--store", "--json"))
    first, second = found["rolls"]
    assert (first["contract"], first["until"]) == ("/ESH24", "2024-03-16")
    assert (second["close"], second["close_before"]) == (5171.0, 5120.0)
    # The session of Monday the 18th opens on Sunday evening.
    sunday = int(
        local_to_ns(np.array(["2024-03-17"], "datetime64[D]"), 17 * 3_600, "America/Chicago")[0]
    )
    assert parse_rfc3339(second["start"]) == sunday
    assert found["stored"] == archive.records(ROLLS, "ES.c.0").num_rows == 2


def test_bars_of_a_continuous_future_are_shown_with_their_contracts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = json.loads(told(capsys, "candles", "show", "ES.c.0", "--json"))
    assert plain["contract"] == ["/ESH24", "/ESH24", "/ESH24", "/ESM24"]
    assert plain["close"] == [5100.0, 5110.0, 5120.0, 5180.0]
    moved = json.loads(
        told(capsys, "candles", "show", "ES.c.0", "--adjust", "difference", "--json")
    )
    assert moved["close"] == [5151.0, 5161.0, 5171.0, 5180.0]


def test_levels_of_a_continuous_future_are_those_of_one_contract(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--date", "2024-03-18", "--allow-null-vwap", "--format", "json")
    document = json.loads(told(capsys, "levels", "ES.c.0", *words))
    own = json.loads(told(capsys, "levels", "/ESM24", *words))
    assert document["symbol"] == "/ESM24"
    assert document["input"]["symbol_raw"] == "ES.c.0"
    # June's Friday, not March's: (5181 + 5161 + 5171) / 3.
    assert document["levels"]["pivot"] == own["levels"]["pivot"] == 5171.0
    last = json.loads(told(capsys, "levels", "ES.c.0", *words[2:]))
    assert last["levels"] == document["levels"]


def test_a_continuous_future_is_exported_with_its_rolls(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("store", "export", "bars", "-t", "1d", "--symbol", "ES.c.0", "--to", str(tmp_path))
    [done] = json.loads(told(capsys, *words, "--adjust", "ratio", "--json"))["files"]
    assert [roll["contract"] for roll in done["provenance"]["rolls"]] == ["/ESH24", "/ESM24"]
    assert done["provenance"]["is_simulated"] is True
    assert done["rows"] == 4


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("futures", "rolls", "ESZ26"), 2, "Write ES.c.0, ES.v.0 or ES.n.0"),
        (("futures", "rolls", "ES.q.0"), 2, "ES.n.0 (by open interest)"),
        (("futures", "rolls", "ES.n.0"), 4, "needs the open interest of each day"),
        (("candles", "show", "NQ.v.0"), 4, "no 1d bars of any contract of NQ"),
        (("candles", "show", "ES.c.0", "--adjust", "back"), 2, "none, difference, ratio"),
        (("levels", "ES.v.0", "--date", "2024-03-13"), 4, "which contract ES.v.0 means"),
    ],
)
def test_what_cannot_be_told_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, sentence: str
) -> None:
    assert sentence in " ".join(told(capsys, *words, code=code).split())
