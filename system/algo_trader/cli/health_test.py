"""What `health` prints, and its exit code."""

import json
from pathlib import Path

import pytest

from system.algo_trader.health.check import Check, Report, State
from system.algo_trader.main import main


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("degraded", 0), ("down", 3)])
def test_only_a_part_that_is_down_fails(
    state: State,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def check_health(_: object, *, deep: bool) -> Report:
        asked.append(deep)
        return Report.of([Check("redis", state, "PING", 1.5), Check("b", "ok", "y", 2)], 0)

    monkeypatch.setattr("system.algo_trader.health.checks.check_health", check_health)
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path))
    assert main(["health", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {
        "state": state,
        "checks": [
            {"name": "redis", "state": state, "detail": "PING", "took_ms": 1.5},
            {"name": "b", "state": "ok", "detail": "y", "took_ms": 2},
        ],
        "at": "1970-01-01T00:00:00Z",
    }
    assert main(["health", "--deep"]) == code
    assert asked == [False, True]
    assert state in capsys.readouterr().out
