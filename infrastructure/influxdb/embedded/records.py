"""The payload of a log record: a JSON head with its length, then the columns of a write."""

from __future__ import annotations

import json
import struct
from typing import Any

from infrastructure.influxdb.embedded.batch import TableBatch, pack

_LENGTH = struct.Struct("<I")


def write_record(database: str, batches: list[TableBatch]) -> bytes:
    """Return the record of a write's accepted rows."""
    packed = [pack(batch) for batch in batches]
    head = {"op": "write", "database": database, "tables": [entry for entry, _ in packed]}
    return encode_record(head, b"".join(data for _, data in packed))


def encode_record(head: dict[str, Any], data: bytes = b"") -> bytes:
    """Return a record."""
    text = json.dumps(head).encode()
    return _LENGTH.pack(len(text)) + text + data


def decode_record(payload: memoryview) -> tuple[dict[str, Any], memoryview]:
    """Return the head and the data of a record."""
    (length,) = _LENGTH.unpack(payload[: _LENGTH.size])
    head: dict[str, Any] = json.loads(bytes(payload[_LENGTH.size : _LENGTH.size + length]))
    return head, payload[_LENGTH.size + length :]
