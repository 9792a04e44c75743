"""Memory for the columns that kernels write."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stratum_dask import _native

#: Arrays of fewer bytes are NumPy's own, which keeps small memory for its next arrays itself.
_BIG = 1 << 18


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array as ``np.empty`` does, in memory that was used before where there is some.

    Fresh memory costs as much as the arithmetic that fills it. What kernels write therefore lies
    in buffers that are kept for the next array when nobody refers to them any longer (in a process
    up to a thirty-second of the memory that there is, at least 128 MiB and at most 1 GiB).

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype
        Of numbers, bools or times.

    Returns
    -------
    ndarray
        In C order, writeable and not initialised. It does not own its memory, as a column of a
        frame does not.

    Raises
    ------
    MemoryError
        As NumPy raises it.

    Examples
    --------
    >>> empty((2, 100_000), "float64").shape
    (2, 100000)
    """
    dtype = np.dtype(dtype)
    size = dtype.itemsize * (shape if isinstance(shape, int) else math.prod(shape))
    if size < _BIG:
        return np.empty(shape, dtype)
    try:
        memory = memoryview(_native.Memory(size))
    except (MemoryError, OverflowError):
        return np.empty(shape, dtype)  # NumPy's error says more
    return np.frombuffer(memory, dtype).reshape(shape)
