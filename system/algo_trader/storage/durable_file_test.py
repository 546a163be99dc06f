import os
import stat
from pathlib import Path

import pytest

from infrastructure.errors import DiskFull, OperatorError
from system.algo_trader.storage.durable_file import ignore_step, replace_durably


def test_the_file_and_its_folder_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.key"
    old_mask = os.umask(0)
    try:
        replace_durably(path, b"content", on_step=ignore_step)
    finally:
        os.umask(old_mask)
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_temporary_file_is_private_from_creation(tmp_path: Path) -> None:
    modes: list[int] = []

    def look(step: str) -> None:
        if step in ("created", "half written", "written", "synced"):
            modes.append(stat.S_IMODE((tmp_path / "a.new").stat().st_mode))

    replace_durably(tmp_path / "a", b"content", on_step=look)
    assert modes == [0o600] * 4


def test_a_left_temporary_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a.new").write_bytes(b"half")
    replace_durably(tmp_path / "a", b"content", on_step=ignore_step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_no_space_is_said_and_the_old_content_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    replace_durably(path, b"old", on_step=ignore_step)

    def fill_the_disk(step: str) -> None:
        if step == "created":
            raise OSError(28, os.strerror(28))

    with pytest.raises(DiskFull, match="Free some space"):
        replace_durably(path, b"new", on_step=fill_the_disk)
    assert path.read_bytes() == b"old"


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("in the way")
    with pytest.raises(OperatorError, match="cannot make the folder"):
        replace_durably(tmp_path / "keys" / "a.key", b"x", on_step=ignore_step)
