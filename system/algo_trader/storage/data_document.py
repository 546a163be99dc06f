"""Write `docs/data.md` from the declarations of tables and datasets.

`python -m system.algo_trader.storage.data_document docs/data.md` writes it; a test fails when the
file is not what these declarations say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from infrastructure.influxdb.schema import TableSchema
from system.algo_trader.storage.records import ARCHIVED, Dataset
from system.algo_trader.storage.tables import PRIVATE_TABLES, TABLES

_HEAD = """# Data

Written by `python -m system.algo_trader.storage.data_document docs/data.md` from
`system/algo_trader/storage/tables.py` and `records.py`; a test fails when it is not current.

Times are nanoseconds UTC. A row of InfluxDB is its tags and its time. Missing values are null.
The archive is the truth. `candles`, `trades` and `quotes` of InfluxDB are projections of it that
`algo-trader store rebuild influx` makes again; the other tables hold what was measured. "Kept" is
how long the archive holds rows when `algo-trader store retention --apply` runs.
"""


def data_document() -> str:
    """Return the whole document as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD.rstrip()
    yield ""
    yield "## Tables of InfluxDB, databases `algo_trader` and `algo_trader_sim`"
    for table in TABLES:
        yield from _table(table)
    yield ""
    yield "## Private tables, database `algo_trader_private` (simulated: `algo_trader_sim_private`)"
    yield ""
    yield "Anonymous viewers of Grafana cannot read this database."
    for table in PRIVATE_TABLES:
        yield from _table(table)
    yield ""
    yield "## Datasets of the archive"
    yield ""
    yield (
        "`{home}/{live|sim}/archive/{dataset}/{symbol}/{YYYY}/{MM}/{DD}/part-{hash}.parquet`, "
        "listed with sha256, rows, span and request in `manifest.log`. Rows of many symbols that "
        "came together share a file below `_several` until the market has closed."
    )
    for dataset in ARCHIVED:
        yield from _dataset(dataset)


def _table(table: TableSchema) -> Iterator[str]:
    yield ""
    yield f"### `{table.name}`"
    yield ""
    keys = ", ".join([*(tag.name for tag in table.tags), "time"])
    privacy = "private" if table.private else "public"
    yield f"{table.description} Key: {keys}. Kept: {table.retention or 'for ever'}. {privacy}."
    yield ""
    rows = [(each.name, each.kind, each.unit, each.description) for each in table.columns]
    yield from _rows(("column", "type", "unit", "meaning"), rows)


def _dataset(dataset: Dataset) -> Iterator[str]:
    yield ""
    yield f"### `{dataset.name}`"
    yield ""
    yield (
        f"{dataset.description} Key: {', '.join(dataset.key)}. Sorted by {dataset.time}. "
        f"Kept: {dataset.retention or 'for ever'}."
    )
    yield ""
    rows = [(each.name, _type_name(each.type), _null(each)) for each in dataset.schema]
    yield from _rows(("column", "type", "null"), rows)


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _type_name(kind: pa.DataType) -> str:
    return str(kind)


def _null(field: pa.Field) -> str:
    return "may be" if field.nullable else "never"


def write_document(path: Path) -> None:
    """Write the document to a file."""
    path.write_text(data_document(), encoding="utf-8")


if __name__ == "__main__":
    write_document(Path(sys.argv[1]))
