import io
import json
import sys

import pytest

from infrastructure.errors import ProviderUnavailable
from system.algo_trader import terminal


def test_a_sparkline_rises_from_the_lowest_to_the_highest_block() -> None:
    assert terminal.sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"


def test_a_long_sparkline_is_cut_to_its_width_and_ends_with_the_last_value() -> None:
    line = terminal.sparkline([*range(999), 0.0], width=10)
    assert len(line) == 10
    assert line[-1] == "▁"


def test_flat_and_empty_series_have_a_sparkline_too() -> None:
    assert set(terminal.sparkline([2.0, 2.0])) == {"▄"}
    assert terminal.sparkline([]) == ""
    assert terminal.sparkline([float("nan")]) == ""


def test_change_shows_sign_and_percent() -> None:
    assert terminal.change(100.0, 48.1).plain == "-51.90 %"
    assert terminal.change(5.0, 5.0).plain == "+0.00 %"


def test_an_error_is_one_line_for_people_and_one_object_for_machines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ProviderUnavailable("Schwab\nis down", next_step="Wait.", symbol="AAPL")
    terminal.print_error(error, as_json=False)
    assert capsys.readouterr().err == "error: Schwab is down. Wait.\n"
    terminal.print_error(error, as_json=True)
    document = json.loads(capsys.readouterr().err)
    assert (document["error"], document["exit_code"]) == ("ProviderUnavailable", 3)


def test_missing_cells_are_shown_as_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(terminal.table("T", ("a", "b"), [("x", None)], numeric="lr"))
    assert "–" in capsys.readouterr().out


def test_brackets_in_a_title_a_heading_or_a_cell_are_brackets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.print_table(terminal.table("[/t]", ("[/h]",), [("[/c]",), ("[bold]",)]))
    terminal.console().print("/home/[/x]")
    out = capsys.readouterr().out
    assert [text for text in ("[/t]", "[/h]", "[/c]", "[bold]", "/home/[/x]") if text in out] == [
        "[/t]",
        "[/h]",
        "[/c]",
        "[bold]",
        "/home/[/x]",
    ]


@pytest.mark.parametrize("columns", ["20", "60", None])
def test_a_table_wider_than_the_terminal_loses_no_figure(
    columns: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    cells = ["unix://" + "long/" * 30, "1,234.56", "-51.90 %", "running"]
    terminal.print_table(terminal.table("T", ("url", "close", "change", "state"), [cells]))
    out = capsys.readouterr().out
    assert [cell for cell in cells if cell not in out] == []
    assert "…" not in out


def test_a_stream_without_unicode_gets_ascii_and_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    terminal.tolerate_encodings()
    assert terminal.sparkline([1, 2, 3]).isascii()
    terminal.print_table(terminal.table("T", ("a", "b"), [("ü", None)]))
    terminal.print_json({"name": "ü"})
    sys.stdout.flush()
    *_, document = written.getvalue().decode("ascii").splitlines()
    assert json.loads(document) == {"name": "ü"}
