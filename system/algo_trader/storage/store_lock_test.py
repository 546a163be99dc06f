import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import OperatorError, StoreLocked
from system.algo_trader.storage.store_lock import StoreLock

HOLD = """
import sys
from pathlib import Path
from system.algo_trader.storage.store_lock import StoreLock
with StoreLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_thread_may_nest_it(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path / "lock")
    with lock.held(), lock.held():
        pass
    with StoreLock(tmp_path / "lock", longest_wait_s=0.0).held():
        pass


def test_it_is_free_again_after_an_error(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path / "lock", longest_wait_s=0.0)
    with pytest.raises(ZeroDivisionError), lock.held(), lock.held():
        raise ZeroDivisionError
    with StoreLock(tmp_path / "lock", longest_wait_s=0.0).held():
        pass


def test_threads_take_turns(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path / "lock")
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with lock.held():
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(most) == 80
    assert max(most) == 1


def test_another_thread_that_holds_it_too_long_is_said(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path / "lock", longest_wait_s=0.05)
    refusals: list[str] = []

    def work() -> None:
        try:
            with lock.held():
                refusals.append("entered")
        except StoreLocked as error:
            refusals.append(str(error))

    with lock.held():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(timeout=10)
    assert len(refusals) == 1
    assert "another thread has held" in refusals[0]


def test_another_process_that_holds_it_too_long_is_said(tmp_path: Path) -> None:
    clock = VirtualClock(0)
    process = holder(tmp_path / "lock")
    try:
        with (
            pytest.raises(StoreLocked, match=r"another process has held .* for 5 s"),
            StoreLock(tmp_path / "lock", longest_wait_s=5.0, clock=clock).held(),
        ):
            pass
    finally:
        process.communicate("")
    assert clock.monotonic_ns() >= 5 * 10**9


def test_it_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    process = holder(tmp_path / "lock")
    process.kill()
    process.communicate()
    with StoreLock(tmp_path / "lock", longest_wait_s=10.0).held():
        pass


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(OperatorError, match="cannot make the folder"),
        StoreLock(tmp_path / "file" / "lock").held(),
    ):
        pass
