"""Read a long series window by window, so that a page costs what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from system.algo_trader.api.operations.answer import Page
from system.algo_trader.api.operations.parameters import Position

Read = Callable[[int, int], pa.Table]
Span = tuple[int, int]
_END: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Series:
    """Describe rows by rising time that are read in windows.

    Attributes:
        read: Returns the rows from one instant to before another, ns UTC.
        spans: First and last instant of each stored part.
        step_ns: The span of a window.
        time: The column of instants, int64 ns.
        empty: Rows without rows.
        first_ns: The span of a page's first window, from which on each is twice as long as the
            one before, up to `step_ns`: a page of few rows reads little. None for `step_ns`.
    """

    read: Read
    spans: Sequence[Span]
    step_ns: int
    time: str
    empty: pa.Table
    first_ns: int | None = None

    def windows(
        self, start_ns: int | None, end_ns: int | None, first_ns: int | None = None
    ) -> Iterator[pa.Table]:
        """Yield rows by rising time; stretches of which nothing is stored are passed over.

        Args:
            start_ns: The first instant, nanoseconds UTC; None for the beginning.
            end_ns: The instant before which rows lie; None for the end.
            first_ns: The span of the first window; `step_ns` when None.
        """
        for rows, _ in self._windows(start_ns, end_ns, first_ns):
            if rows.num_rows:
                yield rows

    def _windows(
        self, start_ns: int | None, end_ns: int | None, first_ns: int | None
    ) -> Iterator[tuple[pa.Table, int | None]]:
        """Yield the rows of each window, and where the next one begins, None after the last."""
        spans = sorted(self.spans)
        step_ns = self.step_ns if first_ns is None else min(first_ns, self.step_ns)
        if not spans:
            return
        position = spans[0][0] if start_ns is None else start_ns
        last = max(end for _, end in spans) + 1
        last = last if end_ns is None else min(last, end_ns)
        while position < last:
            nearest = min((first for first, end in spans if end >= position), default=_END)
            position = max(position, nearest)
            stop = min(position + step_ns, last)
            if stop <= position:
                return
            yield self.read(position, stop), stop if stop < last else None
            position, step_ns = stop, min(2 * step_ns, self.step_ns)

    def page(self, page: Page) -> tuple[pa.Table, Position | None]:
        """Return the rows of a page, and where the next one begins.

        A full page that ends with its window names the window's end, without a look at whether a
        row lies behind it: the last of all pages may be empty.
        """
        if page.start_ns is None:
            return self._last_rows(page), None
        end = page.skip + page.limit
        found: list[pa.Table] = []
        count, following = 0, None
        for rows, behind in self._windows(page.start_ns, page.end_ns, self.first_ns):
            found.append(rows)
            count += rows.num_rows
            if count >= end:
                following = behind
                break
        rows = pa.concat_tables([self.empty, *found]).combine_chunks()
        kept = rows.slice(page.skip, page.limit)
        if count > end:
            times = rows.column(self.time).to_numpy()
            at_ns = int(times[end])
            return kept, Position(at_ns, end - int(np.searchsorted(times[:end], at_ns)))
        return kept, None if following is None else Position(following)

    def _last_rows(self, page: Page) -> pa.Table:
        """Return the last rows before the page's end, by rising time."""
        found: list[pa.Table] = []
        count = 0
        end_ns = _END if page.end_ns is None else page.end_ns
        step_ns = min(self.first_ns or self.step_ns, self.step_ns)
        while count < page.limit:
            earlier = [(first, min(last, end_ns - 1)) for first, last in self.spans
                       if first < end_ns]  # fmt: skip
            if not earlier:
                break
            stop = max(last for _, last in earlier) + 1
            start = max(0, stop - step_ns)
            rows = self.read(start, stop)
            found.insert(0, rows)
            count += rows.num_rows
            end_ns, step_ns = start, min(2 * step_ns, self.step_ns)
        rows = pa.concat_tables([self.empty, *found]).combine_chunks()
        return rows.slice(max(0, rows.num_rows - page.limit))
