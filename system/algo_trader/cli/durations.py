"""Lengths of time on the command line: 250ms, 30s, 2m, 6h, 30d."""

from __future__ import annotations

import re

from infrastructure.errors import UsageError

_NS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}


def duration_ns(text: str, option: str, *, may_be_zero: bool = False) -> int:
    """Return a length of time in nanoseconds.

    Args:
        text: Digits and a unit: ns, us, ms, s, m, h or d; "0" where zero is allowed.
        option: Who asks, for the sentence.
        may_be_zero: Whether no time at all is a length.

    Raises:
        UsageError: If it is no such length.
    """
    given = text.strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)", given)
    length = round(float(match[1]) * _NS[match[2]]) if match else 0
    if length > 0 or (may_be_zero and (given == "0" or match is not None)):
        return length
    raise UsageError(f"{option} {text!r} is no length of time", next_step="Write 250ms, 30s or 2m.")
