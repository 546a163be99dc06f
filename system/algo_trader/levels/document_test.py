import csv
import io
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from system.algo_trader.levels.document import (
    LevelsDocument,
    LevelsInput,
    Provenance,
    Quality,
    VwapMethod,
    ai_block,
    csv_text,
    levels_schema,
    provenance_line,
)
from system.algo_trader.levels.pivots import PivotKind, pivots
from system.algo_trader.levels.request import LevelSession, VwapKind

DOCUMENT = LevelsDocument(
    symbol="AAPL",
    date=date(2013, 3, 1),
    session=LevelSession.RTH,
    pivot_kind=PivotKind.FIBONACCI,
    vwap_kind=VwapKind.SESSION,
    input=LevelsInput("aapl", "America/New_York", "session", "split", "none", "1m", 2),
    pivots=pivots(PivotKind.FIBONACCI, 110.0, 100.0, 108.0),
    vwap=105.5049,
    quality=Quality(VwapMethod.INTRADAY_TRUE, 2, 390, 0.51, 0),
    provenance=Provenance(
        "schwab", None, False, "2013-03-01T14:30:00Z/2013-03-01T21:00:00Z", "none"
    ),
    prior_date=date(2013, 2, 28),
    prior_bar_count=1,
    prior_bars_expected=1,
    no_vwap_because=None,
)
WITHOUT_VWAP = replace(
    DOCUMENT, vwap=None, quality=Quality(VwapMethod.UNAVAILABLE, 0, 390, 0.0, None)
)
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KNOWN_WORDS = {
    *("$schema", "$id", "title", "description", "type", "const", "enum", "pattern", "minimum"),
    *("maximum", "minLength", "properties", "required", "additionalProperties"),
}


def is_kind(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, KINDS[name])


def faults(value: Any, schema: dict[str, Any], place: str = "") -> list[str]:
    """Judge by the words of JSON Schema 2020-12 that the schema uses, and by no others."""
    unknown = set(schema) - KNOWN_WORDS
    assert not unknown, f"the judge does not know {unknown}"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    found = []
    if kinds and not any(is_kind(value, name) for name in kinds):
        return [f"{place} is no {kinds}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{place} is not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place} is none of {schema['enum']}")
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            found.append(f"{place} is too short")
        if not re.search(schema.get("pattern", ""), value):
            found.append(f"{place} has another form")
    elif isinstance(value, int | float):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            found.append(f"{place} is out of range")
    elif isinstance(value, dict):
        known = schema["properties"]
        found += [f"{place}.{name} is missing" for name in schema["required"] if name not in value]
        if schema.get("additionalProperties") is False:
            found += [f"{place}.{name} is unknown" for name in value if name not in known]
        for name in set(value) & set(known):
            found += faults(value[name], known[name], f"{place}.{name}")
    return found


@pytest.mark.parametrize("document", [DOCUMENT, WITHOUT_VWAP])
def test_the_document_keeps_its_schema(document: LevelsDocument) -> None:
    assert faults(document.as_dict(), levels_schema()) == []


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("version",), "levels.v2", ".version is not levels.v1"),
        (("date",), "1 March", ".date has another form"),
        (("levels", "R1"), None, ".levels.R1 is no"),
        (("levels", "R2"), 5.0, ".levels.R2 is unknown"),
        (("quality", "coverage_pct"), 101, ".quality.coverage_pct is out of range"),
        (("quality", "vwap_method"), "pivot", ".quality.vwap_method is none of"),
        (("provenance", "is_synthetic"), 0, ".provenance.is_synthetic is no"),
    ],
)
def test_a_spoiled_document_breaks_the_schema(
    place: tuple[str, ...], value: object, words: str
) -> None:
    spoiled: dict[str, Any] = DOCUMENT.as_dict()
    inner = spoiled
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    found = faults(spoiled, levels_schema())
    assert len(found) == 1
    assert words in found[0]


def test_the_schema_closes_every_object_and_names_its_id() -> None:
    schema = levels_schema()
    assert schema["$id"] == "https://trade-analyst/specs/levels.v1.schema.json"
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    parts = [schema, *(each for each in schema["properties"].values() if "properties" in each)]
    assert len(parts) == 5
    for part in parts:
        assert part["additionalProperties"] is False
        assert set(part["required"]) == set(part["properties"])


def test_levels_are_rounded_to_the_precision() -> None:
    assert DOCUMENT.as_dict()["levels"] == {
        "R1": 109.82,
        "S1": 102.18,
        "VWAP": 105.5,
        "pivot": 106.0,
    }


def test_csv_has_fixed_columns_and_an_empty_cell_for_null() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text([WITHOUT_VWAP]))))
    assert len(rows) == 1
    assert rows[0]["VWAP"] == rows[0]["data_lag_ms"] == rows[0]["provider_request_id"] == ""
    assert (rows[0]["symbol"], rows[0]["R1"], rows[0]["is_synthetic"]) == (
        "AAPL",
        "109.82",
        "false",
    )
    assert csv_text([DOCUMENT]).splitlines()[0] == csv_text([WITHOUT_VWAP]).splitlines()[0]
    assert csv_text([DOCUMENT]).splitlines()[0] == (
        "version,symbol,date,session,pivot_kind,vwap_kind,symbol_raw,tz,anchor,adjust,roll,"
        "interval,precision,R1,S1,VWAP,pivot,vwap_method,intraday_bar_count,bars_expected,"
        "coverage_pct,data_lag_ms,provider,provider_request_id,is_synthetic,session_window,"
        "roll_mode"
    )


def test_many_documents_share_one_heading() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text([DOCUMENT, WITHOUT_VWAP]))))
    assert [row["VWAP"] for row in rows] == ["105.5", ""]
    assert csv_text([]) == ""


def test_the_ai_block_stands_between_its_markers() -> None:
    lines = ai_block(WITHOUT_VWAP).splitlines()
    assert lines[0] == "[AI_DATA_BLOCK_START]"
    assert lines[-1] == "[AI_DATA_BLOCK_END]"
    assert "VWAP: null" in lines
    assert "R1: 109.82" in lines
    assert "is_synthetic: false" in lines


def test_the_provenance_is_one_line_of_pairs() -> None:
    line = provenance_line(DOCUMENT)
    assert "\n" not in line
    words = line.split(" ")
    assert words[0] == "PROVENANCE"
    assert dict(word.split("=", 1) for word in words[1:]) == {
        "provider": "schwab",
        "provider_request_id": "-",
        "is_synthetic": "false",
        "session_window": "2013-03-01T14:30:00Z/2013-03-01T21:00:00Z",
        "roll_mode": "none",
        "prior_session": "2013-02-28",
        "prior_bars": "1",
        "prior_bars_expected": "1",
    }
