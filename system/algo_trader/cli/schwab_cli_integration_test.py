"""`schwab conform`, `schwab record` and `sim --frames`, run as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from infrastructure.recording.frame_file import read_frames
from system.algo_trader.testing.command_line import CommandLine

CREDENTIALS = {"SCHWAB_API_KEY": "k" * 32, "SCHWAB_SECRET": "s" * 16}
DEAD = "http://127.0.0.1:9"
DEADLINE_S = 60.0


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home)


def wait_for_frames(path: Path, count: int) -> None:
    until = time.monotonic() + DEADLINE_S
    while not path.exists() or path.stat().st_size < 20_000 or len(list(read_frames(path))) < count:
        assert time.monotonic() < until, "nothing was recorded"
        time.sleep(0.05)


def test_conform_finds_no_difference_and_writes_a_report(line: CommandLine, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    run = line.run("schwab", "conform", "--json", "--report", str(report))
    assert (run.code, run.err) == (0, "")
    assert run.json() == json.loads(report.read_text())
    assert run.json()["source"] == "simulator"
    assert run.json()["differences"] == []
    again = line.run("schwab", "conform", "--report", str(report))
    assert again.code == 2
    assert "exists" in again.err


@pytest.mark.parametrize("words", [["conform"], ["record", "frames"]])
def test_live_without_credentials_is_one_sentence(line: CommandLine, words: list[str]) -> None:
    run = line.run("schwab", *words, "--live")
    assert run.code == 2
    assert run.out == ""
    assert run.err.count("\n") == 1
    assert "SCHWAB_API_KEY" in run.err


@pytest.mark.parametrize("words", [["conform"], ["record", "frames"]])
def test_live_without_a_sign_in_says_how_to_sign_in(line: CommandLine, words: list[str]) -> None:
    own = CommandLine(line.home, CREDENTIALS | {"SCHWAB_BASE_URL": DEAD})
    run = own.run("schwab", *words, "--live")
    assert run.code == 2
    assert "auth login" in run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize("words", [["conform"], ["record", "frames"]])
def test_a_dead_server_is_one_sentence(line: CommandLine, words: list[str]) -> None:
    own = CommandLine(
        line.home, CREDENTIALS | {"SCHWAB_BASE_URL": DEAD, "SCHWAB_REFRESH_TOKEN": "r" * 64}
    )
    run = own.run("schwab", *words, "--live")
    assert run.code == 3
    assert run.err.splitlines()[-1].startswith("error: No answer from 127.0.0.1:9")
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["conform", "--report", "{there}"], 2, "exists"),
        (["conform", "--report", "{nowhere}/r.json"], 2, "cannot be written"),
        (["record", "{there}"], 2, "exists"),
        (["record", "{there}", "--append"], 3, "no recording of frames"),
        (["record", "{nowhere}/f"], 3, "cannot write"),
        (["record", "f", "--services", "NASDAQ_BOKO"], 2, "Did you mean NASDAQ_BOOK?"),
        (["record", "f", "--services", "CHART_FUTURES"], 2, "none of the symbols"),
        (["record", "f", "--for", "soon"], 2, "30s, 10m or 2h"),
        (["record", "f", "--symbols", ","], 2, "no symbol is named"),
    ],
)
def test_wrong_input_is_named(
    line: CommandLine, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    named = [word.format(there=there, nowhere=tmp_path / "nowhere") for word in words]
    run = line.run("schwab", *named)
    assert run.code == code
    last = run.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last
    assert there.read_text() == "mine"
    assert (
        json.loads(line.run("schwab", *named, "--json").err.splitlines()[-1])["exit_code"] == code
    )


@pytest.mark.parametrize("words", [["--frames", "{nowhere}"], ["--frames", "{there}"]])
def test_the_simulator_refuses_what_is_no_recording(
    line: CommandLine, tmp_path: Path, words: list[str]
) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    run = line.run("sim", *(word.format(there=there, nowhere=tmp_path / "n") for word in words))
    assert run.code in (2, 3)
    assert str(tmp_path) in run.err
    assert "Traceback" not in run.err


def test_record_ends_in_good_order_on_ctrl_c_and_goes_on_with_append(
    line: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "frames"
    started = line.start("schwab", "record", str(path), "--json")
    wait_for_frames(path, 20)
    started.send_signal(signal.SIGINT)
    out, _ = started.communicate(timeout=DEADLINE_S)
    assert started.returncode == 0
    told = json.loads(out)
    assert told["is_simulated"] is True
    first = len(list(read_frames(path)))
    assert told["frames"] == first
    assert subprocess.run(["gzip", "-t"], stdin=path.open("rb"), check=False).returncode == 0
    more = line.run("schwab", "record", str(path), "--append", "--for", "2s", "--json")
    assert more.code == 0
    assert len(list(read_frames(path))) == first + more.json()["frames"]


def test_kill_9_keeps_every_frame_that_was_written(line: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "frames"
    started = line.start("schwab", "record", str(path))
    wait_for_frames(path, 20)
    before = len(list(read_frames(path)))
    os.kill(started.pid, signal.SIGKILL)
    started.communicate(timeout=DEADLINE_S)
    kept = len(list(read_frames(path)))
    assert kept >= before
    more = line.run("schwab", "record", str(path), "--append", "--for", "2s", "--json")
    assert more.code == 0
    assert len(list(read_frames(path))) == kept + more.json()["frames"]
