"""Supervision with real processes: one server, found again, left and stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.errors import (
    CorruptStore,
    DiskFull,
    MissingService,
    PortTaken,
    ServiceUnavailable,
    StoreLocked,
)
from infrastructure.supervision import Supervisor, module_command
from infrastructure.supervision.locks import FileLock
from infrastructure.supervision.process import is_alive, start_time
from infrastructure.supervision.spec import ServiceSpec
from infrastructure.supervision.stand_in_service import (
    explained_spec,
    says_its_pid,
    stand_in_spec,
)

USER = """
import sys, time
from pathlib import Path
from infrastructure.supervision import Supervisor, exit_on_signals
from infrastructure.supervision.stand_in_service import stand_in_spec
folder = Path(sys.argv[1])
with exit_on_signals(), Supervisor(folder).ensure(stand_in_spec(folder / "data", "--starts", sys.argv[2])) as handle:
    print(handle.endpoint.pid, handle.started_here, flush=True)
    sys.stdin.read()
"""  # noqa: E501


def wait_until(met: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "services")
    yield supervisor
    supervisor.stop("standin", grace_s=0.2)


class User:
    """Another process that uses the stand-in until its standard input ends."""

    def __init__(self, folder: Path, starts: Path) -> None:
        _, env = module_command("none")
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder), str(starts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **env},
            text=True,
        )

    def answer(self) -> tuple[int, bool]:
        assert self.process.stdout is not None
        pid, started = self.process.stdout.readline().split()
        return int(pid), started == "True"

    def leave(self) -> int:
        self.process.communicate("")
        return self.process.returncode

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.wait(15)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return self.process.returncode


@pytest.fixture
def user(tmp_path: Path, supervisor: Supervisor) -> Iterator[Callable[[], User]]:
    users: list[User] = []

    def start() -> User:
        users.append(User(supervisor.directory, tmp_path / "starts"))
        return users[-1]

    yield start
    for one in users:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_a_service_is_started_announced_probed_and_stopped(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    handle = supervisor.ensure(stand_in_spec(tmp_path / "data"))
    endpoint = handle.endpoint
    assert handle.started_here
    assert (endpoint.product, endpoint.version, endpoint.kept) == ("stand-in", "1.2.3", False)
    assert says_its_pid(endpoint)
    assert os.getsid(endpoint.pid) == endpoint.pid
    assert supervisor.status("standin").state == "running"
    assert handle.close()
    assert not is_alive(endpoint.pid, endpoint.start_time)
    assert supervisor.status("standin").state == "stopped"
    assert not handle.close()


def test_a_second_supervisor_finds_the_running_server(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    with supervisor.ensure(spec) as first, Supervisor(supervisor.directory).ensure(spec) as second:
        assert second.endpoint == first.endpoint
        assert not second.started_here


def test_two_processes_that_start_at_once_make_one_server(
    user: Callable[[], User], tmp_path: Path
) -> None:
    users = [user(), user(), user()]
    answers = [one.answer() for one in users]
    assert len({pid for pid, _ in answers}) == 1
    assert [started for _, started in answers].count(True) == 1
    assert (tmp_path / "starts").read_text().split() == [str(answers[0][0])]
    assert [one.leave() for one in users] == [0, 0, 0]
    assert start_time(answers[0][0]) is None


COMER = """
import sys
from pathlib import Path
from infrastructure.supervision import Supervisor
from infrastructure.supervision.stand_in_service import says_its_pid, stand_in_spec
folder = Path(sys.argv[1])
spec = stand_in_spec(folder / "data", "--starts", sys.argv[2], ready_timeout_s=60)
for _ in range(6):
    with Supervisor(folder).ensure(spec) as handle:
        assert says_its_pid(handle.endpoint), "the server was stopped under its user"
"""


def test_commands_that_come_and_go_never_lose_the_server_and_leave_none(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    _, env = module_command("none")
    starts = tmp_path / "starts"
    comers = [
        subprocess.Popen(
            [sys.executable, "-c", COMER, str(supervisor.directory), str(starts)],
            env={**os.environ, **env},
        )
        for _ in range(3)
    ]
    assert [one.wait(120) for one in comers] == [0, 0, 0]
    pids = [int(pid) for pid in starts.read_text().split()]
    assert 1 <= len(pids) <= 18
    assert [pid for pid in pids if start_time(pid) is not None] == []


def test_the_starter_leaves_the_server_to_whoever_still_uses_it(
    user: Callable[[], User], supervisor: Supervisor, tmp_path: Path
) -> None:
    starter = user()
    pid, started = starter.answer()
    assert started
    handle = supervisor.ensure(stand_in_spec(tmp_path / "data"))
    assert handle.endpoint.pid == pid
    assert starter.leave() == 0
    assert says_its_pid(handle.endpoint)
    assert handle.close()
    assert start_time(pid) is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, 143)])
def test_a_command_that_is_asked_to_end_ends_its_server(
    user: Callable[[], User], number: signal.Signals, code: int
) -> None:
    one = user()
    pid, _ = one.answer()
    assert one.end(number) == code
    assert start_time(pid) is None


def test_the_orphan_of_a_killed_command_is_reused_and_then_stopped(
    user: Callable[[], User], supervisor: Supervisor, tmp_path: Path
) -> None:
    one = user()
    pid, _ = one.answer()
    one.end(signal.SIGKILL)
    assert start_time(pid) is not None
    handle = supervisor.ensure(stand_in_spec(tmp_path / "data"))
    assert (handle.endpoint.pid, handle.started_here) == (pid, False)
    assert handle.close()
    assert start_time(pid) is None


def test_an_orphan_without_a_record_is_found_by_its_lock_and_announcement(
    user: Callable[[], User], supervisor: Supervisor, tmp_path: Path
) -> None:
    one = user()
    pid, _ = one.answer()
    one.end(signal.SIGKILL)
    paths = supervisor.paths("standin")
    paths.pid.unlink()
    paths.endpoint.unlink()
    with supervisor.ensure(stand_in_spec(tmp_path / "data")) as handle:
        assert (handle.endpoint.pid, handle.started_here) == (pid, False)
    assert start_time(pid) is None


def test_an_unknown_holder_of_the_service_is_not_doubled(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.supervision.starting.ORPHAN_WAIT_S", 0.1)
    paths = supervisor.paths("standin")
    paths.folder.mkdir(parents=True)
    stranger = FileLock(paths.alive)
    assert stranger.try_lock()
    with pytest.raises(StoreLocked, match="a process that nobody knows still holds"):
        supervisor.ensure(stand_in_spec(tmp_path / "data"))
    stranger.unlock()


def test_another_process_under_the_recorded_pid_is_left_alone(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    handle = supervisor.ensure(spec)
    os.kill(handle.endpoint.pid, signal.SIGKILL)
    wait_until(lambda: start_time(handle.endpoint.pid) is None)
    paths = supervisor.paths("standin")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        for path in (paths.pid, paths.endpoint):
            values = json.loads(path.read_text())
            path.write_text(json.dumps({**values, "pid": stranger.pid}))
        assert supervisor.status("standin").state == "stopped"
        again = supervisor.ensure(spec)
        assert again.started_here
        assert again.endpoint.pid != stranger.pid
        assert not handle.close()
        assert again.close()
        assert not supervisor.stop("standin")
        assert stranger.poll() is None
        stranger.kill()


def test_a_killed_server_is_started_again_by_the_next_request(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    first = supervisor.ensure(spec)
    os.kill(first.endpoint.pid, signal.SIGKILL)
    wait_until(lambda: start_time(first.endpoint.pid) is None)
    with supervisor.ensure(spec) as second:
        assert second.started_here
        assert second.endpoint.pid != first.endpoint.pid
    first.close()


def test_a_server_that_hangs_is_replaced(supervisor: Supervisor, tmp_path: Path) -> None:
    spec = stand_in_spec(tmp_path / "data", ready_timeout_s=4)
    first = supervisor.ensure(spec)
    os.kill(first.endpoint.pid, signal.SIGSTOP)
    second = supervisor.ensure(spec)
    assert second.endpoint.pid != first.endpoint.pid
    assert start_time(first.endpoint.pid) is None
    second.close()
    first.close()


def test_a_stubborn_server_is_killed_after_the_grace(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    handle = supervisor.ensure(stand_in_spec(tmp_path / "data", "--stubborn"))
    assert supervisor.stop("standin", grace_s=0.2)
    assert start_time(handle.endpoint.pid) is None
    assert not supervisor.stop("standin")
    handle.close()


def test_a_failed_start_quotes_the_log_and_leaves_nothing(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data", "--exit", "7", "--say", "the flux is out")
    with pytest.raises(ServiceUnavailable, match=r"with code 7 .*the flux is out") as caught:
        supervisor.ensure(spec)
    assert str(supervisor.paths("standin").log) in str(caught.value)
    assert supervisor.status("standin").state == "stopped"
    assert FileLock.is_free(supervisor.paths("standin").leases)


def test_a_server_that_never_answers_is_ended_at_the_deadline(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    spec = stand_in_spec(tmp_path / "data", "--mute", "--starts", str(starts), ready_timeout_s=3)
    with pytest.raises(ServiceUnavailable, match=r"did not answer within 3 s.*stand-in starts"):
        supervisor.ensure(spec)
    assert start_time(int(starts.read_text())) is None


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("write: No space left on device", DiskFull),
        ("bind: Address already in use", PortTaken),
    ],
)
def test_the_log_tells_a_full_disk_and_a_taken_port(
    supervisor: Supervisor, tmp_path: Path, words: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        supervisor.ensure(stand_in_spec(tmp_path / "data", "--exit", "1", "--say", words))


def test_a_process_whose_record_cannot_be_written_is_ended(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise DiskFull("no space")

    monkeypatch.setattr("infrastructure.supervision.starting._record", no_space)
    with pytest.raises(DiskFull):
        supervisor.ensure(stand_in_spec(tmp_path / "data"))
    assert FileLock.is_free(supervisor.paths("standin").alive)


def test_ctrl_c_during_a_start_leaves_no_process(supervisor: Supervisor, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    _, env = module_command("none")
    script = USER.replace('"--starts"', '"--mute", "--starts"')
    with subprocess.Popen(
        [sys.executable, "-c", script, str(supervisor.directory), str(starts)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **env},
    ) as starter:
        wait_until(lambda: starts.exists() and bool(starts.read_text()))
        starter.send_signal(signal.SIGINT)
    assert starter.returncode == -signal.SIGINT
    assert start_time(int(starts.read_text())) is None
    assert supervisor.status("standin").state == "stopped"


def test_a_service_whose_folder_was_removed_is_ended_by_the_last_who_leaves(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    first, second = supervisor.ensure(spec), supervisor.ensure(spec)
    shutil.rmtree(supervisor.directory)
    assert not first.close()
    assert says_its_pid(second.endpoint)
    assert second.close()
    assert start_time(second.endpoint.pid) is None


def test_a_spec_reads_its_own_log(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(CorruptStore, match="rotten"):
        supervisor.ensure(explained_spec(tmp_path / "data", "--exit", "1", "--say", "rotten"))
    with pytest.raises(ServiceUnavailable, match="ripe"):
        supervisor.ensure(explained_spec(tmp_path / "data", "--exit", "1", "--say", "ripe"))


def test_an_announced_failure_is_raised_as_it_was(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(CorruptStore, match="page 7 is torn") as caught:
        supervisor.ensure(stand_in_spec(tmp_path / "data", "--refuse"))
    assert caught.value.next_step == "Restore it."


def test_a_program_that_is_not_there_is_named(supervisor: Supervisor, tmp_path: Path) -> None:
    spec = ServiceSpec(
        "standin", ("no-such-program-here",), {}, tmp_path / "data", says_its_pid, 1.0
    )
    with pytest.raises(MissingService, match="no-such-program-here"):
        supervisor.ensure(spec)


def test_a_start_is_tried_as_often_as_the_spec_says(supervisor: Supervisor, tmp_path: Path) -> None:
    from dataclasses import replace

    starts = tmp_path / "starts"
    spec = stand_in_spec(tmp_path / "data", "--exit", "1", "--starts", str(starts))
    with pytest.raises(ServiceUnavailable):
        supervisor.ensure(replace(spec, attempts=3))
    assert len(starts.read_text().split()) == 3


def test_a_service_gets_no_secret_of_its_starter(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHWAB_SECRET", "do-not-pass-on")
    with supervisor.ensure(stand_in_spec(tmp_path / "data")) as handle:
        environment = Path(f"/proc/{handle.endpoint.pid}/environ")
        if environment.exists():
            assert b"do-not-pass-on" not in environment.read_bytes()
            assert b"PATH=" in environment.read_bytes()


def test_a_long_log_is_rotated_at_the_next_start(supervisor: Supervisor, tmp_path: Path) -> None:
    from dataclasses import replace

    spec = replace(stand_in_spec(tmp_path / "data", "--say", "x" * 500), log_limit_bytes=400)
    supervisor.ensure(spec).close()
    supervisor.ensure(spec).close()
    log = supervisor.paths("standin").log
    assert log.read_text().count("x" * 500) == 1
    assert log.with_name("log.1").read_text().count("x" * 500) == 1
