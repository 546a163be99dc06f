"""Plant one fault in a copy of the sources and see whether its test notices.

`faults.json` is the list. A fault is one line of one file, what is put in its place, and the test
that must turn red. The runner copies the sources into a folder of its own; what stands here is
never changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
"""The file itself, not Bazel's link to it: the sources that are copied stand around it."""
LIST: Final = Path(__file__).resolve().with_name("faults.json")

_COPIED: Final = ("infrastructure", "system", "conftest.py", "pyproject.toml")
_DEADLINE_S: Final = 120
# The exit codes of pytest, from its documentation.
_PASSED: Final = 0
_FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """One fault.

    Attributes:
        side: "client" or "simulator".
        what: What goes wrong, in words.
        file: Where, below the root.
        line: The whole source line that is replaced; it stands in the file once.
        replacement: What is put in its place.
        test: The id of the test that must fail, as pytest writes it.
    """

    side: str
    what: str
    file: str
    line: str
    replacement: str
    test: str


def planted_faults() -> list[PlantedFault]:
    """Return the list."""
    return [PlantedFault(**entry) for entry in json.loads(LIST.read_text(encoding="utf-8"))]


def lines_found(fault: PlantedFault, root: Path = ROOT) -> int:
    """Return how often a fault's source line stands in its file."""
    return (root / fault.file).read_text(encoding="utf-8").splitlines().count(fault.line)


class CopiedTree:
    """A copy of the sources in which faults are planted, one at a time.

    Args:
        folder: An empty folder.
        root: The sources.
    """

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self._folder = folder / "tree"
        self._folder.mkdir()
        self._planted = 0
        for name in _COPIED:
            source = root / name
            if source.is_dir():
                leave = shutil.ignore_patterns("__pycache__", ".pytest_cache", "*.parquet")
                shutil.copytree(source, self._folder / name, ignore=leave)
            else:
                shutil.copyfile(source, self._folder / name)

    def failing(self, tests: Iterable[str]) -> str | None:
        """Run tests on the copy as it is; return None when all pass, else what pytest says."""
        code, told = self._run(list(tests))
        return None if code == _PASSED else told

    def is_noticed(self, fault: PlantedFault) -> bool:
        """Plant a fault, run its test, take the fault out, and say whether the test failed.

        Raises:
            RuntimeError: If the test did not run at all.
        """
        path = self._folder / fault.file
        before = path.read_text(encoding="utf-8")
        lines = before.splitlines()
        lines[lines.index(fault.line)] = fault.replacement
        try:
            self._write(path, "\n".join(lines) + "\n")
            code, told = self._run([fault.test])
        finally:
            self._write(path, before)
        if code not in (_PASSED, _FAILED):
            raise RuntimeError(f"{fault.test} did not run: {told}")
        return code == _FAILED

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # Python tells a changed source by whole seconds: each write gets a second of its own.
        self._planted += 1
        moment = path.stat().st_mtime + self._planted
        os.utime(path, (moment, moment))

    def _run(self, tests: list[str]) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, *tests],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr)[-4_000:]

    def _environment(self) -> dict[str, str]:
        """Return an environment in which the copy, and no other sources, is imported."""
        others = [place for place in sys.path if place and not (Path(place) / "system").is_dir()]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self._folder), *others]),
            "ALGO_TRADER_HOME": str(self._folder / "home"),
        }
