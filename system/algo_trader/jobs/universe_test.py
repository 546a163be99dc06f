"""Judge which words of a file count as symbols."""

from pathlib import Path

import pytest

from infrastructure.errors import OperatorError, UsageError
from system.algo_trader.jobs.universe import read_universe


def test_lists_and_tables_are_read(tmp_path: Path) -> None:
    path = tmp_path / "universe.csv"
    path.write_text('﻿Symbol,Name\naapl,Apple\n\n# later\nMSFT # big\n"/ES",S&P\nAAPL,again\n')
    assert read_universe(path) == ["AAPL", "MSFT", "/ES"]


def test_a_line_that_is_no_symbol_is_named(tmp_path: Path) -> None:
    path = tmp_path / "universe.txt"
    path.write_text("AAPL\nnot a symbol!\n")
    with pytest.raises(UsageError, match="line 2 of"):
        read_universe(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "universe.txt"
    path.write_text("# nothing\n")
    with pytest.raises(UsageError, match="names no symbol"):
        read_universe(path)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.txt"):
        read_universe(tmp_path / "none.txt")
