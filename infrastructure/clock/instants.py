"""Convert instants between int64 nanoseconds UTC, aware datetimes and RFC 3339 text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_S = 1_000_000_000
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})"
)


def utc_from_ns(ns: int) -> datetime:
    """Return the aware UTC datetime of an instant, cut to whole microseconds."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def ns_from_utc(moment: datetime) -> int:
    """Return the nanoseconds since the epoch of an aware datetime.

    Raises:
        ValueError: If the datetime is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"expected an aware datetime, got the naive {moment.isoformat()}")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * _NS_PER_S + delta.microseconds * 1000


def rfc3339(ns: int) -> str:
    """Return the instant as RFC 3339 in UTC, with as many decimals as it needs.

    >>> rfc3339(1_500_000_000)
    '1970-01-01T00:00:01.5Z'
    """
    seconds, fraction = divmod(ns, _NS_PER_S)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{text.rjust(19, '0')}{decimals}Z"


def parse_rfc3339(text: str) -> int:
    """Return the nanoseconds UTC of an RFC 3339 instant with an explicit zone.

    Raises:
        ValueError: If the text is not RFC 3339 or has no zone.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected RFC 3339 such as 2013-02-28T21:00:00Z, got {text!r}")
    day, time_of_day, decimals, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    whole = ns_from_utc(datetime.fromisoformat(f"{day}T{time_of_day}{offset}"))
    return whole + int((decimals or "0").ljust(9, "0"))
