import errno
import json
from pathlib import Path

import pytest
import typer

from system.algo_trader.main import main


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SCHWAB_API_KEY", "SCHWAB_SECRET", "ALGO_TRADER_SYMBOLS", "SCHWAB_SYMBOLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALGO_TRADER_PROBE_DEFAULT_PORTS", "off")
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path / "h [/x] ü"))
    monkeypatch.delenv("BUILD_WORKING_DIRECTORY", raising=False)
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(tmp_path))


@pytest.mark.parametrize(
    "arguments", [("--json", "version"), ("version", "--json"), ("--json", "config", "check")]
)
def test_json_may_stand_before_or_after_the_verb(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


@pytest.mark.parametrize(
    "arguments",
    [("frobnicate", "--json"), ("--json", "candles", "show"), ("version", "--json", "--nonsense")],
)
def test_a_wrong_call_is_one_json_object_for_machines(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["error"] == "UsageError"


def test_a_wrong_call_is_one_sentence_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: No such command 'frobnicate'. ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("verb", [("doctor",), ("config", "check"), ("config", "show")])
def test_brackets_in_the_home_folders_name_are_shown_as_they_are(
    verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(verb) in (0, 3)
    assert "h [/x] ü" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("config", "show"), ("config", "show", "--json")])
def test_no_password_of_a_url_is_shown(
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://me:hunter2@db:6379/0")
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert "@db:6379" in out


@pytest.mark.parametrize("error", [KeyboardInterrupt, typer.Abort])
def test_an_interruption_is_one_sentence_and_exit_code_130(
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr("system.algo_trader.health.machine.check_machine", interrupted)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err.startswith("interrupted: ")
    assert main(["doctor", "--json"]) == 130
    assert json.loads(capsys.readouterr().err)["exit_code"] == 130


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EIO]
)
def test_a_folder_without_permission_is_no_bug_of_ours(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, "refused", "/some/home/sim")

    monkeypatch.setattr("system.algo_trader.health.machine.check_machine", refused)
    assert main(["doctor"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("error: /some/home/sim: refused. ")
    assert "--home" in err


def test_an_unexpected_error_is_one_sentence_that_names_its_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a [/broken] thing")

    monkeypatch.setattr("system.algo_trader.health.machine.check_machine", broken)
    assert main(["doctor"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: unexpected RuntimeError: a [/broken] thing. ")
    [report] = (tmp_path / "h [/x] ü" / "logs").iterdir()
    assert str(report) in err
    assert "Traceback" in report.read_text(encoding="utf-8")


def test_a_replay_named_before_sim_is_the_one_that_is_replayed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert main(["--replay", str(empty), "sim"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(empty) in err


def test_a_group_without_a_verb_shows_its_help_and_no_empty_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["watchlist"]) == 2
    out, err = capsys.readouterr()
    assert "remove" in out + err
    assert "error:" not in out + err


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("REDIS_URL", "redis://db:99999", "port"),
        ("REDIS_URL", "redis://db:6379/0?retry=1", "retry"),
        ("INFLUXDB3_HOST_URL", "http://db:abc", "INFLUXDB3_HOST_URL"),
        ("SCHWAB_CALLBACK_URL", "https://localhost", "127.0.0.1"),
    ],
)
def test_config_check_refuses_what_no_command_could_use(
    name: str,
    value: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SCHWAB_API_KEY", "k" * 32)
    monkeypatch.setenv("SCHWAB_SECRET", "s" * 16)
    monkeypatch.setenv(name, value)
    assert main(["config", "check"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert reason in err


def test_a_home_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path / "file" / "home"))
    assert main(["--sim"]) == 3
    err = capsys.readouterr().err
    assert "cannot make the folder" in err
    assert "unexpected" not in err
