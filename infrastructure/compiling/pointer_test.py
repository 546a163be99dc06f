"""Judge that compiled functions reach an array's memory through its pointer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from infrastructure.compiling.pointer import pointer


@kernel
def _doubled(values: npt.NDArray[np.int64], at: int) -> int:
    values[at] = 2 * values[at]
    return int(values[at])


@kernel
def doubled(values: npt.NDArray[np.int64], at: int) -> int:
    """Double one value in place, by the array's pointer."""
    return _doubled(pointer(values), at)


def test_a_pointer_reads_and_writes_the_array_itself() -> None:
    values = np.array([[1, 2], [3, 4]])
    assert doubled(values, 2) == 6
    assert values.tolist() == [[1, 2], [6, 4]]
