"""Rows picked by position: of arrays, columns and whole frames."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask import _native
from stratum_dask.ops.direct import arrow
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.memory import empty


def pick_numbers(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the values at some positions; NaN or -1 where a position is negative.

    Examples
    --------
    >>> pick_numbers(np.array([0.5, 1.5]), np.array([1, -1, 0])).tolist()
    [1.5, nan, 0.5]
    """
    out = empty(len(positions), values.dtype)
    _native.gather(positions, np.require(values, requirements="A"), out)
    return out


def take(
    frame: pd.DataFrame,
    positions: np.ndarray,
    read: frozenset[str] | None,
    index: pd.Index | None = None,
) -> pd.DataFrame:
    """Return some rows of a frame, as pandas does in ``frame.take`` and in joins.

    Parameters
    ----------
    frame : DataFrame
    positions : ndarray of int64
        Below the length of the frame; -1 for a row of missing values.
    read : set of str or None
        The columns of the result that anybody will read; the others are there, with any values,
        and the frame is laid out as if all were. None for all.
    index : pandas.Index, optional
        The labels of the rows, if they don't keep theirs.

    Examples
    --------
    >>> take(pd.DataFrame({"a": [1, 2, 3]}), np.array([2, 0]), None)["a"].tolist()
    [3, 1]
    """
    labels = frame.columns
    counts = cache(lambda: arrow.times_picked(positions, len(frame)))
    missing = bool(len(positions)) and bool(positions.min() < 0)

    def pick(block: Any, columns: np.ndarray) -> Any:
        values = block.values
        wanted = [read is None or labels[column] in read for column in columns]
        if not isinstance(values, np.ndarray):
            if not arrow.is_text(values):
                return _as_pandas(block, positions)
            if not wanted[0] and len(positions) <= len(values):
                return values[: len(positions)]
            # Finding all strings first pays off if each is picked several times. Arrow is as
            # quick otherwise, except where rows are missing.
            if missing or len(positions) > 2 * len(values):
                return arrow.pick(values, positions, counts())
            return _as_pandas(block, positions)
        dtype = values.dtype
        flags = values.flags
        rows = flags.c_contiguous and (not flags.f_contiguous or len(values) == 1)
        if not rows or dtype not in CODES or (missing and dtype.kind == "b"):
            return _as_pandas(block, positions)
        if missing and dtype.kind in "iu":
            dtype = np.dtype(np.float64)
        out = empty((len(values), len(positions)), dtype)
        for row, needed in enumerate(wanted):
            if needed:
                column = np.require(values[row], dtype, "A")
                _native.gather(positions, column, out[row])
        return out

    return blocks.map_blocks(frame, frame.index.take(positions) if index is None else index, pick)


def _as_pandas(block: Any, positions: np.ndarray) -> Any:
    return block.take_nd(positions, axis=1, fill_value=block.fill_value).values
