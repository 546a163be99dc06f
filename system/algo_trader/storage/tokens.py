"""The sign-in's encrypted file: the truth about who is signed in.

The file is one JSON object: format, version, the id of the key, and a Fernet ciphertext of the
token set. Its mode is 0600 from creation; a write replaces it wholly or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore, StoreNewer
from infrastructure.schwab.oauth.tokens import TokenSet
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.durable_file import ignore_step, replace_durably, sync_folder
from system.algo_trader.storage.key_ring import LOGIN, KeyRing
from system.algo_trader.storage.store_lock import LONGEST_WAIT_S, StoreLock

FORMAT = "algo-trader sign-in"
VERSION = 1
FileStamp = tuple[int, int, int]


class FileTokenStore:
    """Keep one token set in an encrypted file, shared by threads and processes.

    Args:
        path: The file.
        key_ring: Encrypts and decrypts it.
        clock: Waits for the lock.
        longest_lock_wait_s: How long to wait for another process, seconds.
        on_step: Called after each step of a write; tests put a crash there.
    """

    def __init__(
        self,
        path: Path,
        key_ring: KeyRing,
        *,
        clock: Clock | None = None,
        longest_lock_wait_s: float = LONGEST_WAIT_S,
        on_step: Callable[[str], None] = ignore_step,
    ) -> None:
        self.path = path
        self.key_ring = key_ring
        self._on_step = on_step
        self._lock = StoreLock(
            path.with_name(path.name + ".lock"), longest_wait_s=longest_lock_wait_s, clock=clock
        )

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other thread and process from changing the sign-in; one thread may nest it.

        Raises:
            StoreLocked: If another process keeps the lock too long.
        """
        with self._lock.held():
            yield

    def stamp(self) -> FileStamp | None:
        """Return what changes whenever the file is replaced, None when there is none."""
        with told_in_a_sentence(self.path, "read"):
            try:
                status = self.path.stat()
            except FileNotFoundError:
                return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    def load(self) -> TokenSet | None:
        """Return the kept token set, None when nobody is signed in.

        Raises:
            TokenKeyLost: If the key that encrypted it is not at hand.
            CorruptStore: If the file is damaged.
            StoreNewer: If a newer version of this software wrote it.
            OperatorError: If it cannot be read.
        """
        with told_in_a_sentence(self.path, "read"):
            try:
                content = self.path.read_bytes()
            except FileNotFoundError:
                return None
        identifier, ciphertext = self._envelope(content)
        if not self.key_ring.holds(identifier):
            raise self.key_ring.lost()
        plaintext = self.key_ring.decrypt(ciphertext)
        if plaintext is None:
            raise self._damaged("its ciphertext is not what was written")
        try:
            return TokenSet.from_revealed(json.loads(plaintext))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged("it holds no token set") from None

    def save(self, tokens: TokenSet) -> None:
        """Replace the kept token set durably.

        Raises:
            DiskFull: If there is no space; the old one stays.
            OperatorError: If the file or key file cannot be written; the old one stays.
        """
        with self.lock():
            plaintext = json.dumps(tokens.reveal()).encode("utf-8")
            identifier, ciphertext = self.key_ring.encrypt(plaintext)
            envelope = {
                "format": FORMAT,
                "version": VERSION,
                "key_id": identifier,
                "ciphertext": ciphertext.decode("ascii"),
            }
            content = json.dumps(envelope).encode("ascii")
            replace_durably(self.path, content, on_step=self._on_step)

    def delete(self) -> None:
        """Forget the sign-in; nothing happens when there is none.

        Raises:
            OperatorError: If the file cannot be removed.
        """
        with self.lock(), told_in_a_sentence(self.path, "remove"):
            self.path.unlink(missing_ok=True)
            sync_folder(self.path.parent)

    def rotate_key(self) -> str:
        """Encrypt the sign-in with a new key of the key file, and return the key's id.

        Raises:
            ConfigError: If the key comes from TOKEN_ENC_KEY.
            StackError: As `load` and `save`.
        """
        with self.lock():
            tokens = self.load()
            identifier = self.key_ring.rotate()
            if tokens is not None:
                self.save(tokens)
            return identifier

    def _envelope(self, content: bytes) -> tuple[str, bytes]:
        try:
            envelope = json.loads(content)
        except ValueError:
            raise self._damaged("it is no JSON") from None
        if not isinstance(envelope, dict) or envelope.get("format") != FORMAT:
            raise self._damaged("it is no sign-in of ours")
        version = envelope.get("version")
        if isinstance(version, int) and version > VERSION:
            raise StoreNewer(
                f"{self.path} has version {version}, and this program reads up to {VERSION}",
                next_step="Use the newer program, or sign in again with "
                "`algo-trader auth login` after `algo-trader auth logout`.",
            )
        identifier, ciphertext = envelope.get("key_id"), envelope.get("ciphertext")
        if not isinstance(identifier, str) or not isinstance(ciphertext, str):
            raise self._damaged("its parts are missing")
        return identifier, ciphertext.encode("utf-8")

    def _damaged(self, reason: str) -> CorruptStore:
        return CorruptStore(f"The stored sign-in {self.path} is damaged: {reason}", next_step=LOGIN)
