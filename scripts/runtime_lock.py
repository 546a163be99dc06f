"""Write or check the run-time lock: what requirements_lock.txt pins without the tests' tools.

python scripts/runtime_lock.py --write
python scripts/runtime_lock.py --check

The lock says of each pin what wants it (`# via`). Those that the run-time list wants, directly or
through others, are taken over as they stand: one resolution serves tests and deployments.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements_lock.txt"
RUNTIME_LOCK = "requirements_runtime_lock.txt"
RUNTIME_LIST = "-r requirements.in"
HEADER = f"# Written by scripts/runtime_lock.py from {LOCK}: run it with --write after that.\n"
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==")


class LockError(Exception):
    """The lock is not what `uv pip compile` writes; the message says where."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned distribution.

    Attributes:
        name: As the lock spells it.
        text: Its lines up to the comment: version, marker and hashes.
        wanted_by: Names of other pins, and `-r FILE` for a list that names it.
    """

    name: str
    text: str
    wanted_by: tuple[str, ...]

    def render(self, kept: frozenset[str]) -> str:
        """Write the pin with those of its reasons that are kept themselves."""
        reasons = [each for each in self.wanted_by if each in kept or each == RUNTIME_LIST]
        if len(reasons) == 1:
            return f"{self.text}    # via {reasons[0]}\n"
        return f"{self.text}    # via\n" + "".join(f"    #   {each}\n" for each in reasons)


def parse_lock(text: str) -> list[Pin]:
    """Read the pins of a lock, in its order.

    Raises:
        LockError: If a line belongs to no pin, or a pin does not say what wants it.
    """
    pins: list[Pin] = []
    lines: list[str] = []
    reasons: list[str] = []

    def close() -> None:
        if lines:
            match = _PIN.match(lines[0])
            if match is None or not reasons:
                raise LockError(f"{LOCK}: `{lines[0].strip()}` is no pin with its reasons")
            pins.append(Pin(match[1], "".join(lines), tuple(reasons)))

    for line in text.splitlines(keepends=True):
        if line.startswith("    #"):
            reasons += [word for word in [re.sub(r"^\s*#\s*(via\b\s*)?", "", line).strip()] if word]
        elif line.startswith("    ") and lines:
            lines.append(line)
        elif not line.startswith("#") and line.strip():
            close()
            lines, reasons = [line], []
    close()
    return pins


def runtime_pins(pins: list[Pin]) -> list[Pin]:
    """Return the pins that the run-time list wants, directly or through others."""
    wanted_by = {pin.name: pin.wanted_by for pin in pins}
    kept = {name for name, reasons in wanted_by.items() if RUNTIME_LIST in reasons}
    grown = True
    while grown:
        more = {name for name, reasons in wanted_by.items() if kept & set(reasons)} - kept
        kept |= more
        grown = bool(more)
    return [pin for pin in pins if pin.name in kept]


def runtime_lock(lock: str) -> str:
    """Return the text of the run-time lock for the text of the whole one."""
    pins = runtime_pins(parse_lock(lock))
    kept = frozenset(pin.name for pin in pins)
    return HEADER + "".join(pin.render(kept) for pin in pins)


def main(arguments: list[str] | None = None) -> int:
    """Write or check.

    Returns:
        0 when all is well, 1 when the check found a difference, 2 when the lock cannot be read.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write the file")
    action.add_argument("--check", action="store_true", help="change nothing, say if it differs")
    parser.add_argument("--root", type=Path, default=ROOT, help="the workspace")
    chosen = parser.parse_args(arguments)
    place = chosen.root / RUNTIME_LOCK
    try:
        wanted = runtime_lock((chosen.root / LOCK).read_text(encoding="utf-8"))
    except LockError as error:
        print(f"runtime_lock: {error}", file=sys.stderr)
        return 2
    if chosen.write:
        place.write_text(wanted, encoding="utf-8")
        return 0
    if not place.is_file() or place.read_text(encoding="utf-8") != wanted:
        print(
            f"runtime_lock: {RUNTIME_LOCK} is not what {LOCK} says;"
            " run scripts/runtime_lock.py --write",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
