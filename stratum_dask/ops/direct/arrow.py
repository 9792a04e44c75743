"""How pandas stores strings: the only module that reads or makes Arrow arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow

from stratum_dask import _native
from stratum_dask.ops.steps import Unsupported

_LARGE_STRING = pyarrow.large_string()


def plain(series: pd.Series) -> None:
    """Refuse a Series that carries more than its data, which pandas hands on."""
    if series.attrs or not series.flags.allows_duplicate_labels:
        raise Unsupported("attrs or flags")


def chunks_of(series: Any) -> pyarrow.ChunkedArray:
    """Return the Arrow array of a Series of pandas' `str` dtype.

    Raises
    ------
    Unsupported
        If it has another dtype, or another way to store strings.
    """
    if type(series) is not pd.Series:
        raise Unsupported("operand")
    plain(series)
    dtype = series.dtype
    if not isinstance(dtype, pd.StringDtype) or dtype.storage != "pyarrow":
        raise Unsupported("dtype")
    if not isinstance(dtype.na_value, float):
        raise Unsupported("missing values are not NaN")
    chunks = series.array._pa_array
    if chunks.type != _LARGE_STRING:
        raise Unsupported("dtype")
    return chunks


def native(chunks: pyarrow.ChunkedArray) -> _native.Text:
    """Return strings as kernels take them, without a copy."""
    return _native.Text(
        [(*chunk.buffers(), chunk.offset, len(chunk)) for chunk in chunks.iterchunks()]
    )


def first_string(chunks: pyarrow.ChunkedArray) -> str | None:
    """Return the first string that is not missing."""
    for chunk in chunks.iterchunks():
        if chunk.null_count < len(chunk):
            valid = chunk.is_valid().to_numpy(zero_copy_only=False) if chunk.null_count else None
            text: str = chunk[0 if valid is None else int(np.argmax(valid))].as_py()
            return text
    return None


def take_ascending(
    chunks: pyarrow.ChunkedArray, rows: npt.NDArray[np.int64], *, missing: bool
) -> pyarrow.ChunkedArray:
    """Return some rows, in ascending order, as one chunk, and perhaps a missing one at the end."""
    parts, start, begin = [], 0, 0
    for chunk in chunks.iterchunks():
        stop = start + len(chunk)
        end = begin + int(np.searchsorted(rows[begin:], stop))
        if end > begin:
            parts.append(chunk.take(pyarrow.array(rows[begin:end] - start)))
        start, begin = stop, end
    if missing:
        parts.append(pyarrow.nulls(1, _LARGE_STRING))
    if not parts:
        return pyarrow.chunked_array([], _LARGE_STRING)
    return pyarrow.chunked_array([pyarrow.concat_arrays(parts)])
