"""Kept services: they outlive their starter, come back when killed, and end with `stop`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infrastructure.errors import BugError
from infrastructure.supervision import Backoff, Supervisor, keeping, module_command
from infrastructure.supervision.keeper import Keeper
from infrastructure.supervision.locks import FileLock
from infrastructure.supervision.process import is_alive, start_time
from infrastructure.supervision.stand_in_service import says_its_pid, stand_in_spec


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


STARTER = """
import sys
from pathlib import Path
from infrastructure.supervision import Supervisor
from infrastructure.supervision.stand_in_service import stand_in_spec
folder = Path(sys.argv[1])
print(Supervisor(folder).ensure(stand_in_spec(folder / "data"), keep=True).endpoint.pid)
"""


def test_a_kept_service_outlives_its_starter_and_ends_with_stop(supervisor: Supervisor) -> None:
    _, env = module_command("none")
    answer = subprocess.run(
        [sys.executable, "-c", STARTER, str(supervisor.directory)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    status = supervisor.status("standin")
    assert status.endpoint is not None
    assert status.endpoint.pid == int(answer.stdout)
    assert status.endpoint.kept
    assert status.keeper_pid is not None
    keeper_began = start_time(status.keeper_pid)
    assert keeper_began is not None
    assert supervisor.stop("standin")
    assert not is_alive(status.endpoint.pid, status.endpoint.start_time)
    assert not is_alive(status.keeper_pid, keeper_began)
    assert supervisor.status("standin").state == "stopped"


def test_a_killed_kept_service_comes_back_and_stays_kept(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    first = supervisor.ensure(stand_in_spec(tmp_path / "data"), keep=True)
    os.kill(first.endpoint.pid, signal.SIGKILL)

    def is_back() -> bool:
        endpoint = supervisor.status("standin").endpoint
        return endpoint is not None and endpoint.pid != first.endpoint.pid

    wait_until(is_back)
    status = supervisor.status("standin")
    assert status.endpoint is not None
    assert status.endpoint.kept
    assert says_its_pid(status.endpoint)
    wait_until(lambda: supervisor.status("standin").restarts == 1)
    assert str(first.endpoint.pid) in supervisor.status("standin").reason
    assert not first.close()
    assert says_its_pid(status.endpoint)


def test_a_command_does_not_stop_a_kept_service(supervisor: Supervisor, tmp_path: Path) -> None:
    spec = stand_in_spec(tmp_path / "data")
    with supervisor.ensure(spec, keep=True) as kept:
        pass
    with supervisor.ensure(spec) as user:
        assert user.endpoint.pid == kept.endpoint.pid
    assert says_its_pid(kept.endpoint)


def test_a_running_service_can_be_kept_from_now_on(supervisor: Supervisor, tmp_path: Path) -> None:
    spec = stand_in_spec(tmp_path / "data")
    with supervisor.ensure(spec) as first:
        with supervisor.ensure(spec, keep=True) as second:
            assert second.endpoint.pid == first.endpoint.pid
            assert second.endpoint.kept
        with supervisor.ensure(spec, keep=True):
            pass
    assert supervisor.status("standin").state == "running"
    assert supervisor.status("standin").keeper_pid is not None


def test_a_dead_keeper_is_replaced_at_the_next_start(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    first = supervisor.ensure(spec, keep=True)
    keeper = supervisor.status("standin").keeper_pid
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: supervisor.status("standin").keeper_pid is None)
    assert says_its_pid(first.endpoint)
    second = supervisor.ensure(spec, keep=True)
    assert second.endpoint.pid == first.endpoint.pid
    assert supervisor.status("standin").keeper_pid not in (None, keeper)


def test_a_keeper_gives_up_with_the_reason_after_quick_failures(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    allowed.touch()
    starts = tmp_path / "starts"
    spec = stand_in_spec(tmp_path / "data", "--exit-unless", str(allowed), "--starts", str(starts))
    handle = supervisor.ensure(spec)
    allowed.unlink()
    os.kill(handle.endpoint.pid, signal.SIGKILL)
    keeper = Keeper(supervisor, spec, Backoff(first_s=0.01, quick_failures=3))
    reason = keeper.run()
    assert reason.startswith("4 failures in a row; the last: standin ended with code 9")
    status = supervisor.status("standin")
    assert (status.state, status.reason) == (keeping.GAVE_UP, reason)
    assert len(starts.read_text().split()) == 4
    handle.close()


def test_a_service_that_lives_long_enough_starts_a_new_row_of_failures(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    allowed.touch()
    spec = stand_in_spec(tmp_path / "data", "--exit-unless", str(allowed))
    handle = supervisor.ensure(spec)
    allowed.unlink()
    os.kill(handle.endpoint.pid, signal.SIGKILL)
    backoff = Backoff(first_s=0.01, quick_failures=1, healthy_after_s=0.0)
    assert Keeper(supervisor, spec, backoff).run().startswith("2 failures")
    handle.close()


def test_a_service_that_answers_no_probe_counts_as_failed(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.supervision.keeper.DEAF_LOOKS", 2)
    spec = stand_in_spec(tmp_path / "data", "--stubborn")
    spec = replace(spec, stop_grace_s=0.1)
    handle = supervisor.ensure(spec)
    os.kill(handle.endpoint.pid, signal.SIGSTOP)
    keeper = Keeper(supervisor, spec, Backoff(quick_failures=0), look_every_s=0.01)
    assert "answered none of 2 probes" in keeper.run()
    supervisor.stop("standin", grace_s=0.1)
    handle.close()


def test_a_command_that_starts_a_kept_service_before_its_keeper_does_leaves_it_kept(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    paths = supervisor.paths("standin")
    paths.folder.mkdir(parents=True)
    waiting_keeper = FileLock(paths.keeper_lock)
    assert waiting_keeper.try_lock()
    with supervisor.ensure(stand_in_spec(tmp_path / "data")) as handle:
        assert handle.started_here
        assert handle.endpoint.kept
    assert says_its_pid(handle.endpoint)
    waiting_keeper.unlock()


def test_a_keeper_whose_folder_was_removed_ends_with_its_service(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    handle = supervisor.ensure(spec)
    shutil.rmtree(supervisor.directory)
    with pytest.raises(SystemExit):
        Keeper(supervisor, spec, look_every_s=0.01)._watch(handle.endpoint)
    assert start_time(handle.endpoint.pid) is None
    assert not handle.close()


def test_only_functions_of_modules_can_be_named_to_a_keeper(tmp_path: Path) -> None:
    spec = stand_in_spec(tmp_path / "data")
    assert keeping.spec_from_json(keeping.spec_as_json(spec)) == spec
    with pytest.raises(BugError, match="module functions"):
        keeping.spec_as_json(replace(spec, probe=lambda _: True))
