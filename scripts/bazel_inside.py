"""Start Debian's Bazel inside the root that scripts/bazel made; not a program for people.

Bazel runs in batch mode: no server outlives the command, so no process and no mount stays behind.
`run` is built first and the program then takes this process's place: it has the terminal, the
standard streams, the signals and the exit code, and no Java beside it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

WORKSPACE = Path(__file__).resolve().parent.parent
# One short command a JVM: the first compiler is enough, and start-up counts.
JVM_ARGUMENTS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
JAVA_HOME = "/usr/local/lib/algo-trader-java"
INSTALLER = WORKSPACE / "bazel/airgap/rules_python/python/extensions/install_wheels.py"
# Commands that load the @pypi repository.
LOADING = frozenset({"aquery", "build", "coverage", "cquery", "fetch", "query", "run", "test"})
EXIT_MISSING = 3
# No command runs longer, so what is older belongs to none that runs.
REST_S = 86_400


def java_folder(cache: Path) -> Path:
    """Return the folder for what Java unpacks and Bazel's batch mode leaves; old rests go."""
    folder = cache / "java"
    folder.mkdir(parents=True, exist_ok=True)
    for rest in folder.iterdir():
        if rest.stat().st_mtime < time.time() - REST_S:
            shutil.rmtree(rest, ignore_errors=True)
    return folder


def startup_options(cache: Path) -> list[str]:
    """Say where Bazel puts its output and what it reads besides .bazelrc."""
    return [
        "--batch",
        f"--server_javabase={JAVA_HOME}",
        f"--output_user_root={cache / 'bazel'}",
        f"--bazelrc={WORKSPACE / 'bazel' / 'airgap' / 'bazelrc'}",
        *(f"--host_jvm_args={argument}" for argument in JVM_ARGUMENTS),
        f"--host_jvm_args=-Djava.io.tmpdir={java_folder(cache)}",
    ]


def command_index(arguments: list[str]) -> int | None:
    """Find the command's place: the first word that is no startup option."""
    for index, argument in enumerate(arguments):
        if not argument.startswith("-"):
            return index
    return None


def run_child(command: list[str], stdout: int | None = None) -> int:
    """Run a command to its end; a signal sent to this process alone reaches it too."""
    child = subprocess.Popen(command, stdout=stdout)

    def forward(number: int, _frame: object) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    # A terminal's Ctrl-C reaches the whole group, Bazel too: it ends in its own way.
    signal.signal(signal.SIGINT, signal.SIG_IGN if os.isatty(0) else forward)
    code = child.wait()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    return code if code >= 0 else 128 - code


def become(command: list[str]) -> NoReturn:
    """Let the command take this process's place."""
    os.execv(command[0], command)


def build_and_become(bazel: list[str], arguments: list[str], run_at: int) -> int:
    """Build a `bazel run` target, then replace this process by the program."""
    with tempfile.TemporaryDirectory(prefix="at-run-") as folder:
        script = Path(folder) / "run.sh"
        words = [*arguments[: run_at + 1], f"--script_path={script}", *arguments[run_at + 1 :]]
        code = run_child([*bazel, *words])
        if code or not script.is_file():
            return code
        text = script.read_text(encoding="utf-8")
    # $0 stays out of the program's arguments, which the script carries itself.
    become(["/bin/bash", "-c", text, "bazel-run"])


def install_wheels(wheels: Path) -> int:
    """Install the locked wheels where the repository rule finds them, in the user's sight."""
    lock = WORKSPACE / "requirements_lock.txt"
    command = [sys.executable, str(INSTALLER), f"--lock={lock}", f"--cache={wheels}"]
    code = run_child(command, stdout=subprocess.DEVNULL)
    if code == 1:
        print(
            "scripts/bazel: the locked wheels could not be installed;"
            " is the package index reachable? Start again to try again",
            file=sys.stderr,
        )
        return EXIT_MISSING
    return code


def main(arguments: list[str]) -> int:
    """Start Bazel with the words after the cache's folder."""
    cache, words = Path(arguments[0]), arguments[1:]
    os.environ["BAZEL_REAL"] = "/usr/bin/bazel"
    os.environ["ALGO_TRADER_WHEELS"] = str(cache / "wheels")
    bazel = [str(WORKSPACE / "tools" / "bazel"), *startup_options(cache)]
    at = command_index(words)
    if at is None:
        become([*bazel, *words])
    if words[at] in LOADING:
        code = install_wheels(cache / "wheels")
        if code:
            return code
    if words[at] == "run" and not any(word.startswith("--script_path") for word in words):
        return build_and_become(bazel, words, at)
    become([*bazel, *words])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
