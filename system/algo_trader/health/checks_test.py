"""The whole report of a home in which nothing runs, and what stands in its place."""

from pathlib import Path

import pytest

from infrastructure.config import Secret
from infrastructure.schwab.oauth.tokens import TokenSet
from system.algo_trader.health.check import Check
from system.algo_trader.health.checks import check_health, sign_in_check
from system.algo_trader.health.service_checks import process_check
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.processes.control import Processes, ProcessRow
from system.algo_trader.processes.order import NAMES as PROCESSES
from system.algo_trader.realm import Realm
from system.algo_trader.runtime import Runtime
from system.algo_trader.settings import AppSettings, load
from system.algo_trader.sign_in import SignInStatus

DAY_NS = 86_400_000_000_000


def settings_of(home: Path, **variables: str) -> AppSettings:
    environment = {"ALGO_TRADER_HOME": str(home), "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off"}
    return load(environment={**environment, **variables}, workspace=home)


def test_a_home_in_which_nothing_runs_stays_untouched_and_is_not_down(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Runtime(settings_of(home), sim=True) as runtime:
        report = check_health(runtime)
    assert not home.exists()
    assert report.state == "degraded"
    found = {check.name: check.state for check in report.checks}
    del found["memory"], found["disk"]  # as this machine happens to be
    assert found == {
        "sign-in": "degraded",
        "archive": "degraded",
        "spool": "ok",
        "redis": "ok",
        "influxdb": "ok",
        **dict.fromkeys(PROCESSES, "ok"),
    }
    assert all(check.took_ms is not None for check in report.checks)


def test_a_deep_check_finds_what_sizes_do_not_tell(tmp_path: Path) -> None:
    with Runtime(settings_of(tmp_path), sim=True) as runtime:
        bars = Bars.of(Series("AAPL", Timeframe.M1), start=[0], open=[1.5], high=[1.5], low=[1.5],
                       close=[1.5], volume=[1], fetched_at=1, is_synthetic=False)  # fmt: skip
        runtime.archive.append(bars, "r")
        assert {check_of(runtime, deep=deep).state for deep in (False, True)} == {"ok"}
        [part] = runtime.realm.archive.rglob("part-*.parquet")
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(content)
        assert check_of(runtime, deep=False).state == "ok"
        found = check_of(runtime, deep=True)
        assert found.state == "down"
        assert "does not match its checksum" in found.detail


def check_of(runtime: Runtime, *, deep: bool) -> Check:
    [found] = [
        check for check in check_health(runtime, deep=deep).checks if check.name == "archive"
    ]
    return found


def test_services_that_are_named_and_away_are_down(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        REDIS_URL="redis://127.0.0.1:1/0",
        INFLUXDB3_HOST_URL="http://127.0.0.1:1",
        GRAFANA_URL="http://127.0.0.1:1",
    )
    with Runtime(settings, sim=True) as runtime:
        report = check_health(runtime)
    down = {check.name for check in report.checks if check.state == "down"}
    assert {"redis", "influxdb", "grafana"} <= down
    assert report.state == "down"


@pytest.mark.parametrize(
    ("age_days", "realm", "state", "detail"),
    [
        (1, "live", "ok", "Schwab, 6.0 of 7 days left"),
        (5.5, "live", "degraded", "Schwab, 1.5 of 7 days left"),
        (7, "live", "down", "Schwab: expired"),
        (1, "sim", "ok", "simulator, 6.0 of 7 days left"),
        (7, "sim", "degraded", "simulator: expired; a run signs in by itself"),
    ],
)
def test_a_sign_in_tells_the_days_that_are_left(
    tmp_path: Path, age_days: float, realm: str, state: str, detail: str
) -> None:
    now_ns = 30 * DAY_NS
    signed_in_ns = now_ns - round(age_days * DAY_NS)
    tokens = TokenSet(
        access_token=Secret("I0.of-one-test@"),
        refresh_token=Secret("R0.of-one-test@"),
        signed_in_at_ns=signed_in_ns,
        expires_at_ns=now_ns,
    )
    which = Realm.sim(tmp_path) if realm == "sim" else Realm.live(tmp_path)
    found = sign_in_check(SignInStatus.of(tokens, realm, now_ns), which, now_ns)
    assert found.state == state
    assert found.detail.startswith(detail)


def test_nobody_signed_in_is_down_at_the_real_schwab_only(tmp_path: Path) -> None:
    status = SignInStatus("live", "signed out", next_step="Sign in.")
    found = sign_in_check(status, Realm.live(tmp_path), 0)
    assert (found.state, found.detail) == ("down", "Schwab: signed out. Sign in.")
    assert sign_in_check(status, Realm.sim(tmp_path), 0).state == "degraded"


@pytest.mark.parametrize(
    ("state", "health", "reasons", "expected", "detail"),
    [
        ("stopped", None, (), "ok", "not started"),
        ("running", "ok", (), "ok", "running as process 7, ok"),
        ("running", "degraded", ("late",), "degraded", "running as process 7, degraded: late"),
        ("running", "down", ("stuck",), "down", "running as process 7, down: stuck"),
        ("running", "silent", (), "down", "running as process 7, does not answer"),
        ("restarting", None, ("it ended",), "degraded", "restarting: it ended"),
        ("gave up", None, ("it ended",), "down", "gave up: it ended"),
    ],
)
def test_a_process_is_as_its_keeper_and_its_own_answer_say(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    health: str | None,
    reasons: tuple[str, ...],
    expected: str,
    detail: str,
) -> None:
    row = ProcessRow(
        name="stream", state=state, health=health, reasons=reasons, url="", pid=7, since=None,
        restarts=0, log="",
    )  # fmt: skip
    monkeypatch.setattr(Processes, "status", lambda *_: row)
    found = process_check(settings_of(tmp_path), "stream")
    assert (found.state, found.detail) == (expected, detail)
