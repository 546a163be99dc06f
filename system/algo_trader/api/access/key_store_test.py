"""Keys: made, found, revoked, expired; a damaged file lets nobody in; a crash loses nothing."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore, UsageError
from system.algo_trader.api.access.api_key import ApiKey, KeyScope, make_key, parts_of
from system.algo_trader.api.access.key_store import LOOK_S, KeyStore

TICKS = frozenset({KeyScope.READ_TICKS})
NOW_NS = 1_700_000_000_000_000_000
STEPS = ("cleared", "created", "half written", "written", "synced", "renamed", "folder synced")


class Crash(Exception):
    """Stand for the end of a process."""


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW_NS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api_keys.json"


def crash_at(step: str) -> Callable[[str], None]:
    def on_step(reached: str) -> None:
        if reached == step:
            raise Crash(step)

    return on_step


def test_a_key_is_found_by_its_text_only(path: Path, clock: VirtualClock) -> None:
    keys = KeyStore(path, clock)
    key, text = keys.create("mine", TICKS)
    other, other_text = keys.create("another", frozenset({KeyScope.ADMIN}))
    found = keys.find(text)
    assert isinstance(found, ApiKey)
    assert (found.key_id, found.scopes) == (key.key_id, TICKS)
    mixed = f"at_{key.key_id}_{other_text.rpartition('_')[2]}"
    assert keys.find(mixed) == "wrong secret"
    assert keys.find(text[:-1] + ("a" if text[-1] != "a" else "b")) == "wrong secret"
    assert keys.find(f"at_{'0' * 12}_{'0' * 43}") == "unknown"
    assert [each.key_id for each in keys.list()] == [key.key_id, other.key_id]


def test_the_file_holds_no_secret_and_is_its_owners_alone(path: Path, clock: VirtualClock) -> None:
    _, text = KeyStore(path, clock).create("mine", TICKS)
    assert text.rpartition("_")[2] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    ["", " ", "at_", "at__", "x" * 127, "x" * 128, "x" * 129, "x" * 100_000, "\0", "\ud800",
     "at_" + "é" * 12 + "_" + "a" * 43, "at_" + "a" * 12 + "_" + "a" * 42 + "\n"],
)  # fmt: skip
def test_what_is_no_key_is_malformed(path: Path, clock: VirtualClock, text: str) -> None:
    keys = KeyStore(path, clock)
    keys.create("mine", TICKS)
    assert keys.find(text) == "malformed"


@given(st.text(max_size=200))
def test_whatever_a_stranger_sends_is_refused_without_an_error(text: str) -> None:
    assert isinstance(KeyStore(Path("/nowhere/api_keys.json")).find(text), str)


@given(st.text(string.ascii_letters + string.digits, min_size=43, max_size=43))
def test_a_secret_matches_itself_only(secret: str) -> None:
    key, text = make_key("mine", TICKS, NOW_NS)
    parts = parts_of(text)
    assert parts is not None
    assert key.matches(parts[1])
    assert key.matches(secret) == (secret == parts[1])


def test_a_key_ends_at_its_time_and_not_before(path: Path, clock: VirtualClock) -> None:
    keys = KeyStore(path, clock)
    _, text = keys.create("mine", TICKS, expires_in_s=60.0)
    clock.advance(seconds=59.999)
    assert isinstance(keys.find(text), ApiKey)
    clock.advance(seconds=0.001)
    assert keys.find(text) == "expired"
    assert not keys.has_valid()


def test_a_revocation_is_seen_by_another_process_within_a_second(
    path: Path, clock: VirtualClock
) -> None:
    ours, theirs = KeyStore(path, clock), KeyStore(path, clock)
    key, text = ours.create("mine", TICKS)
    assert isinstance(theirs.find(text), ApiKey)
    assert ours.revoke(key.key_id).revoked_at_ns is not None
    assert ours.find(text) == "revoked"
    clock.advance(seconds=LOOK_S)
    assert LOOK_S < 1.0
    assert theirs.find(text) == "revoked"


def test_a_key_is_revoked_once_and_its_name_is_free_then(path: Path, clock: VirtualClock) -> None:
    keys = KeyStore(path, clock)
    key, _ = keys.create("mine", TICKS)
    with pytest.raises(UsageError, match="there is a key named"):
        keys.create("mine", TICKS)
    first = keys.revoke(key.key_id).revoked_at_ns
    clock.advance(seconds=5)
    assert keys.revoke(key.key_id).revoked_at_ns == first
    keys.create("mine", TICKS)
    with pytest.raises(UsageError, match="there is no key"):
        keys.revoke("nobody")


@pytest.mark.parametrize(("name", "scopes"), [("", TICKS), ("x" * 65, TICKS), ("x", frozenset())])
def test_a_key_without_name_or_scope_is_not_made(
    path: Path, name: str, scopes: frozenset[KeyScope]
) -> None:
    with pytest.raises(UsageError):
        KeyStore(path).create(name, scopes)
    assert not path.exists()


DAMAGE = (
    b"", b"{", b"[]", b"null", b"{}", b'{"keys": {}, "x"', b'{"keys": {"a": 1}}', b'{"keys": 5}',
    b'{"keys": [1]}', b'{"keys": [{}]}', b'{"keys": [null]}', b"\xff\xfe", b"[" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("content", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_file_lets_nobody_in(path: Path, clock: VirtualClock, content: bytes) -> None:
    keys = KeyStore(path, clock)
    _, text = keys.create("mine", TICKS)
    assert isinstance(keys.find(text), ApiKey)
    good = path.read_bytes()
    path.write_bytes(content)
    clock.advance(seconds=LOOK_S)
    for _ in range(2):
        with pytest.raises(CorruptStore):
            keys.find(text)
    with pytest.raises(CorruptStore):
        keys.create("new", TICKS)
    assert path.read_bytes() == content
    path.write_bytes(good)
    clock.advance(seconds=LOOK_S)
    assert isinstance(keys.find(text), ApiKey)


@pytest.mark.parametrize(
    ("name", "value"),
    [("scopes", ["trade"]), ("scopes", 3), ("salt", "zz"), ("digest", None), ("key_id", ...),
     ("rate_per_minute", "many"), ("rate_per_minute", 1e400), ("expires_at_ns", "soon")],
)  # fmt: skip
def test_one_damaged_key_lets_nobody_in(
    path: Path, clock: VirtualClock, name: str, value: object
) -> None:
    keys = KeyStore(path, clock)
    _, text = keys.create("mine", TICKS)
    document = json.loads(path.read_text())
    if value is ...:
        del document["keys"][0][name]
    else:
        document["keys"][0][name] = value
    path.write_text(json.dumps(document))
    with pytest.raises(CorruptStore, match="holds no keys"):
        KeyStore(path, clock).find(text)


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_leaves_the_old_keys_or_the_new(
    path: Path, clock: VirtualClock, step: str
) -> None:
    key, text = KeyStore(path, clock).create("mine", TICKS)
    with pytest.raises(Crash):
        KeyStore(path, clock, on_step=crash_at(step)).revoke(key.key_id)
    found = KeyStore(path, clock).find(text)
    if step in ("renamed", "folder synced"):
        assert found == "revoked"
    else:
        assert isinstance(found, ApiKey)
    KeyStore(path, clock).create("next", TICKS)
    assert [each.name for each in KeyStore(path, clock).list()] == ["mine", "next"]
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "api_keys.json", "api_keys.lock"
    ]  # fmt: skip


def test_writers_at_the_same_time_lose_no_key(path: Path) -> None:
    def make(number: int) -> str:
        return KeyStore(path).create(f"key {number}", TICKS)[1]

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(make, range(24)))
    keys = KeyStore(path)
    assert all(isinstance(keys.find(text), ApiKey) for text in texts)
    assert len(keys.list()) == 24


def test_no_scope_can_trade() -> None:
    assert {str(each) for each in KeyScope} == {"read:ticks", "read:options", "admin"}
