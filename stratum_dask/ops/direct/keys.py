"""Codes for the keys of groups and joins, counted from 0 in order of first occurrence."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from stratum_dask import _native
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.steps import Unsupported

#: How many columns of strings keep their codes, as long as somebody else holds the columns.
_MAX_KEPT = 16


class Codes(NamedTuple):
    """The keys of a column as numbers.

    Attributes
    ----------
    codes : ndarray of int64
        One for each row, -1 where the key is missing.
    firsts : ndarray of int64
        The row where each code occurs first.
    """

    codes: np.ndarray
    firsts: np.ndarray


class _Kept:
    """Remembers the codes of the last columns of strings: Arrow's arrays never change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: OrderedDict[int, tuple[weakref.ref[Any], Codes]] = OrderedDict()

    def get(self, text: pa.ChunkedArray) -> Codes | None:
        with self._lock:
            found = self._codes.get(id(text))
            if found is None or found[0]() is not text:
                return None
            self._codes.move_to_end(id(text))
            return found[1]

    def put(self, text: pa.ChunkedArray, codes: Codes) -> None:
        number = id(text)
        codes_of = weakref.ref(text, lambda dead: self._drop(number, dead))
        with self._lock:
            self._codes[number] = codes_of, codes
            while len(self._codes) > _MAX_KEPT:
                self._codes.popitem(last=False)

    def _drop(self, number: int, dead: Any) -> None:
        # Without the lock: the collector may run this on a thread that holds it.
        found = self._codes.get(number)
        if found is not None and found[0] is dead:
            self._codes.pop(number, None)

    def clear(self) -> None:
        with self._lock:
            self._codes.clear()


_kept = _Kept()


def forget() -> None:
    """Forget the codes of all columns."""
    _kept.clear()


def text_of(values: Any) -> pa.ChunkedArray:
    """Return the Arrow strings of an array of dtype ``str``.

    Raises
    ------
    Unsupported
        If it is none, or stores its strings otherwise.
    """
    dtype = values.dtype
    if type(dtype) is pd.StringDtype and dtype.storage == "pyarrow" and dtype.na_value is np.nan:
        text = values._pa_array
        if pa.types.is_large_string(text.type):
            return text
    raise Unsupported("keys")


def is_text(values: Any) -> bool:
    """Whether `text_of` takes an array."""
    try:
        text_of(values)
    except Unsupported:
        return False
    return True


def chunks(text: pa.ChunkedArray) -> list[tuple[Any, Any, Any, int, int]]:
    """Return the buffers of Arrow strings as kernels take them, chunk by chunk.

    Examples
    --------
    >>> import pandas as pd
    >>> [(_, bits, text, start, rows)] = chunks(pd.Series(["a", "bc"], dtype="str").array._pa_array)
    >>> start, rows
    (0, 2)
    """
    found = []
    for chunk in text.chunks:
        if len(chunk):
            validity, offsets, data = chunk.buffers()
            bits = validity if chunk.null_count else None
            found.append((offsets, data, bits, chunk.offset, len(chunk)))
    return found


def encode(values: Any, floats: bool = False) -> Codes:
    """Return the codes of a column of strings, integers or bools.

    Parameters
    ----------
    values : ndarray or ExtensionArray
        The column.
    floats : bool
        Whether it may be one of floats, where NaN is missing, and -0.0 equals 0.0.

    Raises
    ------
    Unsupported
        If its dtype has no native codes.

    Examples
    --------
    >>> codes, firsts = encode(np.array([7, 5, 7]))
    >>> codes.tolist(), firsts.tolist()
    ([0, 1, 0], [0, 1])
    """
    if isinstance(values, np.ndarray):
        if values.dtype not in CODES or (values.dtype.kind == "f" and not floats):
            raise Unsupported("keys")
        keys = np.require(values, requirements=("C", "A"))
        return _run(len(keys), lambda codes, firsts: _native.encode_numbers(keys, codes, firsts))
    text = text_of(values)
    kept = _kept.get(text)
    if kept is None:
        parts = chunks(text)
        kept = _run(len(text), lambda codes, firsts: _native.encode_text(parts, codes, firsts))
        _kept.put(text, kept)
    return kept


def encode_all(columns: list[Any]) -> Codes:
    """Return the codes of keys of several columns; a key with a missing part is missing.

    Examples
    --------
    >>> encode_all([np.array([1, 1, 2]), np.array([True, False, True])]).codes.tolist()
    [0, 1, 2]
    """
    result = encode(columns[0])
    for column in columns[1:]:
        left, right = result.codes, encode(column).codes
        result = _run(
            len(left),
            lambda codes, firsts, a=left, b=right: _native.encode_pairs(a, b, codes, firsts),
        )
    return result


def _run(rows: int, kernel: Any) -> Codes:
    codes, firsts = np.empty(rows, np.int64), np.empty(rows, np.int64)
    found = kernel(codes, firsts)
    return Codes(codes, firsts[:found].copy())


def match(left: list[Any], right: list[Any]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return common codes for the keys of two tables.

    Parameters
    ----------
    left, right : list
        The columns of the keys, in pairs of one dtype; no key of `right` is missing.

    Returns
    -------
    left_codes : ndarray of int64
        -1 for keys that are missing, or not on the right.
    right_codes : ndarray of int64
        Counted from 0 in order of first occurrence.
    count : int
        How many different keys `right` has.

    Raises
    ------
    Unsupported
        If some dtype has no native codes, or a key of `right` is missing.

    Examples
    --------
    >>> left_codes, right_codes, _ = match([np.array([5, 6, 7])], [np.array([7, 5])])
    >>> left_codes.tolist(), right_codes.tolist()
    ([1, -1, 0], [0, 1])
    """
    codes = None
    for one, other in zip(left, right, strict=True):
        here, there, count = _match_column(one, other)
        if codes is None:
            codes = here, there, count
            continue
        # Codes are below 2**32, so that pairs of them are integers.
        pairs = [
            np.where((a < 0) | (b < 0), -1, a * count + b)
            for a, b in ((codes[0], here), (codes[1], there))
        ]
        if codes[2] * count >= 2**62:
            raise Unsupported("keys")
        codes = _match_column(*pairs)
    assert codes is not None
    return codes


def _match_column(left: Any, right: Any) -> tuple[np.ndarray, np.ndarray, int]:
    if left.dtype != right.dtype:
        raise Unsupported("keys of different dtypes")
    here, there = np.empty(len(left), np.int64), np.empty(len(right), np.int64)
    if isinstance(left, np.ndarray):
        if left.dtype.kind not in "iu" or not left.dtype.isnative:
            raise Unsupported("keys")
        left, right = (np.require(keys, requirements=("C", "A")) for keys in (left, right))
        count = _native.match_numbers(left, right, here, there)
    else:
        # The strings of the left are hashed once for all joins and groups: only the different
        # ones are compared with the right.
        codes, firsts = encode(left)
        found = np.empty(len(firsts), np.int64)
        different = chunks(text_of(left.take(firsts)))
        count = _native.match_text(different, chunks(text_of(right)), found, there)
        if len(there) and there.min() < 0:
            raise Unsupported("missing keys")
        _native.gather(codes, found, here)
    return here, there, count
