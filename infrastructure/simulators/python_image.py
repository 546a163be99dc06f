"""A stand-in for the image `python:3.11-slim`, made of this Debian machine's own packages.

No registry is asked. It holds this machine's Python 3 under the names that the real image has,
a shell and what makes users, and pip as this machine has it set up, so that a Dockerfile built on
it installs the real wheels.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from infrastructure.errors import MissingService
from infrastructure.simulators.docker_engine import TemporaryDockerEngine, require_program

PYTHON_TAG = "python:3.11-slim"
PACKAGES = ("dash", "coreutils", "passwd", "python3", "python3-pip", "python3-venv", "libstdc++6")
MERGED = ("bin", "sbin", "lib", "lib64")
FOLDERS = ("tmp", "proc", "sys", "dev", "root", "usr/local/bin", "var/tmp")
GENERATED = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache")
"""What no package lists: written by this machine's owner or by a package's script."""
SKIPPED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/i18n/")
ACCOUNTS = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
}


def import_python(engine: TemporaryDockerEngine, tag: str = PYTHON_TAG) -> None:
    """Make the stand-in under a tag.

    Args:
        engine: Where the image goes.
        tag: The real image's name.

    Raises:
        MissingService: If this machine is no Debian or lacks a package of it.
    """
    require_program("dpkg-query", "dpkg", "Run the system tests on Debian.")
    require_program("pip3", "python3-pip")
    engine.import_image(tag, _root(_files(closure(PACKAGES))), _environment())


def closure(wanted: Iterable[str]) -> set[str]:
    """Return the installed packages that the wanted ones need, with them.

    Raises:
        MissingService: If a wanted one is not installed.
    """
    installed = _installed()
    missing = [name for name in wanted if name not in installed]
    if missing:
        raise MissingService(
            f"the Debian packages {', '.join(missing)} are missing",
            next_step=f"Run `apt-get install {' '.join(missing)}`.",
        )
    found, pending = set[str](), list(wanted)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [need for need in installed[name] if need in installed]
    return found


def _installed() -> dict[str, set[str]]:
    """Read for each installed package the names that it depends on, every alternative of them."""
    form = "${Package}\t${db:Status-Status}\t${Pre-Depends}, ${Depends}\n"
    found = {}
    for line in _query("-W", "-f", form).splitlines():
        name, state, needs = line.split("\t")
        if state == "installed":
            words = needs.replace("|", ",").split(",")
            found[name] = {word.split()[0].split(":")[0] for word in words if word.strip()}
    return found


def _files(packages: set[str]) -> list[Path]:
    listed = {line for line in _query("-L", *sorted(packages)).splitlines() if line[:1] == "/"}
    return [Path(name) for name in sorted(listed | set(GENERATED)) if not name.startswith(SKIPPED)]


def _query(*words: str) -> str:
    return subprocess.run(["dpkg-query", *words], check=True, capture_output=True, text=True).stdout


def _root(files: list[Path]) -> bytes:
    buffer = io.BytesIO()
    seen = {*FOLDERS, *MERGED, *ACCOUNTS, "usr/local/bin/python", "usr/local/bin/python3"}
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            tar.addfile(entry)
        for name in MERGED:
            tar.addfile(_link(name, f"usr/{name}"))
        for name, text in ACCOUNTS.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text))
        for name in ("python", "python3"):
            tar.addfile(_link(f"usr/local/bin/{name}", "/usr/bin/python3"))
        for path in files:
            # Older packages still list /bin/bash, which lies in /usr/bin.
            place = os.path.join(os.path.realpath(path.parent), path.name)[1:]
            if place not in seen and os.path.lexists(path):
                seen.add(place)
                tar.add(path, place, recursive=False)
    return buffer.getvalue()


def _link(name: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry


def _environment() -> list[str]:
    path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    return [path, "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt", 'CMD ["python3"]']
