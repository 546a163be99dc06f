"""Files of supervision are whole, private, and complained about in a sentence."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infrastructure.errors import DiskFull, OperatorError
from infrastructure.supervision.announcement import error_from
from infrastructure.supervision.endpoint import Endpoint, endpoint_from
from infrastructure.supervision.files import (
    kept_secret,
    make_private_folder,
    read_json,
    told_in_a_sentence,
    write_json,
    write_private,
)
from infrastructure.supervision.logfile import rotate, tail

ENDPOINT = Endpoint("redis://h", 7, "boot:1", "valkey", "9.1.2", "key", True, "", 5)


def test_a_written_file_is_private_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_failed_write_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "secret"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(DiskFull, match="no space left to write"):
        write_private(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_new_folder_is_private(tmp_path: Path) -> None:
    folder = make_private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert make_private_folder(folder) == folder
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="cannot make the folder"):
        make_private_folder(tmp_path / "file")


def test_a_quota_is_a_full_disk_too(tmp_path: Path) -> None:
    with pytest.raises(DiskFull), told_in_a_sentence(tmp_path):
        raise OSError(errno.EDQUOT, "quota")


@pytest.mark.parametrize("content", ["", "{", "[1]", "7"])
def test_what_is_no_json_object_says_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    assert read_json(path) is None
    assert read_json(tmp_path / "none") is None


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot read"):
        read_json(tmp_path)


def test_an_endpoint_comes_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.json"
    ENDPOINT.write(path)
    assert Endpoint.read(path) == ENDPOINT
    write_json(path, {**(read_json(path) or {}), "added_later": 1})
    assert Endpoint.read(path) == ENDPOINT


@pytest.mark.parametrize("change", [{"pid": "7"}, {"url": None}, {"kept": "yes"}])
def test_an_endpoint_with_a_part_of_a_wrong_type_is_none(change: dict[str, object]) -> None:
    whole = {"url": "u", "pid": 7, "start_time": "s", "product": "p", "version": "1"}
    assert endpoint_from(whole) is not None
    assert endpoint_from({**whole, **change}) is None
    assert endpoint_from({name: value for name, value in whole.items() if name != "pid"}) is None


def test_a_secret_is_read_out_of_its_file(tmp_path: Path) -> None:
    from dataclasses import replace

    assert ENDPOINT.secret() is None
    path = tmp_path / "password"
    path.write_text("word\n")
    assert replace(ENDPOINT, secret_file=str(path)).secret() == "word"


def test_an_unknown_announced_error_is_an_operators_matter() -> None:
    error = error_from({"error": "os", "message": "odd"})
    assert type(error) is OperatorError
    assert str(error) == "odd"


def test_a_log_is_cut_beyond_its_limit_and_quoted_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert not rotate(log, 10)
    assert tail(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(20)))
    assert tail(log, lines=2) == "line 18\nline 19"
    assert tail(log, since=log.stat().st_size) == ""
    assert not rotate(log, 10_000)
    assert rotate(log, 10)
    assert log.read_text() == ""
    assert (tmp_path / "log.1").read_text().startswith("line 0\n")
    assert tail(log, since=500) == ""


def test_all_who_ask_at_once_get_the_same_private_secret(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: kept_secret(path), range(64)))
    assert len(found) == 1
    assert len(found.pop()) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]


def test_an_emptied_or_opened_secret_is_made_anew_or_closed_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    first = kept_secret(path)
    path.chmod(0o644)
    assert kept_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("")
    assert kept_secret(path) not in ("", first)
