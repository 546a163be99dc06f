"""Processes that we start: one of each, found again, watched, and ended by the last who uses it."""

from infrastructure.supervision.announcement import announce, announce_failure
from infrastructure.supervision.backoff import Backoff
from infrastructure.supervision.endpoint import Endpoint
from infrastructure.supervision.signals import exit_on_signals
from infrastructure.supervision.spec import ENDPOINT_FILE, ServiceSpec, module_command
from infrastructure.supervision.supervisor import Handle, ServiceStatus, Supervisor

__all__ = [
    "ENDPOINT_FILE",
    "Backoff",
    "Endpoint",
    "Handle",
    "ServiceSpec",
    "ServiceStatus",
    "Supervisor",
    "announce",
    "announce_failure",
    "exit_on_signals",
    "module_command",
]
