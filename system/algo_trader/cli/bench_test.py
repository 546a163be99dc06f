"""Judge how budget lines are shown."""

import json

import pytest

from system.algo_trader.benchmarks.report import BenchRow
from system.algo_trader.cli.bench import figure, show

ROWS = [
    BenchRow("refresh", "ms", 16.21, "at most", 30.0),
    BenchRow("implied volatility", "options/s", 2_504_000, "at least", 2e6, "NumPy", 40_000),
    BenchRow("profile", "ms", 20.0, "at most", 15.0, "NumPy", 25.0, 2.5),
]


def test_a_person_sees_budget_figure_peer_and_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    show("analytics", ROWS, as_json=False)
    out = capsys.readouterr().out
    for text in ("16.2 ms", "at most 30", "2.5M options/s", "40K", "62.6x", "MISSED"):
        assert text in out


def test_a_machine_gets_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    show("analytics", ROWS, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["kept"] is False
    assert [row["kept"] for row in document["rows"]] == [True, True, False]
    assert document["rows"][1]["ratio"] == pytest.approx(62.6)
    assert document["machine"]["cores"] >= 1


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.0123"), (999, "999"), (2500, "2,500"), (18.9e6, "18.9M")]
)
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text
