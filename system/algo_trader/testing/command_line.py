"""Run this program as a person does, in a folder of its own: for tests of the whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infrastructure.caching import CACHE_VARIABLE

DEADLINE_S = 180.0


@dataclass(frozen=True)
class Result:
    """Hold what one command did.

    Attributes:
        code: Its exit code.
        out: What it wrote to standard output.
        err: What it wrote to standard error.
    """

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return its standard output as JSON."""
        return json.loads(self.out)


def kept() -> dict[str, str]:
    """Return the variable that names where things are kept, where there is one."""
    return {name: os.environ[name] for name in (CACHE_VARIABLE,) if name in os.environ}


@dataclass(frozen=True)
class CommandLine:
    """Run `algo-trader` in one home folder, with nothing of the caller's environment.

    Attributes:
        home: Its ALGO_TRADER_HOME.
        variables: Environment variables on top.
    """

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a command."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(place for place in sys.path if place),
            "ALGO_TRADER_HOME": str(self.home),
            "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off",
            "PYTHONFAULTHANDLER": "1",
            **kept(),
            **self.variables,
        }

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        return subprocess.Popen(
            [sys.executable, "-m", "system.algo_trader.main", *arguments],
            env=self.environment(),
            cwd=self.home,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, typed: str | None = None) -> Result:
        """Run a command to its end.

        Args:
            *arguments: Its words.
            typed: What is typed into its standard input; nothing when None.
        """
        stdin = subprocess.DEVNULL if typed is None else subprocess.PIPE
        with self.start(*arguments, stdin=stdin) as process:
            try:
                out, err = process.communicate(typed, timeout=DEADLINE_S)
            except subprocess.TimeoutExpired:
                # It says where each of its threads stands, on the runner's own terminal.
                process.send_signal(signal.SIGABRT)
                _, err = process.communicate()
                print(err)
                raise
        print(out, err, sep="\n")  # pytest keeps it, and the scan for tokens reads it
        return Result(process.returncode, out, err)
