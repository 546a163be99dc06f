"""The program: `algo-trader`, and `bazel run //system/algo_trader:main`.

Without a verb it runs the main job. Every failure ends as one sentence and an exit code:
0 ok, 1 a bug of ours, 2 usage, configuration or sign-in, 3 provider, network or a missing
service, 4 no data, 130 and 143 interrupted.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from infrastructure.errors import BugError, StackError, UsageError

INTERRUPTED = 130
TERMINATED = 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments without the program's name; those of the process when None.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    signal.signal(signal.SIGTERM, _terminate)
    _use_callers_folder()
    import typer

    from system.algo_trader.cli.app import build
    from system.algo_trader.terminal import print_error, tolerate_encodings

    tolerate_encodings()
    try:
        result = typer.main.get_command(build())(
            args=arguments, prog_name="algo-trader", standalone_mode=False
        )
    except StackError as error:
        _announce(error, arguments)
        print_error(error, as_json=as_json)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        refused = getattr(error, "format_message", None)
        sentence = None if refused is None else refused()
        if sentence == "":
            # A group of verbs without one: its help has been shown.
            return UsageError.exit_code
        report = _report(error) if sentence is None else _usage(sentence)
        _announce(report, arguments)
        print_error(report, as_json=as_json)
        return report.exit_code
    if result == INTERRUPTED:
        _say_interrupted(as_json)
    return result if isinstance(result, int) else 0


def _announce(error: StackError, arguments: Sequence[str]) -> None:
    """Tell whoever started this process to be kept why it cannot run."""
    if "--endpoint-file" in arguments:
        from system.algo_trader.processes.order import announced

        announced(error, arguments)


def _say_interrupted(as_json: bool) -> None:
    message = "what was stored is complete; run it again to go on"
    if as_json:
        document = {"error": "Interrupted", "message": message, "exit_code": INTERRUPTED}
        sys.stderr.write(json.dumps(document) + "\n")
        return
    # The terminal has just shown ^C, perhaps behind a prompt.
    line_end = "\n" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{line_end}interrupted: {message}\n")


def run() -> None:
    """Run the command of this process and exit with its code."""
    sys.exit(main())


def _use_callers_folder() -> None:
    """Work in the folder where the person stood when `bazel run` changed it."""
    import os

    folder = os.environ.get("BUILD_WORKING_DIRECTORY")
    if folder and os.path.isdir(folder):
        os.chdir(folder)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


def _usage(sentence: str) -> StackError:
    return UsageError(sentence.rstrip("."), next_step="`--help` after a verb says how to call it.")


def _report(error: Exception) -> StackError:
    """Turn an error that nobody expected into a sentence, its traceback into a file."""
    import traceback

    from system.algo_trader.cli.failures import as_ours

    known = as_ours(error)
    if not isinstance(known, BugError):
        return known
    text = "".join(traceback.format_exception(error))
    try:
        place = _write_report(text)
    except (OSError, StackError):
        place = None
    where = f"The details are in {place}." if place else "The details could not be written."
    return BugError(known.message, next_step=f"{where} Please report it as a bug.")


def _write_report(text: str) -> str:
    from infrastructure.clock import SystemClock
    from infrastructure.logging import redact
    from system.algo_trader.settings import load

    folder = load().home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"error-{SystemClock().now_ns()}.txt"
    path.write_text(redact(text), encoding="utf-8")
    return str(path)


if __name__ == "__main__":
    run()
