"""One logger for every process: human or JSON lines, a correlation id, no secret."""

from infrastructure.logging.logger import configure, correlation, get_logger
from infrastructure.logging.redaction import redact, register_secret

__all__ = ["configure", "correlation", "get_logger", "redact", "register_secret"]
