"""Judge what stands for the storing process, by a small program in its place."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infrastructure.errors import DiskFull
from infrastructure.supervision import module_command
from system.algo_trader.pipeline import cold_process
from system.algo_trader.pipeline.cold_messages import Places
from system.algo_trader.pipeline.cold_process import ColdProcess
from system.algo_trader.pipeline.pieces import Built, Keeper, Kept, PieceBuffer
from system.algo_trader.realm import Realm

PROGRAM = """
import sys, time
from multiprocessing.connection import Connection
from system.algo_trader.pipeline.cold_messages import *
pipe, slow_s = Connection(int(sys.argv[1])), float(sys.argv[2])
pipe.recv()
while True:
    request = pipe.recv()
    if isinstance(request, Piece) and request.is_due:
        pipe.send_bytes(b"no answer of ours")
    elif isinstance(request, Piece):
        pipe.send(Kept(1, 2, 0))
    elif isinstance(request, EndRun):
        time.sleep(slow_s)
        pipe.send(Done())
    elif isinstance(request, End):
        time.sleep(slow_s)
        open(sys.argv[3], "w").write("all sent")
        pipe.send(Done())
        break
"""

Standing = Callable[[float], ColdProcess]


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Standing:
    """Return what starts a program that takes its time at the end, seconds."""

    def start(slow_s: float) -> ColdProcess:
        def command(module: str, *arguments: str) -> tuple[tuple[str, ...], dict[str, str]]:
            argv, env = module_command(module, *arguments)
            sent = str(tmp_path / "sent")
            return (argv[0], "-P", "-c", PROGRAM, *arguments, str(slow_s), sent), env

        monkeypatch.setattr(cold_process, "module_command", command)
        monkeypatch.setattr(cold_process, "_END_S", 0.1)
        return ColdProcess(
            Places(Realm.sim(tmp_path), "unix:///nowhere", "http://x", None, "INFO", False)
        )

    return start


def test_a_note_that_cannot_be_written_ends_the_run_and_not_the_listening(
    standing: Standing,
) -> None:
    def told(news: Kept | Built) -> None:
        raise DiskFull("no space left for the run's note")

    cold = standing(0.0)
    keeper = cold.keeper(None, told)  # type: ignore[arg-type]
    with pytest.raises(DiskFull, match="no space left"):
        _give_on(keeper)
    # It answers still, and what it answers is heard.
    assert cold._process.poll() is None
    with pytest.raises(DiskFull):
        cold.close(30.0)


def test_an_answer_that_cannot_be_read_ends_the_run(standing: Standing) -> None:
    cold = standing(0.0)
    keeper = cold.keeper(None, lambda news: None)  # type: ignore[arg-type]
    with pytest.raises(pickle.UnpicklingError):
        _give_on(keeper, is_due=True)
    with pytest.raises(pickle.UnpicklingError):
        cold.close(30.0)


def _give_on(keeper: Keeper, *, is_due: bool = False) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        keeper.take(PieceBuffer().take(0, 0, is_due=is_due))
        time.sleep(0.01)


def test_an_answer_that_comes_late_is_not_the_answer_to_the_next_question(
    standing: Standing, tmp_path: Path
) -> None:
    cold = standing(1.0)
    keeper = cold.keeper(None, lambda news: None)  # type: ignore[arg-type]
    assert not keeper.close(0.1)
    assert cold.close(30.0)
    assert (tmp_path / "sent").read_text() == "all sent"
