"""Compile a function with numba while keeping its type."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Return the function compiled for one core, without the interpreter's lock.

    The machine code is kept on disk beside the source or in the user's cache. Arithmetic follows
    IEEE 754: nothing is reordered or contracted, which the exactness of the numbers rests on.
    """
    try:
        return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:
        # No folder for the cache can be written: compile anew in every process.
        return cast("F", numba.njit(nogil=True, error_model="numpy")(function))
