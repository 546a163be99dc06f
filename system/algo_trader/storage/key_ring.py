"""The keys that encrypt stored tokens: the first encrypts, all of them decrypt.

A key is a Fernet key: 32 random bytes in URL-safe base64. `TOKEN_ENC_KEY` holds one, or several
with commas, newest first. Without it a key file of mode 0600 is made when something is first
encrypted; it holds one key a line, newest first. Keys of the file still decrypt when
TOKEN_ENC_KEY is set, so moving from the file to the variable loses nothing. Passphrases are
refused: a key that a person can remember, a program can guess.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, TokenKeyLost
from infrastructure.logging import get_logger, register_secret
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.durable_file import FILE_MODE, ignore_step, replace_durably
from system.algo_trader.storage.store_lock import StoreLock

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

MAKE_A_KEY = (
    "Make one with: python3 -c 'from cryptography.fernet import Fernet; "
    "print(Fernet.generate_key().decode())'"
)
LOGIN = "Run `algo-trader auth login` to sign in again."
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
_log = get_logger("storage.key_ring")


class KeyRing:
    """Encrypt with the newest key, decrypt with any.

    Args:
        key_file: Where keys are kept when TOKEN_ENC_KEY is not set.
        setting: TOKEN_ENC_KEY's value, None when it is not set.
        on_step: Called after each step of writing the key file; tests put a crash there.

    Raises:
        ConfigError: If the setting holds something that is no Fernet key.
    """

    def __init__(
        self,
        key_file: Path,
        *,
        setting: Secret | None = None,
        on_step: Callable[[str], None] = ignore_step,
    ) -> None:
        self._key_file = key_file
        self._on_step = on_step
        self._lock = StoreLock(key_file.with_name(key_file.name + ".lock"))
        self._named = () if setting is None else _named_keys(setting)

    def __repr__(self) -> str:
        return f"KeyRing({str(self._key_file)!r}, setting={'set' if self._named else None})"

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Return the id of the key used, and the ciphertext; make the key file if there is no key.

        Raises:
            OperatorError: If the key file cannot be read or made.
        """
        key = self._named[0] if self._named else self._first_of_file()
        return key_id(key), _fernet(key).encrypt(plaintext)

    def decrypt(self, ciphertext: bytes) -> bytes | None:
        """Return the plaintext, None when no key at hand opens it.

        Raises:
            OperatorError: If the key file cannot be read.
        """
        from cryptography.fernet import InvalidToken

        for key in self._keys():
            try:
                return _fernet(key).decrypt(ciphertext)
            except InvalidToken:
                continue
        return None

    def holds(self, identifier: str) -> bool:
        """Tell whether the key of this id is at hand.

        Raises:
            OperatorError: If the key file cannot be read.
        """
        return any(key_id(key) == identifier for key in self._keys())

    def rotate(self) -> str:
        """Put a new first key into the key file and return its id; the old keys still decrypt.

        Raises:
            ConfigError: If TOKEN_ENC_KEY is set: its keys are not ours to change.
            OperatorError: If the key file cannot be written.
        """
        if self._named:
            raise ConfigError(
                "The key comes from TOKEN_ENC_KEY, so it is rotated there",
                next_step="Put a new key before the old one, with a comma between, then sign in or "
                "refresh once and take the old one out.",
            )
        with self._lock.held():
            keys = self._file_keys()
            fresh = _new_key()
            self._write(fresh, *keys)
        return key_id(fresh)

    def lost(self) -> TokenKeyLost:
        """Return the error of a sign-in whose key is not at hand."""
        where = "TOKEN_ENC_KEY" if self._named else str(self._key_file)
        return TokenKeyLost(
            f"The stored sign-in was encrypted with a key that is no longer there (looked in "
            f"{where})",
            next_step=f"Bring that key back, or sign in anew. {LOGIN}",
        )

    def _keys(self) -> tuple[str, ...]:
        return self._named + self._file_keys()

    def _first_of_file(self) -> str:
        with self._lock.held():
            keys = self._file_keys()
            if keys:
                return keys[0]
            fresh = _new_key()
            self._write(fresh)
            _log.info("made the key file %s", self._key_file)
            return fresh

    def _write(self, *keys: str) -> None:
        self._keep_unusable_aside()
        content = "".join(f"{key}\n" for key in keys).encode("ascii")
        replace_durably(self._key_file, content, on_step=self._on_step)

    def _keep_unusable_aside(self) -> None:
        """Never overwrite a key file in which we found no key: a person may still mend it."""
        if self._key_file.exists() and not self._file_keys():
            aside = self._key_file.with_name(self._key_file.name + ".unusable")
            with told_in_a_sentence(aside):
                self._key_file.replace(aside)
            _log.warning("the key file held no key; it is kept as %s", aside)

    def _file_keys(self) -> tuple[str, ...]:
        if not self._key_file.exists():
            return ()
        with told_in_a_sentence(self._key_file, "read"):
            text = self._key_file.read_bytes().decode("ascii", errors="replace")
            mode = stat.S_IMODE(self._key_file.stat().st_mode)
            if mode & ~FILE_MODE:
                _log.warning("others could read %s; its mode is now 0600", self._key_file)
                self._key_file.chmod(FILE_MODE)
        keys = tuple(line.strip() for line in text.splitlines() if is_key(line.strip()))
        for key in keys:
            register_secret(key)
        return keys


def key_id(key: str) -> str:
    """Return a short name of a key that does not reveal it: the start of its SHA-256."""
    return hashlib.sha256(b"algo-trader key id:" + key.encode("ascii")).hexdigest()[:16]


def is_key(text: str) -> bool:
    """Tell whether a text is a Fernet key: 32 bytes in URL-safe base64, and nothing after it."""
    return _KEY.fullmatch(text) is not None


def _fernet(key: str) -> Fernet:
    from cryptography.fernet import Fernet

    return Fernet(key)


def _new_key() -> str:
    from cryptography.fernet import Fernet

    key = Fernet.generate_key().decode("ascii")
    register_secret(key)
    return key


def _named_keys(setting: Secret) -> tuple[str, ...]:
    keys = tuple(part.strip() for part in setting.reveal().split(",") if part.strip())
    if not keys or not all(is_key(key) for key in keys):
        raise ConfigError(
            "TOKEN_ENC_KEY holds something that is no Fernet key (44 characters of URL-safe "
            "base64; several with commas)",
            next_step=f"{MAKE_A_KEY}, or unset it to use a key file.",
        )
    for key in keys:
        register_secret(key)
    return keys
