"""Judge how answers are sized for models."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from system.algo_trader.api.model_tools.sizing import BYTES, document_for_model, rounded
from system.algo_trader.api.model_tools.tool import Cut, ModelTool
from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.parameters import Position

FACTS = Facts(("schwab-sim",), True, as_of_ns=1_000_000_000)


def answer(rows: int, following: Position | None = None, **summary: Any) -> Answer:
    table = pa.table(
        {
            "strike": np.arange(rows, dtype=np.float64),
            "price": np.arange(rows) / 3,
            "source": ["schwab-sim"] * rows,
        }
    )
    return Answer(table, FACTS, summary or None, following)


def tool(cut: Cut, answered: Any) -> ModelTool:
    return ModelTool("t", "T", "D", frozenset(), (), answered, cut, "ask for less", {})


def strikes(document: Mapping[str, Any]) -> list[float]:
    place = document["columns"].index("strike")
    return [row[place] for row in document["rows"]]


def test_facts_and_age_stand_beside_rows_and_equal_values_stand_once() -> None:
    document, rows = document_for_model(
        tool(Cut.FIRST, lambda _: answer(3)), {"limit": 200}, 3_500_000_000
    )
    assert rows == document["rows_shown"] == 3
    assert document["age_s"] == 2.5
    assert (document["is_simulated"], document["is_synthetic"]) == (True, True)
    assert document["licence"].startswith("A local simulation")
    assert document["in_every_row"] == {"source": "schwab-sim"}
    assert document["rows"] == [[0, 0], [1, 0.3333333], [2, 0.6666667]]
    assert (document["next"], document["more"], document["rows_left_out"]) == (None, None, 0)


def test_one_row_keeps_its_columns() -> None:
    document, _ = document_for_model(tool(Cut.FIRST, lambda _: answer(1)), {}, 0)
    assert document["columns"] == ["strike", "price", "source"]
    assert document["rows"] == [[0, 0, "schwab-sim"]]


def test_no_rows_are_no_rows() -> None:
    document, rows = document_for_model(tool(Cut.LAST, lambda _: answer(0)), {}, 0)
    assert (rows, document["rows"], document["more"]) == (0, [], None)


@pytest.mark.parametrize(
    ("cut", "kept"),
    [(Cut.FIRST, range(10)), (Cut.LAST, range(90, 100)), (Cut.SPOT, range(45, 55))],
)
def test_what_is_kept_is_what_is_asked_for(cut: Cut, kept: range) -> None:
    asked = tool(cut, lambda _: answer(100, spot=49.5))
    document, _ = document_for_model(asked, {"limit": 10}, 0)
    assert strikes(document) == list(kept)
    assert document["rows_left_out"] == 90
    assert document["more"] == "90 rows are left out: ask for less."


def test_a_page_that_is_too_long_is_asked_for_again_so_that_next_stays_true() -> None:
    asked: list[int] = []

    def answered(values: Mapping[str, Any]) -> Answer:
        asked.append(values["limit"])
        wide = answer(values["limit"], Position(values["limit"]))
        return replace(wide, table=wide.table.append_column("w", pa.array(
            [f"{row:0200d}" for row in range(values["limit"])]
        )))  # fmt: skip

    document, rows = document_for_model(tool(Cut.PAGE, answered), {"limit": 200}, 0)
    assert len(asked) == 2
    assert rows == asked[-1] < 100
    assert Position.of(document["next"]) == Position(rows)
    assert document["more"] == "There is more: ask for less."
    assert len(json.dumps(document)) < 1.1 * BYTES


@pytest.mark.parametrize("cut", [Cut.FIRST, Cut.LAST, Cut.SPOT])
def test_answers_stay_within_their_bytes(cut: Cut) -> None:
    asked = tool(cut, lambda _: answer(100_000, spot=5.0))
    document, rows = document_for_model(asked, {"limit": 200}, 0)
    assert rows == 200
    assert len(json.dumps(document)) < BYTES


def test_numbers_have_seven_digits_and_lists_an_end() -> None:
    assert rounded({"a": [1 / 3, float("nan"), 1e20, 123456.789]}, 9) == {
        "a": [0.3333333, None, 1e20, 123456.8]
    }
    assert rounded(list(range(5)), 2) == [0, 1, "... 5 in all"]
    assert rounded(True, 2) is True
