"""A Docker engine of its own for a test: started in a temporary folder, gone without a trace.

It needs root, and dockerd, which Debian's package docker.io brings. It uses a bridge of its own,
writes no iptables rule, and leaves ip_forward alone, so that a Docker on the same machine is not
touched. Images are made here, since a registry may not be reachable.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from infrastructure.errors import MissingService, ServiceUnavailable

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.1
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
PLUGIN = "docker-compose"
PLUGIN_FOLDERS = (
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
)
GET_ENGINE = (
    "Run the system tests as root on Debian (apt-get install docker.io busybox-static iproute2), or"
    " by `scripts/bazel test --config=system`, which brings its own."
)
GET_COMPOSE = (
    "Install the compose plugin (Debian trixie's or newer docker-compose, Ubuntu's"
    " docker-compose-v2), or use `scripts/bazel test --config=system`, which brings its own."
)


def search_path(environment: Mapping[str, str]) -> str:
    """Return PATH with the folders of system programs, where dockerd lies."""
    return f"{environment.get('PATH', '/usr/bin:/bin')}:{SBIN}"


def require_program(name: str, package: str, advice: str = GET_ENGINE) -> str:
    """Return a program's path; where it is missing, try to install its Debian package.

    Raises:
        MissingService: It is not there and cannot be installed.
    """
    path = search_path(os.environ)
    found = shutil.which(name, path=path)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update"], ["install", "-y", "--no-install-recommends", package]):
            subprocess.run(
                ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *words],
                check=False,
                capture_output=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        found = shutil.which(name, path=path)
    if found is None:
        raise MissingService(f"the program {name} is missing", next_step=advice)
    return found


class TemporaryDockerEngine:
    """Run dockerd for the time of a `with` block.

    Attributes:
        root: Its temporary folder.
        environment: What the docker command and the SDK need to reach it.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise MissingService("a Docker engine needs root", next_step=GET_ENGINE)
        self._dockerd = require_program("dockerd", "docker.io")
        self._docker = require_program("docker", "docker.io")
        self._ip = require_program("ip", "iproute2")
        self.root = Path(tempfile.mkdtemp(prefix="at-dk-"))
        number = secrets.randbelow(200)
        self.bridge = f"atbr{secrets.token_hex(3)}"
        self._address = f"172.31.{number + 16}.1/24"
        self._pool = f"base=10.{200 + number // 8}.0.0/16,size=24"
        self._log = self.root / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "PATH": search_path(os.environ),
            "DOCKER_HOST": f"unix://{self.root}/docker.sock",
            "DOCKER_CONFIG": str(self.root / "config"),
        }

    def __enter__(self) -> TemporaryDockerEngine:
        try:
            self._start()
            self._find_compose()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def docker(self, *words: str, stdin: bytes | None = None, timeout_s: float = 300.0) -> str:
        """Run the docker command and return what it wrote.

        Args:
            *words: Behind `docker`.
            stdin: What it reads.
            timeout_s: How long it may take.

        Raises:
            ServiceUnavailable: It failed.
        """
        done = subprocess.run(
            [self._docker, *words],
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
        if done.returncode != 0:
            raise ServiceUnavailable(
                f"docker {' '.join(words[:2])} failed: {done.stderr.decode(errors='replace')}"
            )
        return done.stdout.decode(errors="replace")

    def import_image(self, tag: str, rootfs: bytes, changes: Sequence[str] = ()) -> None:
        """Make an image out of a tar of its root."""
        words = [word for change in changes for word in ("--change", change)]
        self.docker("import", *words, "-", tag, stdin=rootfs)

    def _start(self) -> None:
        ip = self._ip
        subprocess.run([ip, "link", "add", self.bridge, "type", "bridge"], check=True)
        subprocess.run([ip, "addr", "add", self._address, "dev", self.bridge], check=True)
        subprocess.run([ip, "link", "set", self.bridge, "up"], check=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._dockerd,
                    f"--data-root={self.root}/data",
                    f"--exec-root={self.root}/exec",
                    f"--pidfile={self.root}/docker.pid",
                    f"--host=unix://{self.root}/docker.sock",
                    f"--bridge={self.bridge}",
                    f"--default-address-pool={self._pool}",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-masq=false",
                    "--ip-forward=false",
                    f"--storage-driver={_storage_driver(self.root)}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                self.docker("version")
                return
            except ServiceUnavailable as error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise ServiceUnavailable(
                        f"dockerd did not start: {self._log.read_text(errors='replace')[-2000:]}"
                    ) from error
                time.sleep(POLL_S)

    def _find_compose(self) -> None:
        try:
            self.docker("compose", "version")
            return
        except ServiceUnavailable:
            plugin = next(
                (
                    Path(folder) / PLUGIN
                    for folder in PLUGIN_FOLDERS
                    if (Path(folder) / PLUGIN).is_file()
                ),
                None,
            )
        if plugin is None:
            plugin = _fetch_compose(self.root / "apt")
        folder = self.root / "config" / "cli-plugins"
        folder.mkdir(parents=True)
        (folder / PLUGIN).symlink_to(plugin)
        self.docker("compose", "version")

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._remove_everything()
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for place in sorted(_mounts_below(self.root), reverse=True):
            subprocess.run(["umount", "-l", place], check=False, capture_output=True)
        subprocess.run([self._ip, "link", "del", self.bridge], check=False, capture_output=True)
        left = _mounts_below(self.root)
        if left:
            # Removing a folder with a mount in it would remove what is mounted.
            raise ServiceUnavailable(f"{self.root} still holds the mounts {left}")
        shutil.rmtree(self.root, ignore_errors=True)

    def _remove_everything(self) -> None:
        try:
            containers = self.docker("ps", "-aq").split()
            if containers:
                self.docker("rm", "-f", "-v", *containers)
            self.docker("network", "prune", "-f")
        except ServiceUnavailable as error:
            print(f"the engine could not be emptied: {error.message}")


def rootfs(
    files: Mapping[str, tuple[bytes, int]],
    links: Mapping[str, str],
    folders: Sequence[str],
    owners: Mapping[str, int] | None = None,
) -> bytes:
    """Return a tar of an image's root.

    Args:
        files: Content and mode by path without a leading slash.
        links: Target by path.
        folders: Empty folders.
        owners: The user of each folder that does not belong to root.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            entry.uid = entry.gid = (owners or {}).get(name, 0)
            tar.addfile(entry)
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    places = [line.split(" ")[4] for line in lines]
    return [place for place in places if place.startswith(f"{folder}/")]


def _storage_driver(folder: Path) -> str:
    # An overlay on an overlay (a container's own root) is refused; vfs always works.
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    kinds = {line.split(" ")[1]: line.split(" ")[2] for line in lines}
    nearest = next(str(place) for place in folder.parents if str(place) in kinds)
    return "vfs" if kinds[nearest] in ("overlay", "tmpfs") else "overlay2"


def _debian_mirror() -> str:
    """Return the mirror that this machine's apt takes Debian's own packages from."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    asked = subprocess.run(words, check=False, capture_output=True, text=True)
    mirrors = [line for line in asked.stdout.splitlines() if line.rstrip("/").endswith("/debian")]
    if not mirrors:
        raise MissingService("apt here names no mirror of Debian", next_step=GET_COMPOSE)
    return mirrors[0]


def _fetch_compose(folder: Path) -> Path:
    """Take the compose plugin out of Debian trixie's package, without installing it."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise MissingService("the compose plugin of Docker is missing", next_step=GET_COMPOSE)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    for part in ("state/lists/partial", "cache/archives/partial", "deb"):
        (folder / part).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={keys}] {_debian_mirror()} trixie main\n")
    options = [
        f"-oDir::State={folder}/state",
        f"-oDir::State::Lists={folder}/state/lists",
        f"-oDir::Cache={folder}/cache",
        f"-oDir::Etc::SourceList={sources}",
        "-oDir::Etc::SourceParts=/dev/null",
        "-oAPT::Sandbox::User=root",
    ]
    for words in (["update"], ["download", PLUGIN]):
        subprocess.run(
            ["apt-get", "-q", *options, *words],
            cwd=folder / "deb",
            check=False,
            capture_output=True,
        )
    packages = list((folder / "deb").glob("*.deb"))
    if not packages:
        raise MissingService("the compose plugin of Docker is missing", next_step=GET_COMPOSE)
    subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(folder / "out")], check=True)
    return folder / "out" / "usr/libexec/docker/cli-plugins" / PLUGIN
