"""What the command line said before its verb, shared by all verbs of one run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from system.algo_trader.health.error_recorder import ErrorRecorder
    from system.algo_trader.health.error_registry import ErrorRegistry
    from system.algo_trader.processes.health import HealthCheck
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
        endpoint_file: Where a process that is kept running says where it answers.
        verb: The words of the verb, for the registry of errors.
    """

    flags: dict[str, Any] = field(default_factory=dict)
    as_json: bool = False
    sim: bool = False
    live: bool = False
    replay: Path | None = None
    endpoint_file: Path | None = None
    verb: str = "main job"
    _recorder: ErrorRecorder | None = field(default=None, init=False, repr=False)

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

        Errors of the block go to the registry of errors, if the run has Redis.

        Args:
            requests_per_minute: As `Runtime` takes it.
            market_speed: As `Runtime` takes it.
        """
        from system.algo_trader.runtime import Runtime

        with (
            Runtime(
                self.settings(),
                sim=self.sim,
                live=self.live,
                replay=self.replay,
                market_speed=market_speed,
                prompt=_ask_on_stderr if self.as_json else None,
                announce=_show_on_stderr if self.as_json else None,
                requests_per_minute=requests_per_minute,
            ) as runtime,
            self._recording(runtime),
        ):
            yield runtime

    @contextmanager
    def _recording(self, runtime: Runtime) -> Iterator[None]:
        """Take what is logged as an error, and what ends the block, to the registry of errors."""
        from system.algo_trader.cli.failures import is_answer
        from system.algo_trader.health.error_recorder import ErrorRecorder, recorded_log

        recorder = ErrorRecorder(partial(_registry_of, runtime), runtime.clock, self.verb)
        self._recorder = recorder
        with recorded_log(recorder):
            try:
                yield
            except Exception as error:
                if not is_answer(error):
                    self.record(error)
                raise
            finally:
                self._recorder = None

    def record(self, error: Exception) -> None:
        """Take an error that a person is shown to the registry of errors, if this run has Redis.

        What a person at a terminal asked wrongly, or asked for and is not there, is an answer to
        that person; of a process that is kept running nobody reads it.
        """
        from infrastructure.errors import InputError, NoDataError
        from system.algo_trader.cli.failures import as_ours

        is_told = self.endpoint_file is None and isinstance(error, InputError | NoDataError)
        if self._recorder is not None and not is_told:
            self._recorder.record(as_ours(error))

    @contextmanager
    def face(
        self,
        runtime: Runtime,
        verb: str,
        health: HealthCheck,
        collectors: Sequence[Collector] = (),
        port: int | None = None,
    ) -> Iterator[None]:
        """Answer /health and /metrics for the length of a block, if anybody asked for that.

        Args:
            runtime: Of this run.
            verb: What the process does.
            health: Tells how it is.
            collectors: Give its figures.
            port: Where; None for nowhere, unless the process is kept running.

        Raises:
            PortTaken: If another process listens there.
        """
        if port is None and self.endpoint_file is None:
            yield
            return
        from infrastructure.supervision import announce
        from system.algo_trader.health.version import VERSION
        from system.algo_trader.processes.face import Face

        facts = {
            "verb": verb,
            "realm": runtime.realm.name,
            "is_synthetic": str(runtime.realm.is_simulated).lower(),
        }
        face = Face(health, collectors, port=port or 0, facts=facts)
        with face.shown():
            if self.endpoint_file is None:
                print(f"figures at {face.url}/metrics", file=sys.stderr, flush=True)
            else:
                announce(self.endpoint_file, url=face.url, product="algo-trader", version=VERSION)
            yield

    @contextmanager
    def pulse(
        self, runtime: Runtime, verb: str, longest_s: float | None = None
    ) -> Iterator[Callable[[], None]]:
        """Yield what a job that goes round calls after each round, and show it as `face` does.

        Args:
            runtime: Of this run.
            verb: What the process does.
            longest_s: Seconds after which silence is degraded; None where it may wait for hours.
        """
        if self.endpoint_file is None:
            yield lambda: None
            return
        from system.algo_trader.processes.health import Pulse
        from system.algo_trader.processes.pulse_figures import PulseFigures

        pulse = Pulse(runtime.clock, longest_s)
        with self.face(runtime, verb, pulse.health, [PulseFigures(pulse)]):
            yield pulse.beat


def _registry_of(runtime: Runtime) -> ErrorRegistry | None:
    """Return the errors of a run's realm, None before it has opened Redis."""
    from system.algo_trader.health.error_registry import ErrorRegistry

    redis = runtime.opened_redis
    return None if redis is None else ErrorRegistry(redis, runtime.clock)


def _show_on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _ask_on_stderr(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return input()


def current(context: typer.Context) -> Invocation:
    """Return the invocation that the top-level callback stored."""
    found = context.find_object(Invocation)
    invocation = found if found is not None else Invocation()
    # Behind the program's name: `candles sync`.
    invocation.verb = context.command_path.partition(" ")[2] or invocation.verb
    return invocation
