"""Build the Dockerfile for a test, on a stand-in for its base image."""

from __future__ import annotations

import shutil
from pathlib import Path

from infrastructure.simulators.docker_engine import TemporaryDockerEngine
from infrastructure.simulators.python_image import import_python

ROOT = Path(__file__).resolve().parents[3]
TAG = "algo-trader:0.1.0"
LOCK = "requirements_runtime_lock.txt"
COPIED = ("Dockerfile", ".dockerignore", LOCK, "infrastructure", "system")
CONFINED = (
    *("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--network=none", "--init"),
)
"""How the compose file runs it, without its network."""


def build_image(engine: TemporaryDockerEngine, folder: Path, lock: str | None = None) -> None:
    """Build the image under the tag of the compose file.

    Args:
        engine: Where it is built and stays.
        folder: An empty folder for what is sent to the engine.
        lock: Stands for the run-time lock.

    Raises:
        ServiceUnavailable: If a step of the Dockerfile failed.
    """
    import_python(engine)
    folder.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copyfile(ROOT / name, folder / name)
    if lock is not None:
        (folder / LOCK).write_text(lock, encoding="utf-8")
    # pip reaches its index as this machine does; the classic builder wants no plugin.
    engine.environment["DOCKER_BUILDKIT"] = "0"
    engine.docker("build", "--quiet", "--network=host", "--tag", TAG, str(folder), timeout_s=900)
