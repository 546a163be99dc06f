"""What a service is given, how long restarts wait, and how a command ends by a signal."""

import os
import signal
import sys
import threading

import pytest

from infrastructure.supervision import Backoff, exit_on_signals, module_command
from infrastructure.supervision.spec import child_environment


def test_a_service_inherits_what_any_program_needs_and_no_secret() -> None:
    given = child_environment(
        {"MINE": "1", "PATH": "/other"},
        {
            "PATH": "/bin",
            "HOME": "/h",
            "LC_ALL": "C",
            "PYTHONPATH": "x",
            "ALGO_TRADER_CACHE": "/k",
            "SCHWAB_SECRET": "s",
            "TOKEN_ENC_KEY": "k",
            "REDIS_URL": "redis://:p@h",
        },
    )
    assert given == {
        "PATH": "/other",
        "HOME": "/h",
        "LC_ALL": "C",
        "PYTHONPATH": "x",
        "ALGO_TRADER_CACHE": "/k",
        "MINE": "1",
    }


def test_a_module_runs_in_this_python_with_our_imports_and_not_those_of_its_folder() -> None:
    argv, env = module_command("a.b", "--flag")
    assert argv == (sys.executable, "-P", "-m", "a.b", "--flag")
    assert all(os.path.isabs(place) for place in env["PYTHONPATH"].split(os.pathsep))


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first_s=0.5, longest_s=3)
    assert [backoff.wait_s(failures) for failures in (1, 2, 3, 4, 5, 10**6)] == [
        0.5,
        1.0,
        2.0,
        3.0,
        3.0,
        3.0,
    ]


def test_failures_beyond_the_allowed_ones_end_it() -> None:
    backoff = Backoff(quick_failures=2)
    assert [backoff.gives_up(failures) for failures in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_ending_signal_becomes_an_exit_and_its_default_comes_back(
    number: signal.Signals,
) -> None:
    assert signal.getsignal(number) is signal.SIG_DFL
    with pytest.raises(SystemExit) as caught, exit_on_signals():
        os.kill(os.getpid(), number)
    assert caught.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_or_handled_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with exit_on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_leaves_signals_alone() -> None:
    seen = []

    def block() -> None:
        with exit_on_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
