"""systemd's own tools read the units and judge how much they are open to."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infrastructure.simulators.docker_engine import require_program
from system.algo_trader.deployment.unit_file import read_units

FOLDER = Path(__file__).resolve().parents[3] / "deploy/systemd"
UNITS = [unit.name for unit in read_units(FOLDER)]
WORST_EXPOSURE = 1.8
"""Of 10; systemd counts what the network and an address family cost at about one."""
NEWER_KEYS = ("RestartSteps", "RestartMaxDelaySec")
"""Keys that systemd before 254 leaves out with a warning."""


@pytest.fixture(scope="module")
def analyze() -> str:
    return require_program("systemd-analyze", "systemd", "Run the system tests on Debian.")


@pytest.fixture(scope="module")
def root(analyze: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the units, systemd's own, and a program where the units have it."""
    root = tmp_path_factory.mktemp("root")
    program = root / "opt/algo-trader/bin/algo-trader"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    shutil.copytree(FOLDER, root / "etc/systemd/system")
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    (root / "lib").symlink_to("usr/lib")
    return root


def run(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"},
    )
    return done.returncode, done.stdout + done.stderr


def complaints(text: str) -> list[str]:
    ours = [line for line in text.splitlines() if "algo-trader" in line]
    return [line for line in ours if not any(f"'{key}'" in line for key in NEWER_KEYS)]


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_every_line(analyze: str, root: Path, unit: str) -> None:
    code, text = run(analyze, "verify", f"--root={root}", "--man=no", unit)
    assert complaints(text) == []
    assert code == 0, text


def test_a_word_that_systemd_does_not_know_is_noticed(analyze: str, root: Path) -> None:
    text = (FOLDER / UNITS[0]).read_text(encoding="utf-8")
    planted = root / "etc/systemd/system/algo-trader-planted.service"
    planted.write_text(text.replace("ProtectHome=", "ProtectHomes="))
    _, said = run(analyze, "verify", f"--root={root}", "--man=no", planted.name)
    planted.unlink()
    assert any("ProtectHomes" in line for line in complaints(said))


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_open_to_little(analyze: str, unit: str) -> None:
    code, text = run(
        analyze, "security", "--offline=true", "--no-pager",
        f"--threshold={WORST_EXPOSURE * 10:.0f}", str(FOLDER / unit),
    )  # fmt: skip
    assert code == 0, text
    exposure = re.search(r"Overall exposure level for .*: ([0-9.]+)", text)
    assert exposure is not None
    assert float(exposure[1]) <= WORST_EXPOSURE
