"""The memory in which a level-one frame is noted, shared by the kernels and their callers.

It is one array of int64, so that a kernel is handed a single argument. It begins with the report:
counts by the names below, the places of the other parts, and from ENTRIES_AT on the service,
timestamp, first update and count of updates of each entry. The parts, at the places that the
report tells, are:

- text: The frame and a NUL after it, bytes.
- cells: Two for each cell: its column and kind (8 bits each from the lowest), and its value's bits,
  of a float64 or up to eight letters; of LONG and HARD the place in the text, start in the upper
  and end in the lower 32 bits.
- marks: Four for each update, and once after the last: first cell; and first byte, length and hash
  of the key.
- left: Four for each cell that the merge leaves to Python: slot, column, place and kind.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNUSUAL, READ = 0, 1
"""What a frame was: left to the reference, or read."""

ABSENT, INTEGER, FLOAT, TEXT, TRUE, FALSE, NULL, OTHER, LONG, HARD = range(10)
"""Kinds of cells. TEXT has at most eight bytes, in its value; OTHER is kept outside the arrays;
LONG and HARD are longer texts and numbers, known by their place in the frame."""

ENTRIES, UPDATES, LEFT, TEXT_AT, CELLS_AT, MARKS_AT, LEFT_AT = range(7)
ENTRIES_AT = 8
ENTRY = 4
MOST_ENTRIES = 16
REPORT = ENTRIES_AT + ENTRY * MOST_ENTRIES

NAME = 40
"""Bytes of a key's name: its service, its length, and the key."""
LONGEST_KEY = NAME - 2

SERVICES = (
    ("LEVELONE_EQUITIES", 52),
    ("LEVELONE_OPTIONS", 56),
    ("LEVELONE_FUTURES", 41),
    ("LEVELONE_FUTURES_OPTIONS", 32),
    ("LEVELONE_FOREX", 30),
)
"""The services that are read here, and how many numbered fields each has."""
NUMBERED = 56
WORDS = ("delayed", "assetMainType", "assetSubType", "cusip", "seq")
"""Words beside the numbered fields and `key`; their columns follow the numbered ones."""
WIDTH = NUMBERED + len(WORDS)
