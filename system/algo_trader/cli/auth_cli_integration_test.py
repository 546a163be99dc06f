"""The verbs of `auth` as a person runs them: ages and deadlines, keys, and a browser elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from infrastructure.clock import SystemClock, utc_from_ns
from infrastructure.config import Secret
from infrastructure.schwab.oauth.tokens import TokenSet
from system.algo_trader.storage.key_ring import KeyRing
from system.algo_trader.storage.tokens import FileTokenStore
from system.algo_trader.testing.command_line import CommandLine

DAY_NS: Final = 86_400 * 10**9
ZONE: Final = "Asia/Tokyo"
VARIABLES: Final = {
    "SCHWAB_API_KEY": "k" * 32,
    "SCHWAB_SECRET": "s" * 16,
    "SCHWAB_CALLBACK_URL": "https://127.0.0.1",
    "SCHWAB_BASE_URL": "http://127.0.0.1:9",
    "TZ": ZONE,
}


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, VARIABLES)


def store_in(home: Path) -> FileTokenStore:
    return FileTokenStore(
        home / "live" / "tokens" / "schwab.json", KeyRing(home / "keys" / "token.key")
    )


def signed_in(home: Path, age_days: float) -> TokenSet:
    now_ns = SystemClock().now_ns()
    tokens = TokenSet(
        Secret("I0.access@"),
        Secret("refresh@"),
        expires_at_ns=now_ns + 1_700 * 10**9,
        signed_in_at_ns=now_ns - int(age_days * DAY_NS),
    )
    store_in(home).save(tokens)
    return tokens


def local(instant_ns: int) -> str:
    """Return an instant as a clock in Tokyo shows it, by the standard library alone."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_ns // 1_000)
    return f"{moment.astimezone(ZoneInfo(ZONE)):%Y-%m-%d %H:%M:%S} JST"


@pytest.mark.parametrize(
    ("age_days", "state", "code"),
    [(1.0, "signed in", 0), (4.9, "signed in", 0), (5.1, "due", 2), (7.1, "expired", 2)],
)
def test_the_status_shows_age_and_deadlines_in_local_time_and_fails_when_due(
    line: CommandLine, age_days: float, state: str, code: int
) -> None:
    tokens = signed_in(line.home, age_days)
    run = line.run("auth", "status")
    assert run.code == code
    shown = re.sub(r" +", " ", run.out)
    assert f"state {state}" in shown
    assert f"signed in {local(tokens.signed_in_at_ns)}" in shown
    assert f"access token until {local(tokens.expires_at_ns)}" in shown
    assert f"sign-in ends {local(tokens.signed_in_at_ns + 7 * DAY_NS)}" in shown
    assert f"age {age_days:.1f} of 7 days" in shown
    assert ("algo-trader auth login" in shown) == (code != 0)
    document = line.run("auth", "status", "--json").json()
    ends = datetime.fromisoformat(document["refresh_expires_at"])
    assert abs(ends - utc_from_ns(tokens.refresh_expires_at_ns)) < timedelta(seconds=1)


def test_a_rotated_key_leaves_the_sign_in_and_a_lost_one_asks_for_a_new_sign_in(
    line: CommandLine,
) -> None:
    tokens = signed_in(line.home, 1.0)
    before = (line.home / "keys" / "token.key").read_text()
    identifier = line.run("auth", "rotate-key", "--json").json()["key_id"]
    after = (line.home / "keys" / "token.key").read_text()
    assert before.strip() in after
    assert after != before
    assert identifier in (line.home / "live" / "tokens" / "schwab.json").read_text()
    assert store_in(line.home).load() == tokens
    (line.home / "keys" / "token.key").unlink()
    lost = line.run("auth", "status")
    assert lost.code == 2
    assert "unreadable" in lost.out
    assert "algo-trader auth login" in lost.out
    asked = line.run("--live", "quote", "AAPL")
    assert asked.code == 2
    assert asked.out == ""
    assert "algo-trader auth login" in asked.err.splitlines()[-1]


def test_keep_fresh_looks_once_and_warns_of_a_sign_in_that_is_due(line: CommandLine) -> None:
    signed_in(line.home, 6.1)
    run = line.run(
        "auth", "keep-fresh", "--once", "--access-interval-minutes", "25",
        "--refresh-interval-days", "6", "--json",
    )  # fmt: skip
    assert run.code == 0, run.err
    assert run.json()["refreshed"] is False
    assert "6.1 days old" in run.json()["warned"]
    assert "6.1 days old" in run.err


def test_signing_in_headless_shows_the_address_and_takes_the_pasted_one(line: CommandLine) -> None:
    run = line.run("auth", "login", "--headless", typed="https://127.0.0.1/?code=C0.x%40&state=y\n")
    assert run.code == 2
    assert re.search(r"http://127\.0\.0\.1:9/\S*authorize\S*code_challenge", run.out)
    assert "Redirect URL:" in run.out
    assert "state" in run.err.splitlines()[-1]
    both = line.run("auth", "login", "--headless", "--listen")
    assert both.code == 2
    assert "exclude each other" in both.err
