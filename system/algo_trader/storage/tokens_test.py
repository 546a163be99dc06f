import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from infrastructure.config import Secret
from infrastructure.errors import (
    ConfigError,
    CorruptStore,
    OperatorError,
    StoreNewer,
    TokenKeyLost,
)
from infrastructure.schwab.oauth.tokens import TokenSet
from system.algo_trader.storage.key_ring import KeyRing
from system.algo_trader.storage.tokens import FileTokenStore

ROOT = Path(__file__).resolve().parents[3]
STEPS = ["cleared", "created", "half written", "written", "synced", "renamed", "folder synced"]
SAVE_AND_DIE = """
import os, sys
from pathlib import Path
from system.algo_trader.storage.key_ring import KeyRing
from system.algo_trader.storage.tokens import FileTokenStore
from system.algo_trader.storage.tokens_test import token_set

home, name, part, step = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]

def die(reached):
    if reached == step:
        os.kill(os.getpid(), 9)

def live(reached):
    pass

ring = KeyRing(home / "keys" / "token.key", on_step=die if part == "key" else live)
store = FileTokenStore(home / "tokens.json", ring, on_step=die if part == "tokens" else live)
store.save(token_set(name))
"""


def token_set(name: str) -> TokenSet:
    return TokenSet(
        access_token=Secret(f"I0.access-of-{name}@"),
        refresh_token=Secret(f"refresh-of-{name}@"),
        expires_at_ns=1800 * 10**9,
        signed_in_at_ns=5,
        scope="api",
        id_token=Secret(f"id.of.{name}"),
    )


def store_in(home: Path, setting: Secret | None = None) -> FileTokenStore:
    return FileTokenStore(
        home / "tokens.json", KeyRing(home / "keys" / "token.key", setting=setting)
    )


def save_and_die(home: Path, name: str, part: str, step: str) -> int:
    command = [sys.executable, "-c", SAVE_AND_DIE, str(home), name, part, step]
    return subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode


def test_what_is_saved_is_loaded_by_another_store(tmp_path: Path) -> None:
    assert store_in(tmp_path).load() is None
    store_in(tmp_path).save(token_set("one"))
    assert store_in(tmp_path).load() == token_set("one")


def test_the_file_is_private_and_holds_no_token_in_plain(tmp_path: Path) -> None:
    store_in(tmp_path).save(token_set("one"))
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for plain in (b"access-of", b"refresh-of", b"id.of", b"api"):
        assert plain not in everything
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_deleting_forgets_and_may_be_repeated(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(token_set("one"))
    store.delete()
    store.delete()
    assert store.load() is None
    assert store.stamp() is None


def test_the_stamp_changes_with_every_save(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(token_set("one"))
    first = store.stamp()
    store.save(token_set("two"))
    assert first is not None
    assert store.stamp() not in (None, first)


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_while_writing_leaves_the_old_sign_in_or_the_new(tmp_path: Path, step: str) -> None:
    store_in(tmp_path).save(token_set("old"))
    assert save_and_die(tmp_path, "new", "tokens", step) == -9
    survivor = store_in(tmp_path).load()
    expected = "new" if step in ("renamed", "folder synced") else "old"
    assert survivor == token_set(expected)
    store_in(tmp_path).save(token_set("later"))
    assert store_in(tmp_path).load() == token_set("later")
    assert not (tmp_path / "tokens.json.new").exists()


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_while_making_the_key_leaves_nobody_signed_in_and_the_next_works(
    tmp_path: Path, step: str
) -> None:
    assert save_and_die(tmp_path, "new", "key", step) == -9
    assert store_in(tmp_path).load() is None
    store_in(tmp_path).save(token_set("later"))
    assert store_in(tmp_path).load() == token_set("later")


def test_a_crash_helper_that_is_told_no_step_saves(tmp_path: Path) -> None:
    assert save_and_die(tmp_path, "new", "tokens", "never") == 0
    assert store_in(tmp_path).load() == token_set("new")


def test_a_lost_key_is_said_and_nothing_is_made_or_changed(tmp_path: Path) -> None:
    store_in(tmp_path).save(token_set("one"))
    before = (tmp_path / "tokens.json").read_bytes()
    (tmp_path / "keys" / "token.key").unlink()
    with pytest.raises(TokenKeyLost, match="no longer there") as caught:
        store_in(tmp_path).load()
    assert "algo-trader auth login" in str(caught.value)
    assert not (tmp_path / "keys" / "token.key").exists()
    assert (tmp_path / "tokens.json").read_bytes() == before


def test_signing_in_after_a_lost_key_makes_a_new_one(tmp_path: Path) -> None:
    store_in(tmp_path).save(token_set("one"))
    (tmp_path / "keys" / "token.key").unlink()
    store_in(tmp_path).save(token_set("two"))
    assert store_in(tmp_path).load() == token_set("two")


def test_another_set_key_is_a_lost_key(tmp_path: Path) -> None:
    first, second = (Secret(Fernet.generate_key().decode()) for _ in range(2))
    store_in(tmp_path, first).save(token_set("one"))
    with pytest.raises(TokenKeyLost, match="TOKEN_ENC_KEY"):
        store_in(tmp_path, second).load()
    assert store_in(tmp_path, first).load() == token_set("one")


def test_a_rotated_key_encrypts_anew_and_loses_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(token_set("one"))
    before = json.loads((tmp_path / "tokens.json").read_text())["key_id"]
    rotated = store.rotate_key()
    after = json.loads((tmp_path / "tokens.json").read_text())["key_id"]
    assert before != after == rotated
    assert store_in(tmp_path).load() == token_set("one")
    newest = (tmp_path / "keys" / "token.key").read_text().splitlines()[0]
    assert store_in(tmp_path / "elsewhere", Secret(newest)).load() is None
    os.replace(tmp_path / "keys" / "token.key", tmp_path / "gone")
    assert store_in(tmp_path, Secret(newest)).load() == token_set("one")


def test_a_rotation_without_a_sign_in_only_makes_the_key(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.rotate_key()
    assert store.load() is None
    with pytest.raises(ConfigError):
        store_in(tmp_path, Secret(Fernet.generate_key().decode())).rotate_key()


def damaged(home: Path, content: bytes) -> FileTokenStore:
    store = store_in(home)
    store.save(token_set("one"))
    store.path.write_bytes(content)
    return store


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JSON"),
        (b'{"format": "algo-trad', "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[]", "no sign-in of ours"),
        (b'{"access_token": "legacy plain file"}', "no sign-in of ours"),
        (b'{"format": "algo-trader sign-in", "version": 1}', "parts are missing"),
    ],
)
def test_a_damaged_file_is_said_with_the_next_step(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(CorruptStore, match=reason) as caught:
        damaged(tmp_path, content).load()
    assert "algo-trader auth login" in str(caught.value)


def test_a_flipped_bit_in_the_ciphertext_is_damage_not_a_lost_key(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(token_set("one"))
    envelope = json.loads(store.path.read_text())
    middle = len(envelope["ciphertext"]) // 2
    other = "A" if envelope["ciphertext"][middle] != "A" else "B"
    envelope["ciphertext"] = (
        envelope["ciphertext"][:middle] + other + envelope["ciphertext"][middle + 1 :]
    )
    store.path.write_text(json.dumps(envelope))
    with pytest.raises(CorruptStore, match="not what was written"):
        store.load()


@pytest.mark.parametrize("plaintext", [b"[]", b"{}", b"no json", b'{"access_token": 5}'])
def test_a_ciphertext_of_something_else_is_damage(tmp_path: Path, plaintext: bytes) -> None:
    store = store_in(tmp_path)
    identifier, ciphertext = store.key_ring.encrypt(plaintext)
    envelope = {
        "format": "algo-trader sign-in",
        "version": 1,
        "key_id": identifier,
        "ciphertext": ciphertext.decode(),
    }
    store.path.write_text(json.dumps(envelope))
    with pytest.raises(CorruptStore, match="no token set"):
        store.load()


def test_a_file_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreNewer, match="version 2"):
        damaged(tmp_path, b'{"format": "algo-trader sign-in", "version": 2}').load()


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.path.mkdir()
    with pytest.raises(OperatorError, match="cannot read"):
        store.load()
    with pytest.raises(OperatorError, match="cannot remove"):
        store.delete()
    with pytest.raises(OperatorError, match="cannot write"):
        store.save(token_set("one"))


def test_repr_shows_the_path_only(tmp_path: Path) -> None:
    assert repr(store_in(tmp_path)) == f"FileTokenStore('{tmp_path}/tokens.json')"
