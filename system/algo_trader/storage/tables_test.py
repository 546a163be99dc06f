from __future__ import annotations

from system.algo_trader.market.bars import BAR_SCHEMA
from system.algo_trader.storage.tables import CANDLES, PIPELINE_METRICS, TABLES


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
