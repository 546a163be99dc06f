"""One setting's declaration, and the values of all of them with their origins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infrastructure.config.secret import MASK, Secret


@dataclass(frozen=True, slots=True)
class Setting:
    """Declare one setting.

    Attributes:
        name: Its name in code, in TOML (dots make tables) and on the command line.
        variable: Its environment variable.
        description: One sentence for people.
        default: The value when nothing sets it; None means "not set".
        parse: Turns text into the value; raises ValueError with what was expected.
        secret: Whether the value is wrapped in `Secret` and masked everywhere.
        old_variables: Former names that still work with one deprecation line.
    """

    name: str
    variable: str
    description: str
    default: Any = None
    parse: Callable[[str], Any] = str
    secret: bool = False
    old_variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Say where a value came from.

    Attributes:
        kind: "default", "toml", "env file", "environment" or "flag".
        place: The file, variable or flag; empty for a default.
    """

    kind: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.place}".rstrip()


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold the settled values.

    Attributes:
        declared: The declarations in their order.
        values: One value a name.
        origins: One origin a name.
        deprecations: One line for each old name in use.
    """

    declared: tuple[Setting, ...]
    values: Mapping[str, Any]
    origins: Mapping[str, Origin]
    deprecations: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def shown(self, name: str) -> str:
        """Return a value for people: secrets masked, "(not set)" when there is none."""
        value = self.values[name]
        if value is None:
            return "(not set)"
        return MASK if isinstance(value, Secret) else str(value)
