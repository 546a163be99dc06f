"""The state of every key that a source has told of: what a full frame is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class KeyState:
    """What is known of one key of one service.

    Attributes:
        values: By field number.
        extras: What stands beside the fields in a full frame: delayed, assetMainType and so on.
    """

    values: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)


class Board:
    """Keep the newest values by service and key."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], KeyState] = {}

    def state(self, service: str, key: str) -> KeyState | None:
        """Return what is known of a key, None when no source has told of it."""
        return self._states.get((service, key))

    def merge(
        self,
        service: str,
        key: str,
        changes: Mapping[str, Any],
        extras: Mapping[str, Any] | None = None,
    ) -> KeyState:
        """Take changed values in and return the state."""
        state = self._states.get((service, key))
        if state is None:
            state = self._states[service, key] = KeyState()
        state.values.update(changes)
        if extras:
            state.extras.update(extras)
        return state

    def as_json(self, service: str | None = None, key: str | None = None) -> dict[str, Any]:
        """Return values by service and key, for the admin endpoint."""
        found: dict[str, Any] = {}
        for (of_service, of_key), state in self._states.items():
            if service in (None, of_service) and key in (None, of_key):
                found.setdefault(of_service, {})[of_key] = dict(state.values)
        return found
