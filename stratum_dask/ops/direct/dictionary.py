"""Dictionaries: the distinct strings of a column, and which of them each row has.

What a column's strings are asked for is asked of the distinct ones, by pandas itself, and spread
over the rows. A dictionary is kept as long as the column's Arrow array lives, so that a chain of
calls looks at every row once, be they calls on strings, groups, joins or encoders.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stratum_dask import _native
from stratum_dask.ops.direct import arrow
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported, attempt

MANY = "many distinct strings"
"""Why a column has no dictionary, if most of its rows are distinct."""
UNKNOWN = "cheap in pandas"
"""Why a call does not make a dictionary, if none is there."""

#: Of how many rows one may be distinct at most, for work on distinct strings to pay off.
_SHARE = 2
#: The kinds of the dtypes that are spread over rows.
_GATHERED = "biuf"
#: How many columns' dictionaries are kept, and bytes of codes.
_MOST, _BYTES = 64, 2**28


class Dictionary:
    """The distinct values of a column.

    Attributes
    ----------
    codes : ndarray of int32
        Which value each row has, -1 where it is missing.
    array : ArrowStringArray
        The strings in the order in which they first appear; then a missing one, if any is. (An
        ndarray, if the values are no strings.)
    firsts : ndarray of int64
        The row in which each of `array` first appears.
    count : int
        How many there are, the missing one left out.
    """

    def __init__(
        self, codes: npt.NDArray[np.int32], array: Any, firsts: npt.NDArray[np.int64], count: int
    ) -> None:
        self.codes = codes
        self.array = array
        self.firsts = firsts
        self.count = count

    @property
    def complete(self) -> bool:
        """Whether no row is missing."""
        return len(self.array) == self.count

    @cached_property
    def positions(self) -> npt.NDArray[np.int64]:
        """The codes in the dtype in which pandas takes them."""
        return self.codes.astype(np.int64)

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many rows have each value of `array`."""
        counts = np.zeros(len(self.array), dtype="int64")
        _native.count_codes(self.codes, counts)
        counts.flags.writeable = False
        return counts

    @property
    def values(self) -> list[Any]:
        """The values of `array` as Python's, NaN for the missing one."""
        if isinstance(self.array, np.ndarray):
            values: list[Any] = self.array.tolist()
            return values
        # Many times faster than pandas, which asks Arrow for one string after the other.
        present: list[Any] = arrow.text_of(self.array).to_numpy().tolist()[: self.count]
        return present if self.complete else [*present, np.nan]

    @property
    def nbytes(self) -> int:
        """The memory of what there is per row."""
        positions = self.__dict__.get("positions")
        return self.codes.nbytes + (0 if positions is None else positions.nbytes)

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return for each row what `values` has for its value of `array`."""
        out = empty(len(self.codes), values.dtype)
        _native.gather(self.codes, np.ascontiguousarray(values), out, True)
        return out

    def spread_strings(self, array: Any) -> Any:
        """Return for each row the string that `array` has for its own, with a dictionary."""
        spread = arrow.pick(array, self.codes, self.counts, last=True)
        _remember(spread._pa_array, self._renamed(array))
        return spread

    def _renamed(self, array: Any) -> Dictionary:
        """Return the dictionary of a column that has `array` in place of the own strings."""
        order = np.arange(len(array))
        if not self.complete:  # missing rows may get a string, which has its place in the order
            order = np.argsort(self.firsts)
            array = array.take(order)
        inner = _encode(array, array._pa_array, len(array))
        assert inner is not None
        codes = np.empty(len(order), dtype="int32")
        codes[order] = inner.codes
        own = np.arange(len(order), dtype="int32")
        own[self.count :] = -1
        rows = self.codes if np.array_equal(codes, own) else self.spread(codes)
        return Dictionary(rows, inner.array, self.firsts[order[inner.firsts]], inner.count)


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
    refuse_few(len(series), "strings")
    if known and not _recall(chunks)[1]:
        raise Unsupported(UNKNOWN)
    return encoded(series.array, None if any_number else len(series) // _SHARE + 16)


def encoded(array: Any, limit: int | None = None) -> Dictionary:
    """Return the dictionary of an array of strings, however few they are.

    Parameters
    ----------
    array : ArrowStringArray
    limit : int, optional
        How many distinct strings there may be.

    Raises
    ------
    Unsupported
        If `array` is none, or there are more.
    """
    chunks = arrow.text_of(array)
    found, recalled = _recall(chunks)
    if not recalled or (found is None and limit is None):
        found = _encode(array, chunks, len(array) if limit is None else limit)
        _remember(chunks, found)
    if found is None or (limit is not None and found.count > limit):
        raise Unsupported(MANY)
    return found


def _encode(array: Any, chunks: Any, limit: int) -> Dictionary | None:
    codes, firsts = np.empty(len(array), dtype="int32"), np.empty(len(array), dtype="int64")
    found = arrow.native(chunks).encode(limit, codes, firsts)
    if found is None:
        return None
    count, offsets, data = found
    if not chunks.null_count:
        distinct = arrow.made_of(array, count, 0, None, offsets, data)
        return Dictionary(codes, distinct, firsts[:count].copy(), count)
    present = np.packbits(np.arange(count + 1) < count, bitorder="little")
    distinct = arrow.made_of(array, count + 1, 1, present, offsets, data)
    return Dictionary(codes, distinct, np.append(firsts[:count], codes.argmin()), count)


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
    arrays = {id(d.codes): d.nbytes for _, d in _living.values() if d is not None}
    return sum(arrays.values())


def series_like(series: pd.Series, values: Any, name: Any) -> pd.Series:
    """Return a Series over the rows of another."""
    return pd.Series(values, index=series.index, name=name, copy=False)


def by_string(series: Any, call: Callable[[pd.Series], Any], *, known: bool = False) -> Any:
    """Run a call on the distinct strings and spread what it returns over the rows.

    Parameters
    ----------
    series : Series
        Of strings.
    call : callable
        Takes a Series of the distinct ones.
    known : bool
        Whether this is worth it only if an earlier call has found them.

    Raises
    ------
    Unsupported
        If pandas has to run it for all rows, or raises.

    Examples
    --------
    >>> column = pd.Series(["a", "b", "a"] * 1_000, dtype="str")
    >>> by_string(column, lambda distinct: distinct.str.len()).tolist()[:3]
    [1, 1, 1]
    """
    dictionary = dictionary_of(series, known=known)
    distinct = pd.Series(dictionary.array, name=series.name, copy=False)
    result = attempt(call, distinct)
    if type(result) is pd.DataFrame:
        columns = [result.iloc[:, i] for i in range(result.shape[1])]
        spread = {i: spread_result(dictionary, column) for i, column in enumerate(columns)}
        frame = pd.DataFrame(spread, index=series.index, copy=False)
        frame.columns = result.columns
        return frame
    if type(result) is not pd.Series:
        raise Unsupported(f"returns {type(result).__name__}")
    return series_like(series, spread_result(dictionary, result), result.name)


def spread_result(dictionary: Dictionary, result: pd.Series) -> Any:
    """Return for each row what a Series has for its distinct string."""
    dtype = result.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in _GATHERED and dtype.itemsize <= 8:
        return dictionary.spread(result.to_numpy())
    if dtype == dictionary.array.dtype and dtype.storage == "pyarrow":
        return dictionary.spread_strings(result.array)
    raise Unsupported(f"returns dtype {dtype}")
