"""Copy an archive to a folder or to object storage, and back."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from infrastructure.errors import CorruptStore, DiskFull, InputError, NetworkError
from infrastructure.logging import redact
from system.algo_trader.storage import sweep
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_files import (
    ArchiveFiles,
    filesystem_of,
    read_bytes,
    shown,
)
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.durable_file import (
    ignore_step,
    make_durable_folder,
    replace_durably,
)
from system.algo_trader.storage.manifest import MANIFEST_FILE, Manifest, counting_parts
from system.algo_trader.storage.parts import damage_of
from system.algo_trader.storage.steps import Faults, no_faults
from system.algo_trader.storage.version import VERSION_FILE, check_version


@dataclass(frozen=True, slots=True)
class Copied:
    """Say what a backup or restore did.

    Attributes:
        place: The other side, without secrets.
        parts: Parts that the copy has.
        copied: Those that were not there before.
        bytes: Their size.
        commits: Commits in the copied log.
    """

    place: str
    parts: int
    copied: int
    bytes: int
    commits: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON output."""
        return {name: getattr(self, name) for name in self.__slots__}


def backup(archive: Archive, target: str | Path) -> Copied:
    """Copy what is new to a folder or URL; the log goes last: a cut-off copy is the old one.

    Writers wait meanwhile. Each part is checked against its sha256 before it goes.

    Args:
        archive: What to copy.
        target: A folder or a URL.

    Raises:
        InputError: If another archive lies there.
        CorruptStore: If a part is damaged; the copy there stays as it was.
        NetworkError: If the storage does not answer.
        DiskFull: If there is no space left there.
    """
    filesystem, base = filesystem_of(target)
    with archive.still():
        log = read_bytes(pafs.LocalFileSystem(), str(archive.root / MANIFEST_FILE)) or b""
        commits = Manifest.commits_in(log, str(archive.root / MANIFEST_FILE))
        log = _whole_lines(log)
        there = read_bytes(filesystem, f"{base}/{MANIFEST_FILE}") or b""
        if not log.startswith(there):
            raise InputError(
                f"{shown(target)} holds another archive, or a later state of this one",
                next_step="Name another place, or empty that one.",
            )
        known = {
            part.path for part in counting_parts(Manifest.commits_in(there, f"{shown(target)}/log"))
        }
        wanted = counting_parts(commits)
        fresh = [part for part in wanted if part.path not in known]
        for part in fresh:
            content = read_bytes(pafs.LocalFileSystem(), str(archive.root / part.path))
            _write(filesystem, f"{base}/{part.path}", _checked(content, part))
        version = read_bytes(pafs.LocalFileSystem(), str(archive.root / VERSION_FILE)) or b"{}"
        _write(filesystem, f"{base}/{VERSION_FILE}", version)
        _write(filesystem, f"{base}/{MANIFEST_FILE}", log)
    size = sum(part.bytes for part in fresh)
    return Copied(shown(target), len(wanted), len(fresh), size, len(commits))


def restore(source: str | Path, root: Path, *, faults: Faults = no_faults) -> Copied:
    """Bring a copied archive back into an empty place, every part checked; the log comes last.

    One that was cut off is completed by the next, which copies only what is not there yet.

    Args:
        source: A folder or a URL that `backup` wrote to.
        root: The archive's folder, with nothing in it but what an earlier restore left.
        faults: Called with the name of each step; `steps` lists them.

    Raises:
        InputError: If an archive is there already.
        StoreLocked: If another process writes there.
        NoDataError: If there is no copy at the source.
        CorruptStore: If a part of it is damaged; no archive appears then.
        StoreNewer: If a newer version wrote it.
        NetworkError: If the storage does not answer.
    """
    _refuse_to_overwrite(root)
    copy = ArchiveFiles.open(source)
    with Archive(root).still():
        _refuse_to_overwrite(root)
        sweep.mark(root)
        faults("restore marked")
        version = read_bytes(copy.filesystem, f"{copy.base}/{VERSION_FILE}") or b"{}"
        replace_durably(root / VERSION_FILE, version, on_step=faults)
        check_version(root)
        fresh = [part for part in copy.parts if damage_of(root, part) is not None]
        for part in fresh:
            content = read_bytes(copy.filesystem, f"{copy.base}/{part.path}")
            make_durable_folder((root / part.path).parent)
            replace_durably(root / part.path, _checked(content, part), on_step=faults)
        log = read_bytes(copy.filesystem, f"{copy.base}/{MANIFEST_FILE}") or b""
        # A backup may have gone on meanwhile: what it added has not been copied.
        lines = log.splitlines(keepends=True)[: len(copy.commits)]
        replace_durably(root / MANIFEST_FILE, b"".join(lines), on_step=faults)
        faults("restored")
        sweep.sweep(root, (part.path for part in copy.parts), faults)
        faults("restore finished")
    size = sum(part.bytes for part in fresh)
    return Copied(copy.place, len(copy.parts), len(fresh), size, len(copy.commits))


def _refuse_to_overwrite(root: Path) -> None:
    if (root / MANIFEST_FILE).exists():
        raise InputError(
            f"there is an archive in {root} already",
            next_step="Move it away first, or name another folder by --home.",
        )


def _checked(content: bytes | None, part: Part) -> bytes:
    if content is None or hashlib.sha256(content).hexdigest() != part.sha256:
        state = "is missing" if content is None else "does not match its checksum"
        raise CorruptStore(
            f"{part.path} {state}", next_step="Run `algo-trader archive verify` for all of them."
        )
    return content


def _whole_lines(log: bytes) -> bytes:
    return log[: log.rfind(b"\n") + 1]


def _write(filesystem: pafs.FileSystem, path: str, content: bytes) -> None:
    """Write a file so that it is whole or absent; an object store does that by itself."""
    local = isinstance(filesystem, pafs.LocalFileSystem)
    if local:
        replace_durably(Path(path), content, on_step=ignore_step)
        return
    try:
        filesystem.create_dir(path.rpartition("/")[0], recursive=True)
        with filesystem.open_output_stream(path, compression=None) as stream:
            stream.write(content)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"there is no space left to write {path}") from error
        raise NetworkError(f"{path} cannot be written: {redact(str(error))}") from error
    except pa.ArrowException as error:
        raise NetworkError(f"{path} cannot be written: {redact(str(error))}") from error
