"""Judge that answers are kept, made anew when they have to be, and never half."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infrastructure.caching import CACHE_VARIABLE
from infrastructure.exchange import calendars
from infrastructure.exchange.kept_days import Arrays, kept

DAYS = np.array(["2024-03-11", "2024-03-12"], dtype="datetime64[D]")
SOURCE = Path(__file__)


class Library:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Arrays:
        self.asked += 1
        return {"dates": DAYS, "close_s": np.array([1, 2])}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path / "calendars"


def ask(library: Library, question: str = "days-A-2030", source: Path = SOURCE) -> None:
    found = kept(question, source, library)
    assert found["dates"].dtype == DAYS.dtype
    assert (found["dates"] == DAYS).all()
    assert found["close_s"].tolist() == [1, 2]


def test_a_question_is_asked_once(folder: Path) -> None:
    library = Library()
    ask(library)
    ask(library)
    assert library.asked == 1
    ask(library, "days-B-2030")
    assert library.asked == 2
    assert len(list(folder.iterdir())) == 2


def test_another_source_asks_anew(tmp_path: Path) -> None:
    library = Library()
    ask(library)
    other = tmp_path / "other.py"
    other.write_text("")
    ask(library, source=other)
    assert library.asked == 2


@pytest.mark.parametrize("length", [0, 20, 300])
def test_a_file_that_is_damaged_is_made_anew(folder: Path, length: int) -> None:
    library = Library()
    ask(library)
    [path] = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    ask(library)
    assert library.asked == 2
    assert path.read_bytes() == whole


def test_a_flipped_bit_is_noticed(folder: Path) -> None:
    library = Library()
    ask(library)
    [path] = folder.iterdir()
    content = bytearray(path.read_bytes())
    place = content.index(DAYS.tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    ask(library)
    assert library.asked == 2


def test_without_a_folder_it_is_answered_all_the_same(folder: Path) -> None:
    folder.write_text("a file where the folder would be")
    library = Library()
    ask(library)
    ask(library)
    assert library.asked == 2


def test_a_second_process_answers_without_pandas_and_the_same(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from datetime import date\n"
        f"from {calendars.__name__} import calendar\n"
        "for name in ('XNYS', 'CME_EQUITY', 'CME_ENERGY'):\n"
        "    print(calendar(name).sessions(date(2023, 12, 20), date(2024, 1, 3)))\n"
        "print('pandas' in sys.modules)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for _ in range(2)
    ]
    assert [each[-1] for each in said] == ["True", "False"]
    assert said[0][:-1] == said[1][:-1]
