"""Kept services: they outlive their starter, come back when killed, and end with `stop`."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infrastructure.errors import BugError, DiskFull, ServiceUnavailable
from infrastructure.supervision import Backoff, Supervisor, keeping, module_command, starting
from infrastructure.supervision.keeper import Keeper
from infrastructure.supervision.locks import FileLock
from infrastructure.supervision.paths import ServicePaths
from infrastructure.supervision.process import is_alive, remember_child, start_time
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


def test_a_service_that_is_kept_no_longer_says_so(supervisor: Supervisor, tmp_path: Path) -> None:
    spec = stand_in_spec(tmp_path / "data")
    with supervisor.ensure(spec, keep=True) as kept:
        supervisor.unkeep("standin")
        assert supervisor.status("standin").endpoint == replace(kept.endpoint, kept=False)
        with supervisor.ensure(spec) as found:
            assert not found.endpoint.kept


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


def test_a_start_while_a_keeper_that_gave_up_is_ending_gets_a_keeper_of_its_own(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    paths = supervisor.paths("standin")
    paths.folder.mkdir(parents=True)
    ending_keeper = FileLock(paths.keeper_lock)
    assert ending_keeper.try_lock()
    keeping.KeeperState(1, "boot:1", keeping.GAVE_UP).write(paths)
    timer = threading.Timer(0.5, ending_keeper.unlock)
    timer.start()
    with supervisor.ensure(stand_in_spec(tmp_path / "data"), keep=True) as handle:
        assert handle.endpoint.kept
    timer.join()
    assert supervisor.status("standin").keeper_pid is not None


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


@pytest.fixture
def held_start(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], None]]:
    """A start of a kept service that waits for its keeper; the function lets it go on."""
    reached, go_on = threading.Event(), threading.Event()
    start_keeper = keeping.start_keeper

    def held(*args: Any) -> None:
        reached.set()
        assert go_on.wait(15.0)
        start_keeper(*args)

    monkeypatch.setattr(keeping, "start_keeper", held)
    spec = stand_in_spec(tmp_path / "data")
    thread = threading.Thread(target=lambda: supervisor.ensure(spec, keep=True).close())
    thread.start()
    assert reached.wait(15.0)
    yield go_on.set
    go_on.set()
    thread.join()


def during_the_start(
    monkeypatch: pytest.MonkeyPatch, go_on: Callable[[], None], call: Callable[[], Any]
) -> Any:
    """Return what a call returns that looks for a keeper before the start goes on."""
    read = keeping.read

    def then_goes_on(paths: ServicePaths) -> keeping.KeeperState | None:
        found = read(paths)
        if threading.current_thread() is threading.main_thread():
            go_on()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(keeping, "read", then_goes_on)
        return call()


def test_a_stop_during_the_start_of_a_kept_service_ends_the_keeper_that_comes_of_it(
    supervisor: Supervisor, held_start: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert during_the_start(monkeypatch, held_start, lambda: supervisor.stop("standin"))
    paths = supervisor.paths("standin")
    assert FileLock.is_free(paths.keeper_lock)
    assert FileLock.is_free(paths.alive)
    assert supervisor.status("standin").state == "stopped"


def test_unkeep_during_the_start_of_a_kept_service_ends_the_keeper_that_comes_of_it(
    supervisor: Supervisor, held_start: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    during_the_start(monkeypatch, held_start, lambda: supervisor.unkeep("standin"))
    paths = supervisor.paths("standin")
    assert FileLock.is_free(paths.keeper_lock)
    assert not starting.is_kept(paths)
    assert supervisor.status("standin").state == "running"


def test_a_stop_ends_a_keeper_whose_restart_would_hold_the_lock_for_a_minute(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    hangs = tmp_path / "hangs"
    spec = stand_in_spec(tmp_path / "data", ready_timeout_s=60.0)
    script = f'[ -e "{hangs}" ] && exec sleep 60; exec "$0" "$@"'
    spec = replace(spec, argv=("/bin/sh", "-c", script, *spec.argv))
    handle = supervisor.ensure(spec, keep=True)
    hangs.touch()
    os.kill(handle.endpoint.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.status("standin").state == "starting")
    began = time.monotonic()
    supervisor.stop("standin")
    assert time.monotonic() - began < 15.0
    assert FileLock.is_free(supervisor.paths("standin").keeper_lock)
    assert FileLock.is_free(supervisor.paths("standin").alive)


def test_a_keeper_that_waits_for_the_lock_is_ended_by_who_holds_it(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    handle = supervisor.ensure(stand_in_spec(tmp_path / "data"), keep=True)
    paths = supervisor.paths("standin")
    with FileLock(paths.lock).holding(timeout_s=5.0, clock=supervisor.clock):
        os.kill(handle.endpoint.pid, signal.SIGKILL)
        wait_until(lambda: supervisor.status("standin").state == keeping.RESTARTING)
        assert keeping.stop_keeper(paths, supervisor.clock)
        assert FileLock.is_free(paths.keeper_lock)
    handle.close()


def test_ctrl_c_while_the_keeper_starts_leaves_neither_it_nor_its_service(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = supervisor.paths("standin")
    keepers: list[subprocess.Popen[bytes]] = []

    def interrupt(*_: object) -> None:
        wait_until(lambda: keeping.read(paths) is not None)
        raise KeyboardInterrupt

    def remember(child: subprocess.Popen[bytes]) -> None:
        keepers.append(child)
        remember_child(child)

    monkeypatch.setattr("infrastructure.supervision.keeping.remember_child", remember)
    monkeypatch.setattr(keeping, "_comes_up", interrupt)
    with pytest.raises(KeyboardInterrupt):
        supervisor.ensure(stand_in_spec(tmp_path / "data"), keep=True)
    assert keepers[0].poll() is not None
    assert FileLock.is_free(paths.keeper_lock)
    assert FileLock.is_free(paths.alive)
    assert supervisor.status("standin").state == "stopped"


@pytest.fixture
def no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ServiceUnavailable("the keeper did not start")

    monkeypatch.setattr(keeping, "start_keeper", fail)


@pytest.mark.usefixtures("no_keeper")
def test_a_service_whose_keeper_does_not_come_is_stopped_even_on_a_full_disk(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise DiskFull("no space")

    monkeypatch.setattr(starting, "unkeep", no_space)
    with pytest.raises(ServiceUnavailable):
        supervisor.ensure(stand_in_spec(tmp_path / "data"), keep=True)
    assert FileLock.is_free(supervisor.paths("standin").alive)


@pytest.mark.usefixtures("no_keeper")
def test_a_service_in_use_whose_keeper_does_not_come_ends_with_its_last_user(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    with supervisor.ensure(spec) as user:
        with pytest.raises(ServiceUnavailable):
            supervisor.ensure(spec, keep=True)
        assert says_its_pid(user.endpoint)
        assert user.close()
    assert FileLock.is_free(supervisor.paths("standin").alive)


@pytest.mark.usefixtures("no_keeper")
def test_a_kept_service_stays_when_its_second_keeper_does_not_come(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "start_keeper", lambda *_: None)
        kept = supervisor.ensure(spec, keep=True)
    assert not kept.close()
    with pytest.raises(ServiceUnavailable):
        supervisor.ensure(spec, keep=True)
    assert says_its_pid(kept.endpoint)
    assert starting.is_kept(supervisor.paths("standin"))


class FullDisk:
    """A disk on which no file can be written to its end; it counts the attempts."""

    def __init__(self) -> None:
        self.attempts = 0

    def fail(self, *_: object) -> None:
        self.attempts += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def keeping_in_a_thread(keeper: Keeper) -> Iterator[list[str]]:
    """Run a keeper until it gives up; the list has its reason behind the block."""
    reasons: list[str] = []
    thread = threading.Thread(target=lambda: reasons.append(keeper.run()), daemon=True)
    thread.start()
    yield reasons
    thread.join(15.0)
    assert not thread.is_alive()


def test_a_keeper_outlives_a_full_disk_and_restarts_the_service_once_there_is_room(
    supervisor: Supervisor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    allowed, full, paths = tmp_path / "allowed", FullDisk(), supervisor.paths("standin")
    allowed.touch()
    spec = stand_in_spec(tmp_path / "data", "--exit-unless", str(allowed))
    handle = supervisor.ensure(spec)
    keeper = Keeper(supervisor, spec, Backoff(first_s=0.01, longest_s=0.01, quick_failures=1))
    with keeping_in_a_thread(keeper) as reasons:
        wait_until(lambda: keeping.read(paths) is not None)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full.fail)
            os.kill(handle.endpoint.pid, signal.SIGKILL)
            wait_until(lambda: full.attempts >= 10)
        wait_until(lambda: supervisor.status("standin").restarts == 1)
        allowed.unlink()
        endpoint = supervisor.status("standin").endpoint
        assert endpoint is not None
        os.kill(endpoint.pid, signal.SIGKILL)
    assert reasons[0].startswith("2 failures in a row; the last: standin ended with code 9")
    assert sum("is kept on" in record.message for record in caplog.records) == 1
    handle.close()


def test_a_log_that_cannot_be_rotated_does_not_end_the_watch(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = FullDisk()
    spec = replace(stand_in_spec(tmp_path / "data"), log_limit_bytes=1)
    handle = supervisor.ensure(spec)
    monkeypatch.setattr(shutil, "copyfile", full.fail)
    keeper = Keeper(supervisor, spec, Backoff(quick_failures=0), look_every_s=0.01)
    with keeping_in_a_thread(keeper) as reasons:
        wait_until(lambda: full.attempts >= 3)
        os.kill(handle.endpoint.pid, signal.SIGKILL)
    assert f"process {handle.endpoint.pid} ended" in reasons[0]
    handle.close()


def test_a_service_that_ends_at_the_first_word_of_its_keeper_is_the_reason_of_the_restart(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    handle = supervisor.ensure(spec)
    write = keeping.KeeperState.write

    def then_killed(state: keeping.KeeperState, paths: ServicePaths) -> None:
        write(state, paths)
        os.kill(handle.endpoint.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(handle.endpoint.pid, handle.endpoint.start_time))
        monkeypatch.setattr(keeping.KeeperState, "write", write)

    monkeypatch.setattr(keeping.KeeperState, "write", then_killed)
    reason = Keeper(supervisor, spec, Backoff(quick_failures=0)).run()
    assert f"process {handle.endpoint.pid} ended" in reason
    handle.close()


def test_a_keeper_whose_first_word_cannot_be_written_ends(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = stand_in_spec(tmp_path / "data")
    with supervisor.ensure(spec), monkeypatch.context() as patched:
        patched.setattr(os, "fsync", FullDisk().fail)
        with pytest.raises(DiskFull):
            Keeper(supervisor, spec).run()


def test_only_functions_of_modules_can_be_named_to_a_keeper(tmp_path: Path) -> None:
    spec = stand_in_spec(tmp_path / "data")
    assert keeping.spec_from_json(keeping.spec_as_json(spec)) == spec
    with pytest.raises(BugError, match="module functions"):
        keeping.spec_as_json(replace(spec, probe=lambda _: True))
