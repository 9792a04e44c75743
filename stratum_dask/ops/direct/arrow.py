"""How pandas stores strings: the only module that reads or makes Arrow arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
from pandas._config import using_string_dtype
from pandas.core.arrays.string_arrow import ArrowStringArray

from stratum_dask import _native
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported

_LARGE_STRING = pyarrow.large_string()


def plain(series: pd.Series) -> None:
    """Refuse a Series that carries more than its data, which pandas hands on."""
    if series.attrs or not series.flags.allows_duplicate_labels:
        raise Unsupported("attrs or flags")


def text_of(values: Any) -> pyarrow.ChunkedArray:
    """Return the Arrow strings of an array of pandas' `str` dtype.

    Raises
    ------
    Unsupported
        If it has another dtype, or another way to store strings.
    """
    dtype = values.dtype
    if not isinstance(dtype, pd.StringDtype) or dtype.na_value is pd.NA:
        raise Unsupported(f"dtype {dtype}")
    chunks = values._pa_array if dtype.storage == "pyarrow" else None
    if chunks is None or chunks.type != _LARGE_STRING:
        raise Unsupported("strings stored otherwise")
    return chunks


def is_text(values: Any) -> bool:
    """Whether `text_of` takes an array."""
    try:
        text_of(values)
    except Unsupported:
        return False
    return True


def chunks_of(series: Any) -> pyarrow.ChunkedArray:
    """Return the Arrow strings of a Series that carries nothing else.

    Raises
    ------
    Unsupported
        As `text_of` does.
    """
    if type(series) is not pd.Series:
        raise Unsupported(f"operand is {type(series).__name__}")
    plain(series)
    return text_of(series.array)


def native(chunks: pyarrow.ChunkedArray) -> _native.Text:
    """Return strings as kernels take them, without a copy."""
    parts = []
    for chunk in chunks.iterchunks():
        validity, offsets, data = chunk.buffers()
        if len(chunk):  # others may lack offsets
            validity = validity if chunk.null_count else None
            if offsets.address % 8:  # as other processes may send them
                offsets = np.frombuffer(offsets, np.uint8).copy()
            parts.append((validity, offsets, data, chunk.offset, len(chunk)))
    return _native.Text(parts)


def first_string(chunks: pyarrow.ChunkedArray) -> str | None:
    """Return the first string that is not missing."""
    for chunk in chunks.iterchunks():
        if chunk.null_count < len(chunk):
            valid = chunk.is_valid().to_numpy(zero_copy_only=False) if chunk.null_count else None
            text: str = chunk[0 if valid is None else int(np.argmax(valid))].as_py()
            return text
    return None


def made_of(like: Any, rows: int, missing: int, validity: Any, offsets: Any, data: Any) -> Any:
    """Return an array of strings of the dtype of another.

    Parameters
    ----------
    like : ArrowStringArray
    rows, missing : int
        How many strings there are, and are missing.
    validity, offsets, data : buffer
        As Arrow has them; the validity counts only if strings are missing.
    """
    buffers = [validity if missing else None, offsets, data]
    parts = [None if part is None else pyarrow.py_buffer(part) for part in buffers]
    array = pyarrow.Array.from_buffers(_LARGE_STRING, rows, parts, missing)
    return like._from_pyarrow_array(pyarrow.chunked_array([array]))


def write_strings(like: Any, rows: int, room: int, write: Callable[..., int | None]) -> Any | None:
    """Return an array of the strings that a kernel writes, of the dtype of another.

    Parameters
    ----------
    like : ArrowStringArray
    rows, room : int
        How many strings there are, and how many bytes they have at most.
    write : callable
        Takes where to write ends, validity and bytes, as Arrow has them; returns how many strings
        are missing, None if it wrote nothing. So does this function then.
    """
    ends, validity = empty(rows + 1, np.int64), np.empty((rows + 7) // 8, np.uint8)
    data = empty(room, np.uint8)
    missing = write(ends, validity, data)
    return None if missing is None else made_of(like, rows, missing, validity, ends, data)


def are_default() -> bool:
    """Whether these are the strings that pandas makes when it is told nothing of the dtype.

    Examples
    --------
    >>> are_default()
    True
    """
    return bool(using_string_dtype()) and pd.StringDtype(na_value=np.nan).storage == "pyarrow"


def strings_of(chunks: Sequence[tuple[int, int, Any, Any, Any]]) -> ArrowStringArray:
    """Return an array of pandas' own dtype of strings.

    Parameters
    ----------
    chunks : sequence of tuple
        How many strings each chunk has and how many of them are missing, the validity if any is,
        the offsets, and the text.
    """
    parts = [
        pyarrow.Array.from_buffers(
            _LARGE_STRING,
            rows,
            [None if part is None else pyarrow.py_buffer(part) for part in buffers],
            missing,
        )
        for rows, missing, *buffers in chunks
    ]
    return ArrowStringArray(pyarrow.chunked_array(parts), dtype=pd.StringDtype(na_value=np.nan))


def times_picked(positions: npt.NDArray[Any], rows: int) -> npt.NDArray[np.int64]:
    """Return how often each of some rows is picked, and last how many positions are negative.

    Examples
    --------
    >>> times_picked(np.array([1, -1, 0, 1]), 2).tolist()
    [1, 2, 1]
    """
    counts = np.zeros(rows + 1, np.int64)
    _native.count_codes(positions, counts)
    return counts


def pick(
    values: Any,
    positions: npt.NDArray[Any],
    counts: npt.NDArray[np.int64] | None = None,
    *,
    last: bool = False,
) -> Any:
    """Return the strings at some positions.

    Parameters
    ----------
    values : ArrowStringArray
    positions : ndarray of int64 or int32
    counts : ndarray of int64, optional
        `times_picked` of the positions, if it is known.
    last : bool
        Whether a negative position means the last string, else a missing one.

    Examples
    --------
    >>> words = pd.array(["a", "b"], dtype="str")
    >>> pick(words, np.array([1, -1, 0])).tolist()
    ['b', nan, 'a']
    """
    strings = _native.Strings(native(text_of(values)), last)
    if counts is None:
        counts = times_picked(positions, len(values))
    return write_strings(
        values,
        len(positions),
        strings.bytes(counts),
        lambda *outputs: strings.pick(positions, *outputs),
    )
