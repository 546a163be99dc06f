"""The launcher and tools/bazel: what they add to a command line, and what they refuse."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAUNCHER = ROOT / "scripts" / "bazel"


def added(*words: str) -> list[str]:
    """Return the words that tools/bazel hands to the real Bazel."""
    done = subprocess.run(
        [str(ROOT / "tools" / "bazel"), *words],
        env={**os.environ, "BAZEL_REAL": "/bin/echo"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


def launch(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LAUNCHER), *words],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["test", "--config=unit"],
        ["test", "--config", "integration"],
        ["--batch", "test", "--config=ci", "--config=system"],
        ["test", "--config=unit", "--test_filter", "name", "-k"],
        ["coverage", "--config=soak"],
    ],
)
def test_a_kind_of_test_without_a_target_means_all(words: list[str]) -> None:
    assert added(*words) == [*words, "//..."]


@pytest.mark.parametrize(
    "words",
    [
        ["test", "--config=unit", "//infrastructure/clock:all"],
        ["test", "infrastructure/clock:clock_test", "--config=unit"],
        ["test", "--config=unit", "--", "//...", "-//system/..."],
        ["test", "--config=unit", "--target_pattern_file=list"],
        ["test", "--config=ci"],
        ["build", "--config=unit"],
        ["run", "//system/algo_trader:main", "--", "--config=unit"],
        ["version"],
    ],
)
def test_other_commands_are_handed_on_unchanged(words: list[str]) -> None:
    assert added(*words) == words


def test_no_argument_shows_the_usage_and_fails(tmp_path: Path) -> None:
    done = launch(tmp_path)
    assert done.returncode == 2
    assert "usage: scripts/bazel" in done.stderr


def test_an_installed_bazel_takes_the_place_of_the_launcher(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "bazelisk"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "$@"\ncat\nexit 7\n')
    tool.chmod(0o755)
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    done = launch(tmp_path, "run", "//x", "--", "a b", PATH=path, ALGO_TRADER_BAZEL="installed")
    assert (done.returncode, done.stdout) == (7, "run //x -- a b\n")


def test_an_unknown_choice_of_bazel_is_refused(tmp_path: Path) -> None:
    done = launch(tmp_path, "version", ALGO_TRADER_BAZEL="docker")
    assert done.returncode == 2
    assert "auto, installed or root" in done.stderr


def test_removing_where_nothing_is_says_so(tmp_path: Path) -> None:
    done = launch(tmp_path, "--remove-root")
    assert done.returncode == 0
    assert "nothing to remove" in done.stderr


def test_removing_takes_the_cache_and_leaves_the_home(tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "algo-trader"
    for folder in ("sid/etc", "bazel/x", "wheels/y", "java/z"):
        (cache / folder).mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    done = launch(tmp_path, "--remove-root", "--yes")
    assert done.returncode == 0
    assert not cache.exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"
