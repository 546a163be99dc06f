"""What the command line said before its verb, shared by all verbs of one run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from system.algo_trader.runtime import Runtime
    from system.algo_trader.settings import AppSettings


@dataclass
class Invocation:
    """Hold the global flags of one run.

    Attributes:
        flags: Settings given on the command line, by setting name.
        as_json: Whether output is JSON for machines.
        sim: Whether the simulator was asked for.
        live: Whether the real Schwab was asked for.
        replay: A file whose bars the simulator replays.
    """

    flags: dict[str, Any] = field(default_factory=dict)
    as_json: bool = False
    sim: bool = False
    live: bool = False
    replay: Path | None = None

    def settings(self) -> AppSettings:
        """Settle the settings and set the log up by them.

        Raises:
            ConfigError: If a file or value is wrong.
        """
        from infrastructure.logging import configure, get_logger
        from system.algo_trader.settings import load

        settings = load(self.flags)
        configure(level=settings.log_level, json_lines=settings.log_json)
        for line in settings.settled.deprecations:
            get_logger("config").warning(line)
        return settings

    @property
    def names_symbols(self) -> bool:
        """Whether this run's command line names symbols, whatever the settings say."""
        return self.flags.get("symbols") is not None

    @contextmanager
    def runtime(
        self, *, requests_per_minute: int | None = None, market_speed: float | None = None
    ) -> Iterator[Runtime]:
        """Yield the wired parts of this run, and end what it started afterwards.

        Args:
            requests_per_minute: As `Runtime` takes it.
            market_speed: As `Runtime` takes it.
        """
        from system.algo_trader.runtime import Runtime

        with Runtime(
            self.settings(),
            sim=self.sim,
            live=self.live,
            replay=self.replay,
            market_speed=market_speed,
            prompt=_ask_on_stderr if self.as_json else None,
            announce=_show_on_stderr if self.as_json else None,
            requests_per_minute=requests_per_minute,
        ) as runtime:
            yield runtime


def _show_on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _ask_on_stderr(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return input()


def current(context: typer.Context) -> Invocation:
    """Return the invocation that the top-level callback stored."""
    found = context.find_object(Invocation)
    return found if found is not None else Invocation()
