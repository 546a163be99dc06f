"""A small file that keeps the simulated accounts between two runs; nothing in it is real."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from infrastructure.clock import SystemClock
from infrastructure.errors import CorruptStore, StoreNewer
from infrastructure.matching.engine_state import EngineState
from infrastructure.simulators.schwab.account import Position, Trade
from infrastructure.supervision.files import make_private_folder, write_private
from infrastructure.supervision.locks import FileLock

FILE_NAME: Final = "accounts-{}.json"
FILE_PATTERN: Final = FILE_NAME.format("*")
VERSION: Final = 1

_LOCK_TIMEOUT_S: Final = 10.0
_Stamp = tuple[int, int, int]


class SavedAccount(msgspec.Struct):
    """One account and its engine."""

    number: str
    cash: Decimal
    positions: dict[str, Position]
    trades: list[Trade]
    engine: EngineState


class SavedRecord(msgspec.Struct):
    """One node of a sent order."""

    order_id: int
    account: str
    body: dict[str, Any]
    entered_ns: int
    children: tuple[int, ...]
    is_top: bool


class SavedDesk(msgspec.Struct):
    """What an order desk knows.

    Attributes:
        market: The replayed market that it traded on.
        now_ns: That market's time when it was kept, nanoseconds UTC.
        activities: The last transaction's number.
    """

    market: str
    now_ns: int
    activities: int
    accounts: list[SavedAccount]
    records: list[SavedRecord]
    is_simulated: bool = True
    version: int = VERSION


class AccountStore:
    """Keep one desk's state, shared by every process that trades on the same replayed market.

    Args:
        folder: Where its file lies, beside those of other markets.
        market: What names the replayed market: its orders make sense on no other.
    """

    def __init__(self, folder: Path, market: str) -> None:
        digest = sha256(market.encode()).hexdigest()[:12]
        self.market = market
        self.path = make_private_folder(folder) / FILE_NAME.format(digest)
        self._stamp: _Stamp | None = None

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Keep every other process away for the length of a block.

        Raises:
            StoreLocked: If another one holds it for long.
        """
        lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        with lock.holding(timeout_s=_LOCK_TIMEOUT_S, clock=SystemClock()):
            yield

    def has_news(self) -> bool:
        """Whether another process has written or removed the file since the last look."""
        return self._present() != self._stamp

    def read(self) -> SavedDesk | None:
        """Return what the file holds, None when there is none.

        Raises:
            CorruptStore: If it is no such file.
            StoreNewer: If a later version wrote it.
        """
        self._stamp = self._present()
        return self.peek()

    def peek(self) -> SavedDesk | None:
        """Return what the file holds without counting it as seen; errors as `read`."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=SavedDesk)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CorruptStore(
                f"{self.path} does not hold simulated accounts: {error}",
                next_step="Run `algo-trader sim reset` to begin with new ones.",
            ) from error
        if found.version > VERSION:
            raise StoreNewer(
                f"{self.path} has version {found.version}, and this program knows {VERSION}",
                next_step="Update this program, or run `algo-trader sim reset`.",
            )
        return found

    def write(self, saved: SavedDesk) -> None:
        """Replace the file in one step."""
        write_private(self.path, msgspec.json.encode(saved).decode())
        self._stamp = self._present()

    def _present(self) -> _Stamp | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def remove_accounts(folder: Path) -> int:
    """Forget the simulated accounts of every market, and return of how many."""
    found = sorted(folder.glob(FILE_PATTERN))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)
