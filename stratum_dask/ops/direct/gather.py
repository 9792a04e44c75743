"""Rows picked by position: of arrays, columns and whole frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from stratum_dask import _native
from stratum_dask.ops.direct.keys import chunks, text_of
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.steps import Unsupported


def pick_numbers(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the values at some positions; NaN or -1 where a position is negative.

    Examples
    --------
    >>> pick_numbers(np.array([0.5, 1.5]), np.array([1, -1, 0])).tolist()
    [1.5, nan, 0.5]
    """
    out = np.empty(len(positions), values.dtype)
    _native.gather(positions, values, out)
    return out


def pick_text(values: Any, positions: np.ndarray) -> Any:
    """Return the strings at some positions, missing ones where a position is negative.

    Examples
    --------
    >>> words = pd.array(["a", "b"], dtype="str")
    >>> pick_text(words, np.array([1, -1, 0])).tolist()
    ['b', nan, 'a']
    """
    parts, rows = chunks(text_of(values)), len(positions)
    ends, validity = np.empty(rows + 1, np.int64), np.empty((rows + 7) // 8, np.uint8)
    missing, _ = _native.measure_text(parts, positions, ends, validity)
    text = np.empty(ends[-1], np.uint8)
    _native.copy_text(parts, positions, text)
    buffers = [pa.py_buffer(validity) if missing else None, pa.py_buffer(ends), pa.py_buffer(text)]
    array = pa.LargeStringArray.from_buffers(rows, buffers[1], buffers[2], buffers[0], missing)
    return type(values)(pa.chunked_array([array]), dtype=values.dtype)


def take(frame: pd.DataFrame, positions: np.ndarray, read: frozenset[str] | None) -> pd.DataFrame:
    """Return some rows of a frame, as ``frame.take(positions)`` does.

    Parameters
    ----------
    frame : DataFrame
    positions : ndarray of int64
        From 0 to the length of the frame.
    read : set of str or None
        The columns of the result that anybody will read; the others are there, with any values,
        and the frame is laid out as if all were. None for all.

    Examples
    --------
    >>> take(pd.DataFrame({"a": [1, 2, 3]}), np.array([2, 0]), None)["a"].tolist()
    [3, 1]
    """
    labels = frame.columns

    def pick(block: Any, columns: np.ndarray) -> Any:
        values = block.values
        wanted = [read is None or labels[column] in read for column in columns]
        if not isinstance(values, np.ndarray):
            try:
                text_of(values)
            except Unsupported:
                return _as_pandas(block, positions)
            if wanted[0] or len(positions) > len(values):
                return pick_text(values, positions)
            return values[: len(positions)]
        if values.dtype not in CODES or not values.flags.c_contiguous:
            return _as_pandas(block, positions)
        out = np.empty((len(values), len(positions)), values.dtype)
        for row, needed in enumerate(wanted):
            if needed:
                _native.gather(positions, values[row], out[row])
        return out

    return blocks.map_blocks(frame, frame.index.take(positions), pick)


def _as_pandas(block: Any, positions: np.ndarray) -> Any:
    return block.take_nd(positions, axis=1, fill_value=block.fill_value).values
