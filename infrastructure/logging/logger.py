"""Log lines for people (`time | LEVEL | name | message`) and for machines (JSON)."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from infrastructure.clock import rfc3339
from infrastructure.logging.redaction import redact

ROOT = "algo_trader"
_correlation: ContextVar[str | None] = ContextVar("correlation", default=None)
_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "41", "DEBUG": "2"}


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module or part; all hang below one root of ours."""
    return logging.getLogger(name if name.startswith(ROOT) else f"{ROOT}.{name}")


@contextmanager
def correlation(identifier: str | None = None) -> Iterator[str]:
    """Put one id on every log line of the block, and yield it.

    Args:
        identifier: The id; a new random one when None.
    """
    chosen = identifier or uuid.uuid4().hex[:16]
    token = _correlation.set(chosen)
    try:
        yield chosen
    finally:
        _correlation.reset(token)


def configure(
    *, level: str = "INFO", json_lines: bool = False, stream: TextIO | None = None
) -> logging.Handler:
    """Send our log lines to one stream and return the handler that does it.

    Calling it again replaces the earlier handler, and no other one. Other libraries' loggers are
    not touched.

    Args:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
        json_lines: One JSON object a line instead of text.
        stream: Where to write; standard error when None.

    Raises:
        ValueError: If the level is none of those.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"expected DEBUG, INFO, WARNING, ERROR or CRITICAL, got {level!r}")
    target = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(_JsonLines() if json_lines else _HumanLines(colour=target.isatty()))
    root = logging.getLogger(ROOT)
    for old in list(root.handlers):
        if isinstance(old.formatter, _HumanLines | _JsonLines):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    root.propagate = False
    return handler


def _nanoseconds(record: logging.LogRecord) -> int:
    return int(record.created * 1000) * 1_000_000


def _name(record: logging.LogRecord) -> str:
    return record.name.removeprefix(f"{ROOT}.")


class _HumanLines(logging.Formatter):
    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname:<8}"
        code = _COLOURS.get(record.levelname)
        if self._colour and code:
            level = f"\x1b[{code}m{level}\x1b[0m"
        parts = [rfc3339(_nanoseconds(record)), level, _name(record), record.getMessage()]
        identifier = _correlation.get()
        if identifier:
            parts.append(f"[{identifier}]")
        text = " | ".join(parts[:4]) + (f" {parts[4]}" if identifier else "")
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return redact(text)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": rfc3339(_nanoseconds(record)),
            "level": record.levelname,
            "logger": _name(record),
            "message": redact(record.getMessage()),
        }
        identifier = _correlation.get()
        if identifier:
            entry["correlation_id"] = identifier
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)
