from __future__ import annotations

import re

import pytest

from system.algo_trader.market.bars import BAR_SCHEMA
from system.algo_trader.storage.tables import (
    CANDLES,
    FILLS,
    PIPELINE_METRICS,
    PRIVATE_TABLES,
    TABLES,
    table_named,
)


def test_candles_have_the_names_that_outlive_a_version() -> None:
    assert CANDLES.name == "candles"
    assert [tag.name for tag in CANDLES.tags] == ["symbol", "timeframe", "session", "source"]
    kinds = {field.name: field.kind for field in CANDLES.fields}
    assert {name: kinds[name] for name in ("open", "high", "low", "close")} == dict.fromkeys(
        ("open", "high", "low", "close"), "float"
    )
    assert (kinds["volume"], kinds["is_synthetic"]) == ("integer", "boolean")


def test_every_candle_column_is_one_of_the_canonical_bar() -> None:
    for column in CANDLES.columns:
        assert BAR_SCHEMA.field(column.name).type == column.arrow_type


def test_no_table_uses_a_reserved_word() -> None:
    names = [column.name for table in TABLES for column in table.columns]
    assert "interval" not in names
    assert PIPELINE_METRICS.name == "pipeline_metrics"
    assert all(column.description.endswith(".") for table in TABLES for column in table.columns)


def test_every_table_of_the_design_is_declared_and_accounts_are_apart() -> None:
    public = {table.name for table in TABLES}
    assert public == {
        *("candles", "trades", "quotes", "books", "option_quotes", "option_exposure"),
        *("option_metrics", "tape_metrics", "pipeline_metrics", "company_facts", "signals"),
        "equity",
    }
    assert {table.name for table in PRIVATE_TABLES} == {"accounts", "orders", "fills"}
    assert all(table.private for table in PRIVATE_TABLES)
    assert not any(table.private for table in TABLES)


def test_a_table_is_found_by_its_name_and_an_unknown_one_is_refused() -> None:
    assert table_named("fills") is FILLS
    with pytest.raises(KeyError, match="candels"):
        table_named("candels")


def test_every_number_has_a_unit_or_is_a_count_and_every_table_fits_core() -> None:
    for table in (*TABLES, *PRIVATE_TABLES):
        assert len(table.columns) < 500
        assert re.fullmatch(r"[a-z_]+", table.name)
        assert table.retention is None or re.fullmatch(r"\d+d", table.retention)
        for column in table.columns:
            assert re.fullmatch(r"[a-z_]+", column.name)
            if column.unit == "price" and column.kind != "tag":
                assert column.kind == "float"
