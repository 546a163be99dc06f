"""Which parts of an archive count, found by dataset and symbol without looking at the others."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import merge

from system.algo_trader.storage.commit import SEVERAL, Commit, Part

_Numbered = dict[str, tuple[int, Part]]


class PartIndex:
    """Hold the parts that count after some commits; not safe to share between threads by itself."""

    def __init__(self) -> None:
        self._added = 0
        self._all: _Numbered = {}
        self._series: dict[tuple[str, str], _Numbered] = {}

    def count(self, commit: Commit) -> None:
        """Take the next commit."""
        for path in commit.removed:
            gone = self._all.pop(path, None)
            if gone is not None:
                del self._series[gone[1].dataset, gone[1].symbol][path]
        for part in commit.parts:
            known = self._all.get(part.path)
            self._added += 1
            # A path that is named again keeps its place.
            entry = (self._added if known is None else known[0], part)
            self._all[part.path] = entry
            self._series.setdefault((part.dataset, part.symbol), {})[part.path] = entry

    def parts(self) -> list[Part]:
        """Return all parts in the order in which they were added."""
        return [part for _, part in self._all.values()]

    def of(self, dataset: str, symbol: str) -> list[Part]:
        """Return the parts of one symbol and the files that it may share, in the same order."""
        places: Iterable[_Numbered] = (
            self._series.get((dataset, name), {}) for name in (symbol, SEVERAL)
        )
        found = merge(*(place.values() for place in places), key=lambda entry: entry[0])
        return [part for _, part in found]
