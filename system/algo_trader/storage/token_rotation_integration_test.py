"""A process that is killed at any step of `auth rotate-key` leaves the sign-in readable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from infrastructure.config import Secret
from infrastructure.schwab.oauth.tokens import TokenSet
from system.algo_trader.storage.key_ring import KeyRing
from system.algo_trader.storage.tokens import FileTokenStore

ROOT: Final = Path(__file__).resolve().parents[3]
STEPS: Final = (
    "cleared",
    "created",
    "half written",
    "written",
    "synced",
    "renamed",
    "folder synced",
)
TOKENS: Final = TokenSet(Secret("I0.access@"), Secret("refresh@"), 1800 * 10**9, 5)
ROTATE_AND_DIE: Final = """
import os, signal, sys
from pathlib import Path
from system.algo_trader.storage.durable_file import ignore_step
from system.algo_trader.storage.key_ring import KeyRing
from system.algo_trader.storage.tokens import FileTokenStore

home, part, step = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def die(reached):
    if reached == step:
        os.kill(os.getpid(), signal.SIGKILL)

ring = KeyRing(home / "token.key", on_step=die if part == "key" else ignore_step)
store = FileTokenStore(
    home / "tokens.json", ring, on_step=die if part == "tokens" else ignore_step
)
store.rotate_key()
"""


def store_in(home: Path) -> FileTokenStore:
    return FileTokenStore(home / "tokens.json", KeyRing(home / "token.key"))


@pytest.mark.parametrize("part", ["key", "tokens"])
@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_killed_at_any_step_loses_no_sign_in_and_can_be_repeated(
    tmp_path: Path, part: str, step: str
) -> None:
    store_in(tmp_path).save(TOKENS)
    command = [sys.executable, "-c", ROTATE_AND_DIE, str(tmp_path), part, step]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == -9
    assert store_in(tmp_path).load() == TOKENS
    store_in(tmp_path).rotate_key()
    assert store_in(tmp_path).load() == TOKENS
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
        content = path.read_bytes()
        assert b"I0.access@" not in content
        assert b"refresh@" not in content


def test_a_rotation_that_nothing_kills_ends_well(tmp_path: Path) -> None:
    store_in(tmp_path).save(TOKENS)
    command = [sys.executable, "-c", ROTATE_AND_DIE, str(tmp_path), "key", "never"]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == 0
    assert store_in(tmp_path).load() == TOKENS
