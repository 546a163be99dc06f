"""Locks are exclusive or shared, waited for, and handed on to children."""

import subprocess
from pathlib import Path

import pytest

from infrastructure.clock import SystemClock, VirtualClock
from infrastructure.errors import OperatorError, StoreLocked
from infrastructure.supervision.locks import FileLock


def test_an_exclusive_lock_excludes_all_others(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = FileLock(path), FileLock(path)
    assert first.try_lock()
    assert first.held
    assert not second.try_lock()
    assert not second.try_lock(shared=True)
    assert not FileLock.is_free(path)
    first.unlock()
    first.unlock()
    assert FileLock.is_free(path)
    assert second.try_lock()
    second.unlock()


def test_a_shared_lock_excludes_exclusive_ones_only(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second, third = FileLock(path), FileLock(path), FileLock(path)
    assert first.try_lock(shared=True)
    assert second.try_lock(shared=True)
    assert not third.try_lock()
    first.unlock()
    assert not third.try_lock()
    second.unlock()
    assert third.try_lock()
    third.unlock()


def test_waiting_ends_at_the_deadline_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder, clock = FileLock(path), VirtualClock(0)
    assert holder.try_lock()
    with (
        pytest.raises(StoreLocked, match="for 3 s"),
        FileLock(path).holding(timeout_s=3, clock=clock),
    ):
        pass
    assert clock.now_ns() == pytest.approx(3e9, rel=0.02)
    holder.unlock()
    with FileLock(path).holding(timeout_s=0, clock=clock):
        assert not FileLock.is_free(path)
    assert FileLock.is_free(path)


def test_a_child_that_inherits_a_lock_holds_it_until_it_dies(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.lock(timeout_s=1, clock=SystemClock())
    with subprocess.Popen(["sleep", "60"], pass_fds=(lock.fileno(),)) as child:
        lock.unlock()
        assert not FileLock.is_free(lock.path)
        child.kill()
    assert FileLock.is_free(lock.path)


def test_a_lock_is_not_taken_twice_by_one_object(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with pytest.raises(ValueError, match="not locked"):
        lock.fileno()
    assert lock.try_lock()
    with pytest.raises(ValueError, match="locked by this object"):
        lock.try_lock()
    lock.unlock()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot open the lock"):
        FileLock(tmp_path / "none" / "lock").try_lock()
