import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, OperatorError, StackError
from infrastructure.logging import redact
from system.algo_trader.storage.key_ring import KeyRing, is_key, key_id


def fresh_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "token.key"


def test_a_key_file_is_made_when_something_is_first_encrypted(path: Path) -> None:
    ring = KeyRing(path)
    assert ring.decrypt(b"nothing") is None
    assert not path.exists()
    identifier, ciphertext = ring.encrypt(b"plain")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ring.holds(identifier)
    assert ring.decrypt(ciphertext) == b"plain"
    assert b"plain" not in ciphertext


def test_the_same_key_file_serves_another_process(path: Path) -> None:
    _, ciphertext = KeyRing(path).encrypt(b"plain")
    assert KeyRing(path).decrypt(ciphertext) == b"plain"


def test_a_set_key_is_used_and_no_file_is_made(path: Path) -> None:
    key = fresh_key()
    identifier, ciphertext = KeyRing(path, setting=Secret(key)).encrypt(b"plain")
    assert identifier == key_id(key)
    assert Fernet(key).decrypt(ciphertext) == b"plain"
    assert not path.exists()


def test_of_several_set_keys_the_first_encrypts_and_all_decrypt(path: Path) -> None:
    old, new = fresh_key(), fresh_key()
    ciphertext = Fernet(old).encrypt(b"plain")
    ring = KeyRing(path, setting=Secret(f"{new}, {old}"))
    assert ring.decrypt(ciphertext) == b"plain"
    assert ring.encrypt(b"plain")[0] == key_id(new)


def test_the_key_files_keys_still_decrypt_when_a_key_is_set(path: Path) -> None:
    _, ciphertext = KeyRing(path).encrypt(b"plain")
    assert KeyRing(path, setting=Secret(fresh_key())).decrypt(ciphertext) == b"plain"


@pytest.mark.parametrize(
    "value", ["passphrase", "", ",", "A" * 44, "A" * 43 + "=x", "ä" * 43 + "="]
)
def test_a_set_value_that_is_no_fernet_key_is_refused_without_showing_it(
    path: Path, value: str
) -> None:
    with pytest.raises(ConfigError, match="no Fernet key") as caught:
        KeyRing(path, setting=Secret(value))
    assert "Fernet.generate_key()" in str(caught.value)
    assert len(value) < 2 or value not in str(caught.value)


def test_one_bad_key_of_several_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError):
        KeyRing(path, setting=Secret(f"{fresh_key()},passphrase"))


def test_rotation_puts_a_new_key_first_and_keeps_the_old(path: Path) -> None:
    ring = KeyRing(path)
    before, ciphertext = ring.encrypt(b"plain")
    rotated = ring.rotate()
    assert rotated != before
    assert ring.decrypt(ciphertext) == b"plain"
    assert ring.encrypt(b"plain")[0] == rotated
    assert len(path.read_text().split()) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_set_key_is_not_ours_to_rotate(path: Path) -> None:
    with pytest.raises(ConfigError, match="rotated there"):
        KeyRing(path, setting=Secret(fresh_key())).rotate()


def test_a_key_file_that_others_can_read_is_closed_with_a_warning(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring = KeyRing(path)
    _, ciphertext = ring.encrypt(b"plain")
    path.chmod(0o644)
    with caplog.at_level("WARNING"):
        assert ring.decrypt(ciphertext) == b"plain"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "others could read" in caplog.text


def test_a_key_file_without_a_key_is_kept_aside_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("garbage\n")
    ring = KeyRing(path)
    assert ring.decrypt(b"x") is None
    _, ciphertext = ring.encrypt(b"plain")
    assert ring.decrypt(ciphertext) == b"plain"
    assert path.with_name("token.key.unusable").read_text() == "garbage\n"


def test_a_key_file_that_cannot_be_read_is_said(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(OperatorError, match="cannot read"):
        KeyRing(path).decrypt(b"x")


def test_a_key_that_is_gone_is_a_lost_key_with_the_next_step(path: Path) -> None:
    error: StackError = KeyRing(path).lost()
    assert error.exit_code == 2
    assert "algo-trader auth login" in str(error)
    assert str(path) in str(error)
    assert "TOKEN_ENC_KEY" in str(KeyRing(path, setting=Secret(fresh_key())).lost())


def test_keys_are_shown_neither_by_repr_nor_in_logs(path: Path) -> None:
    key = fresh_key()
    ring = KeyRing(path, setting=Secret(key))
    assert key not in repr(ring)
    assert redact(f"key {key}") == "key ********"
    KeyRing(path).encrypt(b"plain")
    made = path.read_text().strip()
    assert is_key(made)
    assert redact(made) == "********"


def test_an_id_names_a_key_without_revealing_it() -> None:
    key = fresh_key()
    assert key_id(key) == key_id(key) != key_id(fresh_key())
    assert key_id(key) not in key
