"""Read systemd unit files, in which a key may stand several times."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from infrastructure.errors import ConfigError


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One unit.

    Attributes:
        name: Its file's name.
        entries: Section, key and value of each line, in their order.
    """

    name: str
    entries: tuple[tuple[str, str, str], ...]

    def values(self, section: str, key: str) -> list[str]:
        """Return a key's values in their order."""
        return [value for where, name, value in self.entries if (where, name) == (section, key)]

    def value(self, section: str, key: str) -> str:
        """Return the one value of a key.

        Raises:
            ConfigError: If the key stands there never or several times.
        """
        found = self.values(section, key)
        if len(found) != 1:
            raise ConfigError(
                f"{self.name} has {len(found)} lines {key}= in [{section}], not one",
                next_step=f"Write {key}= once.",
            )
        return found[0]

    def commands(self, key: str) -> list[list[str]]:
        """Return the words of each ExecStart= or ExecStop= line."""
        return [shlex.split(value) for value in self.values("Service", key)]


def parse_unit(name: str, text: str) -> UnitFile:
    """Read a unit's text.

    Args:
        name: Its file's name.
        text: Without continued lines, of which these units have none.

    Raises:
        ConfigError: If a line is no comment, section or assignment.
    """
    section, entries = "", []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", ";")):
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
            continue
        key, assigned, value = stripped.partition("=")
        if not assigned or not section or value.endswith("\\"):
            raise ConfigError(
                f"{name}:{number}: `{stripped}` is no line of a unit",
                next_step="Write KEY=VALUE on one line, below a [Section].",
            )
        entries.append((section, key.strip(), value.strip()))
    return UnitFile(name, tuple(entries))


def read_units(folder: Path) -> list[UnitFile]:
    """Read every service of a folder, by name."""
    return [
        parse_unit(path.name, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.service"))
    ]
