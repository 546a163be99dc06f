"""What a key may be, and what it never shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore, UsageError
from system.algo_trader.api.access.api_key import LATEST_NS, ApiKey, KeyScope, make_key
from system.algo_trader.api.access.browser_session import Sessions
from system.algo_trader.api.access.key_store import KeyStore

TICKS = frozenset({KeyScope.READ_TICKS})
NOW_NS = 1_700_000_000_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api_keys.json"


def test_what_is_kept_of_a_key_shows_nothing_of_it() -> None:
    key, text = make_key("mine", TICKS, NOW_NS)
    secret = text.rpartition("_")[2]
    for shown in (repr(key), str(key), json.dumps(key.as_row(NOW_NS))):
        assert key.key_id in shown
        for hidden in (secret, key.salt.hex(), key.digest.hex(), repr(key.salt), repr(key.digest)):
            assert hidden not in shown


def test_a_session_does_not_show_the_token_of_its_changes() -> None:
    sessions = Sessions(VirtualClock(NOW_NS))
    opened = sessions.open(sessions.link_token())
    assert opened is not None
    assert opened[1].csrf_token not in repr(opened[1])


def test_a_key_is_the_same_after_it_was_stored() -> None:
    key, _ = make_key("mine", TICKS, NOW_NS, expires_at_ns=NOW_NS + 1, rate_per_minute=7)
    assert ApiKey.of_stored(json.loads(json.dumps(key.as_stored()))) == key


@pytest.mark.parametrize("lives_s", [0.0, -1.0, 1e12, float("inf"), float("nan")])
def test_a_key_that_would_end_at_no_time_that_can_be_is_not_made(
    path: Path, lives_s: float
) -> None:
    keys = KeyStore(path, VirtualClock(NOW_NS))
    with pytest.raises(UsageError, match="a key ends in the future"):
        keys.create("mine", TICKS, expires_in_s=lives_s)
    assert keys.list() == []


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mred", "a\x00", "\ud800", "a\u202eb"])
def test_a_name_that_would_write_over_a_terminal_is_refused(path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="can be printed"):
        KeyStore(path).create(name, TICKS)
    assert not path.exists()


@pytest.mark.parametrize("rate", [0, -1, 1_000_001])
def test_a_rate_that_nobody_could_keep_is_refused(path: Path, rate: int) -> None:
    with pytest.raises(UsageError, match="times a minute"):
        KeyStore(path).create("mine", TICKS, rate_per_minute=rate)


@pytest.mark.parametrize(
    ("name", "value"),
    [("expires_at_ns", LATEST_NS + 1), ("expires_at_ns", -1), ("created_at_ns", 10**30),
     ("revoked_at_ns", -5), ("rate_per_minute", 0), ("rate_per_minute", -600)],
)  # fmt: skip
def test_a_stored_key_that_cannot_be_lets_nobody_in(path: Path, name: str, value: int) -> None:
    clock = VirtualClock(NOW_NS)
    _, text = KeyStore(path, clock).create("mine", TICKS)
    document = json.loads(path.read_text())
    document["keys"][0][name] = value
    path.write_text(json.dumps(document))
    keys = KeyStore(path, clock)
    with pytest.raises(CorruptStore):
        keys.find(text)
    with pytest.raises(CorruptStore):
        keys.list()


def test_a_revoked_key_does_not_come_back_by_a_second_entry(path: Path) -> None:
    clock = VirtualClock(NOW_NS)
    keys = KeyStore(path, clock)
    key, text = keys.create("mine", TICKS)
    valid = json.loads(path.read_text())["keys"]
    keys.revoke(key.key_id)
    document = json.loads(path.read_text())
    document["keys"] += valid
    path.write_text(json.dumps(document))
    with pytest.raises(CorruptStore):
        KeyStore(path, clock).find(text)
