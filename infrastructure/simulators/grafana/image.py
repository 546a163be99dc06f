"""Make the stand-in into an image that carries the real image's tag, without any registry.

The image holds next to nothing: an override of the compose file mounts this machine's /usr, the
running Python and the few packages that the stand-in imports, all read-only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from glob import glob
from importlib.util import find_spec
from pathlib import Path

from infrastructure.simulators.docker_engine import (
    TemporaryDockerEngine,
    require_program,
    rootfs,
)

SITE = "/opt/site"
PATH_CHANGE = "ENV PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
FOLDERS = ("usr", "etc", "tmp", "opt", "opt/bin", "opt/site", "var", "var/lib", "var/lib/grafana")
PASSWD = b"root:x:0:0:root:/:/bin/sh\ngrafana:x:472:0::/tmp:/bin/sh\n"
PACKAGES = ("pyarrow", "yaml", "infrastructure")
INFLUXDB_PACKAGES = ("datafusion", "infrastructure", "numpy", "pyarrow", "typing_extensions")
# Newer Pythons need no such wheel.
OPTIONAL = frozenset({"typing_extensions"})
CURL = b'#!/bin/sh\nfor word in "$@"; do url=$word; done\nexec wget -q -O - "$url"\n'


def run_script(module: str, arguments: Sequence[str] = ()) -> bytes:
    """Return a shell script that runs a module of ours in the container."""
    python = os.path.realpath(sys.executable)
    words = " ".join([python, "-P", "-B", "-m", module, *arguments])
    return f'#!/bin/sh\nexport PYTHONPATH={SITE}\nexec {words} "$@"\n'.encode()


def import_stand_in(engine: TemporaryDockerEngine, tag: str) -> None:
    """Make the image of the stand-in Grafana under the tag of the compose file."""
    _import(engine, tag, {"run.sh": run_script("infrastructure.simulators.grafana")}, [])


def import_influxdb(engine: TemporaryDockerEngine, tag: str) -> None:
    """Make an image of our embedded server under InfluxDB's tag, with `influxdb3` and curl."""
    scripts = {
        "opt/bin/influxdb3": run_script("infrastructure.simulators.influxdb3"),
        "opt/bin/curl": CURL,
    }
    _import(engine, tag, scripts, ["var/lib/influxdb3"])


def _import(
    engine: TemporaryDockerEngine, tag: str, scripts: Mapping[str, bytes], folders: Sequence[str]
) -> None:
    busybox = Path(require_program("busybox", "busybox-static")).read_bytes()
    files = {
        **{name: (text, 0o755) for name, text in scripts.items()},
        "etc/passwd": (PASSWD, 0o644),
        "opt/bin/busybox": (busybox, 0o755),
    }
    tar = rootfs(files, {**LINKS, "opt/bin/wget": "busybox"}, [*FOLDERS, *folders])
    engine.import_image(tag, tar, [PATH_CHANGE])


def python_mounts(packages: Iterable[str] = PACKAGES) -> list[str]:
    """Return the volumes that bring this Python and the named packages into a container."""
    prefix = os.path.realpath(sys.base_prefix)
    mounts = ["/usr:/usr:ro", "/etc/ld.so.cache:/etc/ld.so.cache:ro"]
    if not prefix.startswith("/usr"):
        mounts.append(f"{prefix}:{prefix}:ro")
    for name in packages:
        spec = find_spec(name)
        if spec is None and name in OPTIONAL:
            continue
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"the stand-in needs the package {name}")
        if spec.submodule_search_locations is None:
            mounts.append(f"{os.path.realpath(spec.origin)}:{SITE}/{name}.py:ro")
            continue
        folder = os.path.dirname(os.path.realpath(spec.origin))
        mounts.append(f"{folder}:{SITE}/{name}:ro")
        # Libraries that lie beside a package, and what it asks its own version of.
        beside = glob(f"{folder}.libs") + glob(f"{folder}-*.dist-info")
        mounts += [f"{place}:{SITE}/{os.path.basename(place)}:ro" for place in beside]
    return mounts


def write_override(path: Path, services: Mapping[str, Iterable[str]]) -> None:
    """Write the compose override that mounts Python and the named packages into containers."""
    override = {
        "services": {
            name: {"volumes": python_mounts(packages)} for name, packages in services.items()
        }
    }
    path.write_text(json.dumps(override), encoding="utf-8")
