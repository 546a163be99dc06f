"""The image is built by a real engine, and runs confined, alone and beside Redis and InfluxDB.

The base image is a stand-in out of this machine's Debian packages. pip installs the locked wheels,
their hashes checked, but for the largest, which no check of health asks: the soak test has all.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infrastructure.simulators.docker_engine import TemporaryDockerEngine
from infrastructure.simulators.grafana.image import (
    INFLUXDB_PACKAGES,
    import_influxdb,
    python_mounts,
)
from infrastructure.simulators.redis_image import MOUNTS, import_redis
from system.algo_trader.deployment.trial_image import CONFINED, LOCK, ROOT, TAG, build_image

LEFT_OUT = (
    *("bokeh-sampledata", "datafusion", "duckdb", "exchange-calendars", "llvmlite", "numba"),
    *("pandas", "pandas-market-calendars", "plotly", "scipy"),
)
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def lock_without(names: tuple[str, ...]) -> str:
    text = (ROOT / LOCK).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    assert all(any(block.startswith(f"{name}==") for block in blocks) for name in names)
    pins = tuple(f"{name}==" for name in names)
    return "".join(block for block in blocks if not block.startswith(pins))


@pytest.fixture(scope="module")
def engine() -> Iterator[TemporaryDockerEngine]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    with TemporaryDockerEngine() as engine:
        build_image(engine, folder / "context", lock_without(LEFT_OUT))
        yield engine
    shutil.rmtree(folder)


def run(engine: TemporaryDockerEngine, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "run", "--rm", *CONFINED, *words],
        env=engine.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_health_answers_on_a_root_that_nobody_can_write(engine: TemporaryDockerEngine) -> None:
    done = run(engine, TAG, "health", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "degraded"


def test_a_user_that_is_not_root_writes_to_the_volume_and_nowhere_else(
    engine: TemporaryDockerEngine,
) -> None:
    script = "id -u; touch /data/here /tmp/here && echo kept; touch /opt/algo-trader/src/x; true"
    done = run(engine, "--entrypoint=/bin/sh", TAG, "-c", script)
    assert done.stdout.split() == ["10001", "kept"]
    assert "Read-only file system" in done.stderr


def test_no_test_and_no_secret_is_in_the_image(engine: TemporaryDockerEngine) -> None:
    script = "cd /opt/algo-trader/src && ls -R && ls -a ."
    listed = run(engine, "--entrypoint=/bin/sh", TAG, "-c", script).stdout
    assert "main.py" in listed
    assert not re.search(r"_test\.py|\.env$|conftest", listed, re.MULTILINE)


def test_its_own_command_beyond_loopback_ends_with_a_sentence(
    engine: TemporaryDockerEngine,
) -> None:
    # Today there is no such verb; once there is, it refuses 0.0.0.0 without API keys.
    done = run(engine, TAG)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")


def test_the_engine_asks_for_health_itself(engine: TemporaryDockerEngine) -> None:
    stated = json.loads(engine.docker("inspect", SERVICES["app"]["image"]))[0]["Config"]
    assert stated["User"] == "10001:10001"
    assert stated["Healthcheck"]["Test"] == ["CMD", "algo-trader", "health", "--json"]
    assert stated["Healthcheck"]["Timeout"] == 10 * 10**9
    assert sorted(stated["ExposedPorts"]) == ["8877/tcp", "8878/tcp"]


def test_beside_its_servers_everything_is_reached_by_name(
    engine: TemporaryDockerEngine, tmp_path: Path
) -> None:
    import_redis(engine, SERVICES["redis"]["image"])
    import_influxdb(engine, SERVICES["influxdb3"]["image"])
    override = tmp_path / "override.yml"
    mounts = {"redis": list(MOUNTS), "influxdb3": python_mounts(INFLUXDB_PACKAGES)}
    override.write_text(
        json.dumps({"services": {name: {"volumes": some} for name, some in mounts.items()}})
    )
    environment = {
        **engine.environment,
        "COMPOSE_FILE": f"{ROOT / 'docker-compose.yml'}:{override}",
        "COMPOSE_PROJECT_NAME": f"at{os.getpid()}",
        # Free ports: an empty one is any.
        "REDIS_PORT": "0",
        "INFLUXDB3_PORT": "0",
    }

    def compose(*words: str) -> str:
        done = subprocess.run(
            ["docker", "compose", *words],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "app" not in compose("config", "--services").split()
    try:
        answered = compose("--profile", "app", "run", "--rm", "-T", "app", "health", "--json")
    finally:
        compose("--profile", "app", "down", "-v", "-t", "1")
    checks = {check["name"]: check for check in json.loads(answered)["checks"]}
    assert (checks["redis"]["state"], checks["influxdb"]["state"]) == ("ok", "ok")
    assert "named" in checks["redis"]["detail"]
    assert "named" in checks["influxdb"]["detail"]
