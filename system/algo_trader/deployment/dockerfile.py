"""Read a Dockerfile into its stages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from infrastructure.errors import ConfigError


@dataclass(slots=True)
class Stage:
    """One FROM and what follows it.

    Attributes:
        image: What it builds on.
        instructions: Name in capitals and the rest of the line, in their order.
    """

    image: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return the rest of each line of an instruction."""
        return [rest for found, rest in self.instructions if found == name]

    def last(self, name: str) -> str:
        """Return the one that holds: a later line replaces an earlier one.

        Raises:
            ConfigError: If the stage has none.
        """
        found = self.all(name)
        if not found:
            raise ConfigError(f"the stage on {self.image} has no {name}", next_step="Add one.")
        return found[-1]

    def words(self, name: str) -> list[str]:
        """Return the words of ENTRYPOINT, CMD or HEALTHCHECK CMD in their JSON form.

        Raises:
            ConfigError: If there is none, or it would go through a shell.
        """
        match = re.search(r"\[.*\]$", self.last(name))
        if match is None:
            raise ConfigError(
                f"{name} has no words in JSON's form, so that a shell would stand before them",
                next_step=f'Write {name} ["program", "word"].',
            )
        return list(map(str, json.loads(match[0])))


def parse_dockerfile(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile.

    Raises:
        ConfigError: If something stands before the first FROM.
    """
    stages: list[Stage] = []
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if not name:
            continue
        if name.upper() == "FROM":
            stages.append(Stage(rest.split()[0]))
        elif stages:
            stages[-1].instructions.append((name.upper(), " ".join(rest.split())))
        else:
            raise ConfigError(f"{name} stands before the first FROM", next_step="Begin with FROM.")
    return stages
