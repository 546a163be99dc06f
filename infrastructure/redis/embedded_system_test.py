"""The embedded Redis on a disk that is full: a sentence, no loss, and on it goes."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.errors import DiskFull
from infrastructure.redis.embedded import embedded_redis_spec, url_with_password
from infrastructure.supervision import Supervisor


@pytest.fixture
def small_disk() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.fail("this test mounts a small disk: run it as root")
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def fill(disk: Path) -> Path:
    """Take all the space that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 65536
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    return ballast


def write_for(client: BaseRedisClient, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.set("during", "x" * 1000)


def write_when_possible(client: BaseRedisClient, key: str, value: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            client.set(key, value)
        except DiskFull:
            assert time.monotonic() < deadline
        else:
            return


def test_a_full_disk_refuses_writes_in_a_sentence_and_loses_nothing(small_disk: Path) -> None:
    supervisor = Supervisor(small_disk)
    spec = embedded_redis_spec(small_disk / "redis")
    with (
        supervisor.ensure(spec) as handle,
        BaseRedisClient(url_with_password(handle.endpoint), "ns") as client,
    ):
        client.set("before", "kept")
        ballast = fill(small_disk)
        with pytest.raises(DiskFull, match="cannot write its data to disk"):
            write_for(client, seconds=20)
        assert client.get("before") == "kept"
        ballast.unlink()
        write_when_possible(client, "after", "kept too", seconds=20)
    with (
        supervisor.ensure(spec) as handle,
        BaseRedisClient(url_with_password(handle.endpoint), "ns") as client,
    ):
        assert handle.started_here
        assert client.get("before") == "kept"
        assert client.get("after") == "kept too"


def test_a_start_on_a_full_disk_says_so(small_disk: Path) -> None:
    supervisor = Supervisor(small_disk)
    ballast = fill(small_disk)
    with pytest.raises(DiskFull):
        supervisor.ensure(embedded_redis_spec(small_disk / "redis"))
    ballast.unlink()
    with supervisor.ensure(embedded_redis_spec(small_disk / "redis")) as handle:
        assert handle.started_here
