"""The memory of a board, shared by the kernels and their callers.

It is one array of int64 that begins with a header: how many slots are in use, and the places of
the parts. For S slots of WIDTH columns these are, one after the other:

- values: Value of each cell, float64, S x WIDTH; a TEXT's letters are in its bits.
- names: Each slot's service, its key's length and the key, bytes, S x NAME.
- kinds: Kind of each cell, bytes, S x WIDTH and up to seven to spare.
- table: Slots by their keys' hashes, -1 where none is, int32, a power of two.
"""

from __future__ import annotations

SLOTS, VALUES_AT, NAMES_AT, KINDS_AT, TABLE_AT, TABLE_END = range(6)
HEADER = 8
