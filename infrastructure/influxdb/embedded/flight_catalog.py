"""The catalog commands of Flight SQL: what databases, tables and abilities there are.

Source: Apache Arrow, format/FlightSql.proto (schemas of the results, numbers of SqlInfo).
"""

from __future__ import annotations

import re

import pyarrow as pa

from infrastructure.influxdb.embedded.flight_messages import read_fields
from infrastructure.influxdb.embedded.identity import PRODUCT, VERSION
from infrastructure.influxdb.embedded.query import CATALOG, SCHEMA, plain_schema
from infrastructure.influxdb.embedded.table import Table

CATALOG_COMMANDS = frozenset(
    {
        "CommandGetCatalogs",
        "CommandGetDbSchemas",
        "CommandGetTables",
        "CommandGetTableTypes",
        "CommandGetSqlInfo",
    }
)
_TABLE_TYPE = "BASE TABLE"
_SQL_INFO: dict[int, str | bool] = {0: PRODUCT, 1: VERSION, 2: pa.__version__, 3: True}
_INFO_TYPES = (
    pa.field("string_value", pa.string()),
    pa.field("bool_value", pa.bool_()),
    pa.field("bigint_value", pa.int64()),
    pa.field("int32_bitmask", pa.int32()),
    pa.field("string_list", pa.list_(pa.string())),
    pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
)


def catalog_table(command: str, message: bytes, tables: dict[str, Table]) -> pa.Table:
    """Return the answer to a catalog command.

    Args:
        command: One of CATALOG_COMMANDS.
        message: Its protobuf bytes.
        tables: The database's tables by name.
    """
    if command == "CommandGetCatalogs":
        return pa.table({"catalog_name": [CATALOG]})
    if command == "CommandGetDbSchemas":
        return pa.table({"catalog_name": [CATALOG], "db_schema_name": [SCHEMA]})
    if command == "CommandGetTableTypes":
        return pa.table({"table_type": [_TABLE_TYPE]})
    if command == "CommandGetSqlInfo":
        return _sql_info()
    return _tables(message, tables)


def _tables(message: bytes, tables: dict[str, Table]) -> pa.Table:
    fields = read_fields(message)
    pattern = fields.get(3, [b"%"])[-1].decode()
    kinds = [kind.decode() for kind in fields.get(4, [])]
    with_schema = any(fields.get(5, [b"\0"])[-1])
    wanted = re.compile(
        "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    )
    names = [name for name in sorted(tables) if wanted.fullmatch(name)]
    if kinds and _TABLE_TYPE not in kinds:
        names = []
    columns = {
        "catalog_name": pa.array([CATALOG] * len(names), pa.string()),
        "db_schema_name": pa.array([SCHEMA] * len(names), pa.string()),
        "table_name": pa.array(names, pa.string()),
        "table_type": pa.array([_TABLE_TYPE] * len(names), pa.string()),
    }
    if with_schema:
        schemas = [plain_schema(tables[name].schema()).serialize().to_pybytes() for name in names]
        columns["table_schema"] = pa.array(schemas, pa.binary())
    return pa.table(columns)


def _sql_info() -> pa.Table:
    texts = [value for value in _SQL_INFO.values() if isinstance(value, str)]
    flags = [value for value in _SQL_INFO.values() if isinstance(value, bool)]
    children = [
        pa.array(texts, pa.string()),
        pa.array(flags, pa.bool_()),
        *(pa.array([], child.type) for child in _INFO_TYPES[2:]),
    ]
    codes = [0] * len(texts) + [1] * len(flags)
    places = [*range(len(texts)), *range(len(flags))]
    values = pa.UnionArray.from_dense(
        pa.array(codes, pa.int8()),
        pa.array(places, pa.int32()),
        children,
        [child.name for child in _INFO_TYPES],
    )
    return pa.table({"info_name": pa.array(list(_SQL_INFO), pa.uint32()), "value": values})
