"""Judge that compiled functions keep IEEE arithmetic and need no cache folder."""

import math
from collections.abc import Callable
from typing import Any

from infrastructure.compiling.kernel import kernel


def inverse(x: float) -> float:
    return 1.0 / x


def test_division_by_zero_is_infinity_and_nan_stays_nan() -> None:
    compiled = kernel(inverse)
    assert compiled(4.0) == 0.25
    assert compiled(0.0) == math.inf
    assert math.isnan(compiled(math.nan))


def test_a_function_without_a_file_is_compiled_without_a_cache() -> None:
    made: dict[str, Any] = {}
    exec("def double(x):\n    return 2.0 * x\n", made)
    double: Callable[[float], float] = kernel(made["double"])
    assert double(1.5) == 3.0
