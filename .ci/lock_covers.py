"""Fail when pyproject.toml, requirements.in and the lock do not name the same things."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def normalised(requirement: str) -> str:
    """Return the name that a requirement line starts with, spelled in one way."""
    name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else ""


def listed(file: str) -> set[str]:
    """Read the names of a requirements file."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {normalised(line) for line in lines} - {""}


def main() -> int:
    """Print what differs; 1 if anything does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run_time = {normalised(line) for line in project["dependencies"]}
    locked = listed("requirements_lock.txt")
    found = [
        *(
            f"pyproject.toml and requirements.in differ: {n}"
            for n in run_time ^ listed("requirements.in")
        ),
        *(
            f"requirements_lock.txt has no {n}"
            for n in (run_time | listed("requirements_dev.in")) - locked
        ),
    ]
    for line in sorted(found):
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
