"""Rows of several tables in one: pandas' own ``concat`` with another ``np.concatenate``.

Labels, dtypes, missing columns, blocks and errors are pandas'. Only what NumPy would write into
fresh memory, through the caches, is written past them into memory that was used before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.dtypes import concat as of_dtypes
from pandas.core.internals import concat as of_blocks
from pandas.core.reshape import concat as of_frames

from stratum_dask import _native
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.memory import empty
from stratum_dask.ops.rebound import with_globals
from stratum_dask.ops.steps import Unsupported, attempt


def concat(tables: Sequence[Any], /, **options: Any) -> Any:
    """Run ``pandas.concat([...])`` of rows.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": range(1_000_000)})
    >>> len(concat([frame, frame, frame], ignore_index=True))
    3000000
    """
    axis = options.get("axis", 0)
    if type(axis) not in (int, str) or axis not in (0, "index", "rows"):
        raise Unsupported("columns side by side")
    if not all(type(table) in (pd.DataFrame, pd.Series) for table in tables):
        raise Unsupported("neither frames nor Series")
    arrays = [block.values for table in tables for block in table._mgr.blocks]
    size = sum(values.nbytes for values in arrays if _is_plain(values.dtype))
    refuse_few(size, "concatenated bytes")
    return attempt(lambda: _on_our_memory()(tables, **options))


@cache
def _on_our_memory() -> Callable[..., Any]:
    """Return pandas' function on another NumPy."""
    numpy = _NumPy()
    compat = with_globals(of_dtypes.concat_compat, np=numpy)
    managers = with_globals(
        of_blocks.concatenate_managers,
        np=numpy,
        concat_compat=compat,
        _concat_homogeneous_fastpath=with_globals(of_blocks._concat_homogeneous_fastpath, np=numpy),
        _concatenate_join_units=with_globals(
            of_blocks._concatenate_join_units, concat_compat=compat
        ),
    )
    result = with_globals(
        of_frames._get_result, concatenate_managers=managers, concat_compat=compat
    )
    function: Callable[..., Any] = with_globals(of_frames.concat, _get_result=result)
    return function


class _NumPy:
    """The module NumPy, but for memory."""

    empty = staticmethod(empty)

    @property
    def concatenate(self) -> Callable[..., np.ndarray]:
        return concatenate

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def concatenate(arrays: Sequence[Any], axis: int = 0) -> np.ndarray:
    """Run ``np.concatenate``, into memory that was used before where that is known to be the same.

    Parameters
    ----------
    arrays : sequence of ndarray or datetime array
    axis : int

    Examples
    --------
    >>> concatenate([np.array([1, 2]), np.array([3])]).tolist()
    [1, 2, 3]
    """
    parts = [np.asarray(array) for array in arrays]
    dtype = parts[0].dtype
    by_rows = _by_rows(parts)
    if by_rows is None or not _is_plain(dtype) or any(part.dtype != dtype for part in parts):
        return np.concatenate(arrays, axis=axis)
    if dtype.kind in "mM":
        parts = [part.view(np.int64) for part in parts]
    along = axis
    if not by_rows:  # the same of the tables on their side
        parts, along = [part.T for part in parts], 1 - axis
    shape = list(parts[0].shape)
    shape[along] = sum(part.shape[along] for part in parts)
    out = empty(tuple(shape), parts[0].dtype)
    try:
        if along == 0:
            _native.concatenate([part.reshape(-1) for part in parts], out.reshape(-1))
        else:
            for row, *pieces in zip(out, *parts, strict=True):
                _native.concatenate(pieces, row)
    except ValueError:  # shapes that don't match, or memory with gaps
        return np.concatenate(arrays, axis=axis)
    out = out.view(dtype)
    return out if by_rows else out.T


def _is_plain(dtype: Any) -> bool:
    """Whether kernels can copy values of a dtype."""
    return isinstance(dtype, np.dtype) and (dtype in CODES or dtype.kind in "mM")


def _by_rows(parts: list[np.ndarray]) -> bool | None:
    """Whether NumPy puts arrays together row after row, else column after column; None if mixed."""
    tables = [part for part in parts if part.ndim == 2 and 1 not in part.shape]
    strides = [tuple(map(abs, part.strides)) for part in tables]
    if all(rows > columns for rows, columns in strides):
        return True
    return False if all(rows < columns for rows, columns in strides) else None


CONCAT: dict[tuple[str, type], Callable[..., Any]] = {
    ("pandas.concat", list): concat,
    ("pandas.concat", tuple): concat,
}
"""The entries for tables one below the other."""
