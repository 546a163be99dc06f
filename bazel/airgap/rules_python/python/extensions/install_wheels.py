"""Install a hashed lock once and lay it out one folder a distribution, each with its requirements.

The result lies in CACHE/<hash of lock, interpreter and layout>/<distribution>/ and is never changed
afterwards, so that `bazel clean --expunge` installs nothing again and two workspaces share it.
Prints JSON: {"distributions": {name: {"path": ..., "requires": [name, ...]}}}.
"""

import argparse
import compileall
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from email.parser import HeaderParser
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

LAYOUT = "2"


def normalised(name: str) -> str:
    """Return a distribution's name as rules_python's hub spells it."""
    return re.sub(r"[-_.]+", "_", name).lower()


def cache_key(lock: Path) -> str:
    """Name the installation by everything that decides what is in it."""
    digest = hashlib.sha256(lock.read_bytes())
    for part in (LAYOUT, sys.version, sysconfig.get_platform()):
        digest.update(part.encode())
    return f"cp{sys.version_info[0]}{sys.version_info[1]}-{digest.hexdigest()[:20]}"


def install(lock: Path, target: Path) -> None:
    """Let pip install the lock, hashes checked, into one folder."""
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"),
        *("--no-compile", "--no-warn-conflicts", "--disable-pip-version-check"),
        *("--root-user-action=ignore", "--progress-bar=off", "--target", str(target)),
        *("--requirement", str(lock)),
    ]
    subprocess.run(command, check=True, stdout=sys.stderr)


def split(target: Path, layout: Path) -> dict[str, list[str]]:
    """Move each distribution's recorded files into a folder of its own.

    Returns:
        For each normalised name its METADATA's requirement lines.
    """
    found: dict[str, list[str]] = {}
    for info in sorted(target.glob("*.dist-info")):
        headers = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
        name = normalised(headers["Name"])
        for line in (info / "RECORD").read_text(encoding="utf-8").splitlines():
            recorded = line.rsplit(",", 2)[0].strip('"')
            # pip records console scripts relative to a site-packages that --target does not have
            relative = re.sub(r"^(\.\./)+", "", recorded)
            source, destination = target / relative, layout / name / relative
            if source.is_file():
                destination.parent.mkdir(parents=True, exist_ok=True)
                source.rename(destination)
        found[name] = list(headers.get_all("Requires-Dist") or [])
    return found


def extras_of(lock: Path) -> dict[str, set[str]]:
    """Read which extras the lock asks for: `redis[hiredis]==8.1.0` gives {"redis": {"hiredis"}}."""
    extras: dict[str, set[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)\[([^\]]+)\]==", line)
        if match:
            extras[normalised(match[1])] = {part.strip() for part in match[2].split(",")}
    return extras


def requirements(
    name: str, lines: list[str], extras: dict[str, set[str]], installed: set[str]
) -> list[str]:
    """Say which installed distributions this one needs on this interpreter."""
    wanted = set()
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        environments = [{"extra": extra} for extra in ("", *sorted(extras.get(name, ())))]
        if marker is None or any(marker.evaluate(one) for one in environments):
            wanted.add(normalised(requirement.name))
    return sorted((wanted & installed) - {name})


def build(lock: Path, final: Path) -> None:
    """Make the whole installation beside its place and rename it when it is complete."""
    partial = final.with_name(final.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "all").mkdir(parents=True)
    install(lock, partial / "all")
    found = split(partial / "all", partial)
    shutil.rmtree(partial / "all")
    extras, names = extras_of(lock), set(found)
    index = {
        name: {
            "path": str(final / name),
            "requires": requirements(name, lines, extras, names),
        }
        for name, lines in found.items()
    }
    # The folders are read-only to sandboxed tests, which would otherwise compile pandas each time.
    compileall.compile_dir(
        partial,
        quiet=2,
        rx=re.compile(r"/tests?/"),
        workers=os.cpu_count() or 1,
        stripdir=str(partial),
        prependdir=str(final),
    )
    (partial / "index.json").write_text(json.dumps({"distributions": index}, indent=1))
    partial.rename(final)


def main() -> int:
    """Install what is not installed yet and print the index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    final = arguments.cache / cache_key(arguments.lock)
    with (arguments.cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (final / "index.json").is_file():
            shutil.rmtree(final, ignore_errors=True)
            print("installing the locked wheels (about a minute, once a lock)", file=sys.stderr)
            try:
                build(arguments.lock, final)
            except subprocess.CalledProcessError as error:
                print(f"pip ended with code {error.returncode}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                return 130
    print((final / "index.json").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
