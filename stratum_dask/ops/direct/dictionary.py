"""Dictionaries: the distinct strings of a column, and which of them each row has.

What a column's strings are asked for is asked of the distinct ones, by pandas itself, and spread
over the rows. A dictionary is kept as long as the column's Arrow array lives, so that a chain of
calls looks at every row once.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow

from stratum_dask import _native
from stratum_dask.ops.direct import arrow
from stratum_dask.ops.steps import Unsupported

MANY = "many distinct strings"
"""Why a column has no dictionary, if most of its rows are distinct."""

#: Of how many rows one may be distinct at most, for work on distinct strings to pay off.
_SHARE = 2
#: The fewest rows for which the work of planning pays off; pandas needs less than that for fewer.
_LEAST = 2_000
#: How many columns' dictionaries are kept, and bytes of codes.
_MOST, _BYTES = 64, 2**28


class Dictionary:
    """The distinct strings of a column.

    Attributes
    ----------
    codes : ndarray of int32
        Which string each row has, -1 where it is missing.
    array : ArrowStringArray
        The strings in the order in which they first appear; then a missing one, if any is.
    count : int
        How many there are, the missing one left out.
    """

    def __init__(self, codes: npt.NDArray[np.int32], array: Any, count: int) -> None:
        self.codes = codes
        self.array = array
        self.count = count

    @property
    def complete(self) -> bool:
        """Whether no row is missing."""
        return len(self.array) == self.count

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return for each row the value of its string."""
        out = np.empty(len(self.codes), dtype=values.dtype)
        _native.spread(np.ascontiguousarray(values), self.codes, out)
        return out

    def spread_strings(self, array: Any) -> Any:
        """Return for each row the string that `array` has for its own.

        Parameters
        ----------
        array : ArrowStringArray
            As long as the dictionary's own.
        """
        rows = len(self.codes)
        chunks = array._pa_array
        offsets = np.empty(rows + 1, dtype="int64")
        bits = np.empty((rows + 7) // 8, dtype="uint8") if chunks.null_count else None
        data = arrow.native(chunks).gather(self.codes, offsets, bits)
        buffers = [
            None if bits is None else pyarrow.py_buffer(bits),
            pyarrow.py_buffer(offsets),
            pyarrow.py_buffer(data),
        ]
        spread = pyarrow.chunked_array(
            [pyarrow.Array.from_buffers(pyarrow.large_string(), rows, buffers)]
        )
        _remember(spread, self._renamed(array))
        return array._from_pyarrow_array(spread)

    def _renamed(self, array: Any) -> Dictionary:
        """Return the dictionary of a column that has `array` in place of the own strings."""
        inner = _encode(array, len(array))
        assert inner is not None
        if inner.count == self.count and inner.complete == self.complete:
            return Dictionary(self.codes, array, self.count)
        return Dictionary(self.spread(inner.codes), inner.array, inner.count)


def dictionary_of(series: Any, *, any_number: bool = False, known: bool = False) -> Dictionary:
    """Return the dictionary of a column of strings.

    Parameters
    ----------
    series : object
    any_number : bool
        Whether a dictionary is wanted even if most rows are distinct.
    known : bool
        Whether it is wanted only if an earlier call has made it.

    Raises
    ------
    Unsupported
        If `series` is no Series of strings, or too many of them are distinct, or they are not
        known.

    Examples
    --------
    >>> column = pd.Series(["a", "b", "a", None] * 1_000, dtype="str")
    >>> dictionary_of(column).codes[:4].tolist()
    [0, 1, 0, -1]
    """
    chunks = arrow.chunks_of(series)
    if len(series) < _LEAST:
        raise Unsupported("few rows")
    limit = len(series) if any_number else len(series) // _SHARE + 16
    found, recalled = _recall(chunks)
    if known and not recalled:
        raise Unsupported("cheap in pandas")
    if not recalled or (found is None and any_number):
        found = _encode(series.array, limit)
        _remember(chunks, found)
    if found is None or found.count > limit:
        raise Unsupported(MANY)
    return found


def _encode(array: Any, limit: int) -> Dictionary | None:
    codes = np.empty(len(array), dtype="int32")
    first = np.empty(len(array), dtype="int64")
    chunks = array._pa_array
    count = arrow.native(chunks).encode(limit, codes, first)
    if count is None:
        return None
    missing = chunks.null_count > 0
    distinct = arrow.take_ascending(chunks, first[:count], missing=missing)
    return Dictionary(codes, array._from_pyarrow_array(distinct), count)


# -- the dictionaries of living columns ---------------------------------------------------------

_lock = threading.RLock()  # a reference can die, and call `_forget`, at any time
_living: OrderedDict[int, tuple[weakref.ref[Any], Dictionary | None]] = OrderedDict()


def forget() -> None:
    """Drop all dictionaries."""
    with _lock:
        _living.clear()


def _recall(chunks: Any) -> tuple[Dictionary | None, bool]:
    """Return what is known of an array, and whether anything is."""
    with _lock:
        entry = _living.get(id(chunks))
        if entry is None or entry[0]() is not chunks:
            return None, False
        _living.move_to_end(id(chunks))
        return entry[1], True


def _remember(chunks: Any, dictionary: Dictionary | None) -> None:
    key = id(chunks)
    with _lock:
        _living[key] = (weakref.ref(chunks, lambda dead: _forget(key, dead)), dictionary)
        _living.move_to_end(key)
        while len(_living) > _MOST or (_size() > _BYTES and len(_living) > 1):
            _living.popitem(last=False)


def _forget(key: int, dead: Any) -> None:
    with _lock:
        entry = _living.get(key)
        if entry is not None and entry[0] is dead:
            del _living[key]


def _size() -> int:
    arrays = {id(d.codes): d.codes.nbytes for _, d in _living.values() if d is not None}
    return sum(arrays.values())


def series_like(series: pd.Series, values: Any, name: Any) -> pd.Series:
    """Return a Series over the rows of another."""
    return pd.Series(values, index=series.index, name=name, copy=False)
