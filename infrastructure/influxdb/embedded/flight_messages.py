"""Read and write the few protobuf messages of Flight SQL that this server speaks.

Source: Apache Arrow, format/FlightSql.proto (field numbers), and protobuf's wire format.
"""

from __future__ import annotations

_PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class MalformedMessage(ValueError):
    """Report bytes that are no protobuf message."""


def unpack_any(data: bytes) -> tuple[str, bytes]:
    """Return the short name of a Flight SQL message in a protobuf Any, and its bytes.

    Raises:
        MalformedMessage: If it is no Any, or of another protocol.
    """
    fields = read_fields(data)
    url = fields.get(1, [b""])[-1].decode(errors="replace")
    if not url.startswith(_PREFIX):
        raise MalformedMessage(f"expected a Flight SQL message, got {url!r}")
    return url.removeprefix(_PREFIX), fields.get(2, [b""])[-1]


def pack_any(name: str, message: bytes) -> bytes:
    """Return a Flight SQL message in a protobuf Any."""
    return bytes_field(1, (_PREFIX + name).encode()) + bytes_field(2, message)


def read_fields(data: bytes) -> dict[int, list[bytes]]:
    """Return the length-delimited fields of a message by number; numbers are kept as bytes.

    Raises:
        MalformedMessage: If the bytes are no message.
    """
    fields: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            number, at = _varint(data, at)
            value = number.to_bytes(8, "little")
        elif wire == _BYTES:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
            value, at = data[at : at + length], at + length
        else:
            raise MalformedMessage(f"wire type {wire} is unknown")
        if at > len(data):
            raise MalformedMessage("the message is cut short")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def bytes_field(number: int, value: bytes) -> bytes:
    """Return one length-delimited field."""
    return _encoded_varint(number << 3 | _BYTES) + _encoded_varint(len(value)) + value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise MalformedMessage("a number is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
        shift += 7


def _encoded_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
