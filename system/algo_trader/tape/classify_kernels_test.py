import importlib
from typing import Any

import numba
import numpy as np
import pytest

from system.algo_trader.tape import classify_kernels


def test_kernels_run_where_no_folder_can_keep_compiled_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compile_it: Any = numba.njit
    refused = []

    def without_a_cache(*functions: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            refused.append(cache)
            raise RuntimeError("cannot cache function: no locator available")
        return compile_it(*functions, **options)

    with monkeypatch.context() as patch:
        patch.setattr(numba, "njit", without_a_cache)
        fresh = importlib.reload(classify_kernels)
    price = np.array([1, 2], dtype=np.int64)
    side, confidence = np.zeros(2, dtype=np.int8), np.zeros(2, dtype=np.uint8)
    fresh.classify_kernel(1, price, price, price, np.empty(0, dtype=np.bool_), side, confidence)
    assert side.tolist() == [0, 1]
    assert refused
    importlib.reload(classify_kernels)
