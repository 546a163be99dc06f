"""Run pytest on the one file that a Bazel test target names, in Bazel's terms.

Bazel names the folder for scratch files, the report's path and the test filter by environment
variables; pytest takes them as options. The test gets an empty HOME, so that none reads the
user's, and PYTHONPATH, so that Python processes which a test starts import the same modules.
"""

import os
import sys
from pathlib import Path

import pytest


def options(environment: dict[str, str], scratch: Path) -> list[str]:
    """Translate Bazel's test environment to pytest's options."""
    chosen = ["-p", "no:cacheprovider", f"--basetemp={scratch / 'pytest'}", "--color=no"]
    if report := environment.get("XML_OUTPUT_FILE"):
        chosen += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
    if only := environment.get("TESTBRIDGE_TEST_ONLY"):
        chosen += ["-k", only]
    return chosen


def main(arguments: list[str]) -> int:
    """Run the tests and return pytest's exit code; a file without a test fails with code 5."""
    environment = dict(os.environ)
    root = Path(environment["TEST_SRCDIR"]) / environment["TEST_WORKSPACE"]
    scratch = Path(environment["TEST_TMPDIR"])
    home = scratch / "home"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["HOME"] = str(home)
    os.environ.pop("XDG_CACHE_HOME", None)
    # Programs that a test starts with another HOME need not make again what it has made.
    os.environ.setdefault("ALGO_TRADER_CACHE", str(scratch / "kept"))
    # Hypothesis then draws the same examples each time and judges no time of a busy machine.
    os.environ["CI"] = "true"
    os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    files = [
        str(root / argument) if argument.endswith(".py") else argument for argument in arguments
    ]
    config = ["-c", str(root / "pyproject.toml"), f"--rootdir={root}"]
    return int(pytest.main([*config, *options(environment, scratch), *files]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
