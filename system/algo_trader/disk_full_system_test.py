"""Runs on a disk that is full: a tmpfs of a few kilobytes in a mount namespace of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree, which

import pytest

from system.algo_trader.testing.command_line import CommandLine

SCRIPT = """
mount -t tmpfs -o size={size} tmpfs "$HOME" || exit 99
cd "$HOME"
"{python}" -m system.algo_trader.main --json > "{out}/first.json" 2> "{out}/first.err"
echo $? > "{out}/first.code"
mount -o remount,size=64m "$HOME" || exit 99
"{python}" -m system.algo_trader.main --json > "{out}/second.json" 2> "{out}/second.err"
echo $? > "{out}/second.code"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="at-"))
    yield made
    rmtree(made)


@pytest.mark.parametrize("size", ["40k", "200k", "500k"])
def test_a_full_disk_is_one_sentence_and_the_run_after_it_completes_the_store(
    folder: Path, size: str
) -> None:
    assert os.geteuid() == 0, "this test mounts a tmpfs: run it as root"
    assert which("unshare"), "this test needs unshare of util-linux: apt-get install util-linux"
    home, out = folder / "home", folder / "out"
    home.mkdir()
    out.mkdir()
    script = SCRIPT.format(size=size, python=sys.executable, out=out)
    subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        env=CommandLine(home).environment(),
        check=True,
    )
    assert (out / "first.code").read_text().strip() == "3", (out / "first.err").read_text()
    said = (out / "first.err").read_text() + (out / "first.json").read_text()
    assert "no space" in said
    assert "Traceback" not in said
    assert (out / "second.code").read_text().strip() == "0", (out / "second.err").read_text()
    report = json.loads((out / "second.json").read_text())
    for each in report["series"]:
        assert each["error"] is None
        assert each["read_back"] == each["unchanged"] + each["new"]
    assert list(home.iterdir()) == []
