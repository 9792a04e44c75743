"""Literals as bytes: equal bytes, equal values that no code can tell apart.

Types are part of the encoding (``True``, ``1`` and ``1.0`` differ), NaN equals itself, ``-0.0``
and ``0.0`` differ, sets have no order and dicts have theirs. Plain literals and containers are
encoded natively; here is what pandas, NumPy and the standard library add.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import issparse

from stratum_dask import _native
from stratum_dask._native import digest

__all__ = ["Draws", "Unknown", "digest", "encode", "other"]

Special = Callable[[Any], bytes | None]


class Unknown(Exception):
    """A value or call cannot be identified; the message says why."""


class Draws(Unknown):
    """A value is, or may hold, an estimator that draws randomness each time that it is fitted."""


def encode(value: Any, special: Special = lambda _: None) -> bytes:
    """Encode a literal.

    Parameters
    ----------
    value : object
    special : callable
        Asked first for values that are no plain literals; None from it leaves them to the rules
        of this module.

    Returns
    -------
    bytes
        Short values are written out, long ones hashed.

    Raises
    ------
    Unknown
        If the value cannot be identified.

    Examples
    --------
    >>> encode(1) == encode(1.0), encode(float("nan")) == encode(float("nan"))
    (False, True)
    """
    return _native.encode(value, partial(other, special))


def other(special: Special, value: Any) -> bytes:
    """Encode what is no plain literal, with its type; see :func:`encode`."""
    found = special(value)
    if found is not None:
        return found
    kind = type(value)
    tag = f"{kind.__module__}.{kind.__qualname__}|".encode()
    parts = _parts(value, kind)
    if parts is None:
        raise Unknown(f"has a value of type {kind.__name__}, which cannot be identified")
    return tag + encode(parts, special)


_SPARSE = {
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "row", "col"),
    "csc": ("data", "indices", "indptr"),
    "csr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
    "lil": ("data", "rows"),
}
"""What sparse matrices hold, by their format."""


def _parts(value: Any, kind: type) -> Sequence[Any] | None:
    """Return what tells a value from all others of its type; None if that is not known."""
    if kind is np.ndarray:
        return _array(value)
    if kind is pd.DataFrame:
        return _frame(value)
    if kind is pd.Series:
        return value.index, value.name, value.array, value.attrs, _allows_duplicates(value)
    if isinstance(value, pd.MultiIndex):
        return list(value.names), list(value.levels), [np.asarray(code) for code in value.codes]
    if isinstance(value, pd.RangeIndex):
        return value.start, value.stop, value.step, value.name
    if isinstance(value, pd.Index):
        return list(value.names), str(getattr(value, "freq", None)), value.array
    if isinstance(value, pd.Categorical):
        return value.categories, np.asarray(value.codes), value.ordered
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _extension(value)
    if isinstance(value, pd.CategoricalDtype):  # whose repr leaves out the middle of many
        return value.categories, value.ordered
    if isinstance(value, np.dtype | pd.api.extensions.ExtensionDtype):
        return (repr(value),)
    if isinstance(value, np.generic):
        return _dtype(value.dtype), value.tobytes()
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        return value.isoformat(), value.unit, str(getattr(value, "tz", None))
    if kind in (slice, range):
        return value.start, value.stop, value.step
    if kind is str:  # with lone surrogates
        return (value.encode("utf-8", "surrogatepass"),)
    if kind in (date, datetime, time, timedelta, Decimal, Fraction) or isinstance(value, PurePath):
        return (repr(value),)
    if isinstance(value, re.Pattern):
        return value.pattern, value.flags
    if isinstance(value, logging.Logger):  # whose messages are written once
        return (value.name,)
    if isinstance(value, Enum):
        return value.name, value.value
    if value is pd.NA or value is pd.NaT or value is Ellipsis:
        return ()
    if issparse(value):
        names = _SPARSE.get(value.format) if value.ndim == 2 else None
        return names and (value.shape, *(getattr(value, name) for name in names))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return value._fields, tuple(value)
    return None


def _array(value: np.ndarray) -> Sequence[Any]:
    dtype = _dtype(value.dtype)
    flags = value.flags
    # Strides and writeability can be told, and change the bits of what is computed.
    strides = None if flags.forc else value.strides
    layout = flags.c_contiguous, flags.f_contiguous, flags.writeable, strides
    if value.dtype.hasobject:
        return dtype, value.shape, layout, value.ravel().tolist()
    if not value.size or not value.dtype.itemsize:
        return dtype, value.shape, layout
    rows = value.T if flags.f_contiguous and not flags.c_contiguous else value
    return dtype, value.shape, layout, digest(np.ascontiguousarray(rows).view(np.uint8).data)


def _dtype(dtype: np.dtype) -> str:
    return repr(dtype.descr) if dtype.names else dtype.str


def _frame(value: pd.DataFrame) -> Sequence[Any]:
    columns = [value.iloc[:, i].array for i in range(value.shape[1])]
    layout = [
        (block.mgr_locs.as_array.tolist(), block.values.flags.c_contiguous)
        for block in value._mgr.blocks
        if isinstance(block.values, np.ndarray)
    ]
    duplicates = _allows_duplicates(value)
    return value.index, value.columns, columns, value.attrs, layout, duplicates


def _allows_duplicates(value: pd.DataFrame | pd.Series) -> bool:
    return bool(value.flags.allows_duplicate_labels)


def _extension(value: Any) -> Sequence[Any] | None:
    dtype = repr(value.dtype)
    if isinstance(value, pd.arrays.NumpyExtensionArray):
        return dtype, value.to_numpy()
    if hasattr(value, "_mask") and hasattr(value, "_data"):
        # What lies under a missing value cannot be seen.
        data = np.where(value._mask, np.zeros(1, value._data.dtype), value._data)
        return dtype, data, value._mask.copy()
    if hasattr(value, "asi8"):
        return dtype, value.asi8
    if isinstance(value.dtype, pd.StringDtype):
        if value.dtype.storage == "pyarrow" and (texts := _texts(value)) is not None:
            return dtype, *texts
        cells = value.to_numpy(dtype=object).tolist()
        return dtype, [None if cell is pd.NA or cell != cell else cell for cell in cells]
    return None


def _texts(value: Any) -> Sequence[Any] | None:
    """Return lengths, which are missing, and all characters, whatever chunks these lie in."""
    array = pa.array(value, pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8)
    lengths, missing = np.diff(ends), np.asarray(array.is_null())
    if lengths[missing].any():  # characters that nobody sees
        return None
    return lengths, missing, digest(memoryview(data)[ends[0] : ends[-1]])
