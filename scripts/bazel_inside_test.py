"""Starting Bazel inside the Debian root: exit codes and signals are the child's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bazel_inside import command_index, java_folder, run_child, startup_options


@pytest.mark.parametrize(
    ("words", "index"),
    [(["run", "//x"], 0), (["--nosystem_rc", "test"], 1), (["--version"], None), ([], None)],
)
def test_the_command_is_the_first_word_that_is_no_option(
    words: list[str], index: int | None
) -> None:
    assert command_index(words) == index


def test_no_server_outlives_the_command_and_output_lies_in_the_cache(tmp_path: Path) -> None:
    options = startup_options(tmp_path)
    assert "--batch" in options
    assert f"--output_user_root={tmp_path}/bazel" in options


def test_a_childs_exit_code_is_returned() -> None:
    assert run_child([sys.executable, "-c", "raise SystemExit(7)"]) == 7


def test_a_child_killed_by_a_signal_gives_the_shells_code() -> None:
    code = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
    assert run_child([sys.executable, "-c", code]) == 128 + signal.SIGKILL


def test_a_termination_reaches_the_child() -> None:
    inner = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    outer = (
        "import sys\n"
        "from scripts.bazel_inside import run_child\n"
        f"sys.exit(run_child([sys.executable, '-c', {inner!r}]))\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 9
    process.stdout.close()


def test_java_unpacks_below_the_cache_and_old_rests_go(tmp_path: Path) -> None:
    folder = java_folder(tmp_path)
    old, new = folder / "bazel-jni.1", folder / "bazel-jni.2"
    for rest in (old, new):
        rest.mkdir()
    os.utime(old, (0, 0))
    options = startup_options(tmp_path)
    assert f"--host_jvm_args=-Djava.io.tmpdir={tmp_path / 'java'}" in options
    assert [entry.name for entry in folder.iterdir()] == ["bazel-jni.2"]
