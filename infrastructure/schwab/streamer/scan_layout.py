"""The arrays in which a level-one frame is noted, shared by the kernels and their callers.

- text: The frame and a NUL after it, uint8.
- cells: Column and kind (8 bits each from the lowest), and the value's bits, int64, shape
  (cells, 2); for LONG and HARD the place in the text, start in the upper and end in the lower 32
  bits. The same memory as float64 is `bits`.
- marks: First cell, first byte, length and hash of the key, int64, shape (updates + 1, 4).
- report: Counts by the names below, then service, timestamp, first update and the count of updates
  of each entry, from ENTRIES_AT on, int64, shape (REPORT,).
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

ENTRIES, UPDATES, CELLS, LEFT, SLOTS = range(5)
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
