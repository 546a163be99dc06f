"""What a table's declaration refuses."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from infrastructure.influxdb.schema import Column, TableSchema

SYMBOL = Column("symbol", "tag")
PRICE = Column("price", "float", "USD", "last trade")


def test_a_declaration_knows_its_columns_and_their_types() -> None:
    schema = TableSchema("quotes", (SYMBOL,), (PRICE,))
    assert schema.columns == (SYMBOL, PRICE)
    assert schema.column("price").unit == "USD"
    assert schema.arrow_schema.field("time").type == pa.timestamp("ns")
    assert schema.arrow_schema.field("price").type == pa.float64()
    with pytest.raises(KeyError, match="no column 'size'"):
        schema.column("size")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("", "tag", "cannot name a column"),
        ("time", "float", "cannot name a column"),
        ("a\\", "tag", "cannot name a column"),
        ("a\nb", "tag", "control character"),
        ("a", "double", "no column kind"),
    ],
)
def test_a_column_that_cannot_be_stored_is_refused(name: str, kind: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Column(name, kind)


@pytest.mark.parametrize(
    ("name", "tags", "fields", "message"),
    [
        ("#x", (SYMBOL,), (PRICE,), "cannot name a table"),
        ("a\tb", (SYMBOL,), (PRICE,), "control character"),
        ("t", (SYMBOL,), (), "at least one field"),
        ("t", (PRICE,), (PRICE,), "among the tags"),
        ("t", (SYMBOL,), (SYMBOL,), "among the fields"),
        ("t", (SYMBOL,), (PRICE, PRICE), "declares price twice"),
    ],
)
def test_a_table_that_cannot_be_stored_is_refused(
    name: str, tags: tuple[Column, ...], fields: tuple[Column, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TableSchema(name, tags, fields)
