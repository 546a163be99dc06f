"""An error of a command, seen, acknowledged and resolved by others, as a person does it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.algo_trader.testing.command_line import CommandLine


@pytest.fixture
def line() -> Iterator[CommandLine]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    made = CommandLine(folder)
    assert made.run("services", "start", "redis").code == 0
    yield made
    made.run("services", "stop")
    shutil.rmtree(folder)


def errors(line: CommandLine, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line.run("errors", "list", "--state", state, "--json").json()[
        "errors"
    ]
    return found


def test_what_a_command_died_of_is_listed_until_somebody_resolves_it(line: CommandLine) -> None:
    assert line.run("candles", "fetch", "IBM").code == 0
    assert line.run("store", "quota", "1KB").code == 0
    for _ in range(2):
        assert line.run("candles", "fetch", "MSFT").code == 3
    # An answer to whoever asked is no error of the system.
    assert line.run("watchlist", "remove", "MSFT").code == 0
    assert line.run("watchlist", "remove", "MSFT").code == 2
    [entry] = errors(line, "open")
    assert (entry["process"], entry["kind"], entry["count"]) == ("candles fetch", "DiskFull", 2)
    assert (entry["severity"], entry["state"]) == ("critical", "open")
    assert "store quota" in entry["next_step"]

    assert line.run("errors", "ack", entry["id"], "--note", "I look at it").code == 0
    assert errors(line, "open") == []
    assert line.run("candles", "fetch", "MSFT").code == 3
    [again] = errors(line, "acknowledged")
    assert (again["count"], again["notes"][0]["text"]) == (3, "I look at it")

    assert line.run("errors", "resolve", entry["id"], "--json").json()["state"] == "resolved"
    assert line.run("candles", "fetch", "MSFT").code == 3
    [reopened] = errors(line, "all")
    assert (reopened["state"], reopened["count"]) == ("open", 4)
    shown = line.run("errors", "list")
    assert entry["id"] in shown.out
    assert "1 open" in shown.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["errors", "ack", "nope"], "there is no error 'nope'"),
        (["errors", "resolve", "nope"], "there is no error 'nope'"),
        (["errors", "list", "--state", "odd"], "'odd' is no state"),
    ],
)
def test_a_wrong_id_or_state_is_one_sentence(
    line: CommandLine, words: list[str], said: str
) -> None:
    run = line.run(*words)
    assert run.code == 2
    assert said in run.err
    assert len(run.err.splitlines()) == 1


def test_a_process_without_redis_starts_none_for_its_errors(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    (tmp_path / "sim" / "archive").mkdir(parents=True)
    (tmp_path / "sim" / "archive" / "manifest.log").write_text("no log at all\n")
    assert line.run("levels", "IBM", "--date", "2013-02-28").code == 3
    assert not (tmp_path / "services" / "redis").exists()
