"""Describe the embedded server to the supervisor."""

from __future__ import annotations

from pathlib import Path

from infrastructure.config import Secret
from infrastructure.influxdb.embedded.identity import PRODUCT
from infrastructure.supervision import ENDPOINT_FILE, Endpoint, ServiceSpec, module_command
from infrastructure.supervision.files import make_private_folder, write_private

NAME = "influxdb"
READY_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 2.0
TOKEN_FILE = "token"


def embedded_influxdb_spec(
    directory: Path, *, port: int = 0, token: Secret | None = None, host: str = "127.0.0.1"
) -> ServiceSpec:
    """Describe the embedded server to the supervisor.

    Args:
        directory: Its folder; the rows lie in `data` below it.
        port: Its port; 0 takes a free one.
        token: What callers have to show; None lets everyone on this machine in.
        host: The address that it listens on.
    """
    arguments = [
        "--data", str(directory / "data"), "--host", host, "--port", str(port),
        "--endpoint-file", ENDPOINT_FILE,
    ]  # fmt: skip
    if token is not None:
        make_private_folder(directory)
        path = directory / TOKEN_FILE
        write_private(path, token.reveal() + "\n")
        arguments += ["--token-file", str(path)]
    argv, env = module_command("infrastructure.influxdb.embedded", *arguments)
    return ServiceSpec(
        name=NAME,
        argv=argv,
        env=env,
        directory=directory,
        probe=answers,
        ready_timeout_s=READY_TIMEOUT_S,
    )


def answers(endpoint: Endpoint) -> bool:
    """Whether the server at an endpoint is our product and carries the same ownership key."""
    import requests

    session = requests.Session()
    session.trust_env = False
    try:
        with session:
            value = session.get(f"{endpoint.url}/ping", timeout=PROBE_TIMEOUT_S).json()
    except (requests.RequestException, ValueError):
        return False
    return (
        isinstance(value, dict)
        and value.get("product_name") == PRODUCT
        and value.get("ownership_key") == endpoint.ownership_key
    )
