"""A process is told from another that has its pid."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from infrastructure.clock import SystemClock
from infrastructure.errors import OperatorError
from infrastructure.supervision import process
from infrastructure.supervision.process import is_alive, send, start_time, terminate

NO_PID = 2**22 + 1


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        yield child
        child.kill()


def test_a_start_time_stays_while_the_process_lives(sleeper: subprocess.Popen[bytes]) -> None:
    began = start_time(sleeper.pid)
    assert began is not None
    assert start_time(sleeper.pid) == began
    assert is_alive(sleeper.pid, began)
    assert not is_alive(sleeper.pid, began + "0")
    assert not is_alive(sleeper.pid, "")


def test_no_process_has_no_start_time() -> None:
    assert start_time(NO_PID) is None
    assert start_time(0) is None
    assert start_time(-1) is None


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    began = start_time(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(sleeper.pid) is None
    assert began is not None
    assert not send(sleeper.pid, began, signal.SIGTERM)


def test_a_process_with_another_start_time_is_not_signalled(
    sleeper: subprocess.Popen[bytes],
) -> None:
    assert not terminate(sleeper.pid, "another", grace_s=0.1, clock=SystemClock())
    assert sleeper.poll() is None


def test_a_whole_group_is_ended() -> None:
    script = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as leader:
        assert leader.stdout is not None
        member = int(leader.stdout.readline())
        began, member_began = start_time(leader.pid), start_time(member)
        assert began is not None
        assert member_began is not None
        assert terminate(leader.pid, began, grace_s=5, clock=SystemClock())
        assert process.wait_until_gone(member, member_began, seconds=5, clock=SystemClock())


def test_a_member_of_another_group_is_signalled_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        began = start_time(child.pid)
        assert began is not None
        assert terminate(child.pid, began, grace_s=5, clock=SystemClock())
    assert child.returncode == -signal.SIGTERM


def test_a_process_of_another_user_is_left_alone(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    began = start_time(sleeper.pid)
    assert began is not None
    with monkeypatch.context() as patch:
        patch.setattr("os.killpg", refuse)
        with pytest.raises(OperatorError, match="belongs to another user"):
            terminate(sleeper.pid, began, grace_s=0.1, clock=SystemClock())


def test_ps_tells_the_same_where_there_is_no_proc(sleeper: subprocess.Popen[bytes]) -> None:
    began = process._ps_start_time(sleeper.pid)
    assert began is not None
    assert process._ps_start_time(sleeper.pid) == began
    assert process._ps_start_time(NO_PID) is None
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert process._ps_start_time(sleeper.pid) is None
