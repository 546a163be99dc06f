"""Hand an array's memory from one compiled function to another without counting references."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

A = TypeVar("A", bound=npt.NDArray[np.generic])


def _pointer(typing_context: Any, array: Any) -> Any:
    """Type and write the cast from an array to the address of its first value."""
    result = types.CPointer(array.dtype)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.bitcast(made.data, context.get_value_type(signature.return_type))

    return result(array), generate


pointer = cast("Callable[[A], A]", intrinsic(_pointer))
"""Return where a C-contiguous array's values begin; only for compiled functions.

A loop that passes an array to a small function counts references at each call, which costs more
than the function does. What is returned is indexed from 0 as a flat array: no index is checked or
counted from the end. The array must outlive it.
"""
