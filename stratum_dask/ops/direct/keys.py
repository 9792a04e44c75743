"""Codes for the keys of groups and joins, counted from 0 in order of first occurrence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stratum_dask import _native
from stratum_dask.ops.direct.arrow import is_text, native, text_of
from stratum_dask.ops.direct.dictionary import Dictionary, encoded, series_like
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.steps import Unsupported, attempt


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
            raise Unsupported(f"keys of dtype {values.dtype}")
        keys = np.require(values, requirements=("C", "A"))
        return _run(len(keys), lambda codes, firsts: _native.encode_numbers(keys, codes, firsts))
    found = encoded(values)
    return Codes(found.positions, found.firsts[: found.count])


def distinct(values: Any, codes: Codes) -> Any:
    """Return the keys of a column that `encode` has given codes, one of each."""
    if isinstance(values, np.ndarray):
        return values.take(codes.firsts)
    return encoded(values).array[: len(codes.firsts)]


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


def encode_dates(series: pd.Series) -> Codes:
    """Return the codes of a column of dates.

    Raises
    ------
    Unsupported
        If most are distinct: what is done for each is then left to pandas.
    """
    found = encode(np.ascontiguousarray(series.array.asi8))
    if len(found.firsts) > len(series) // 2:
        raise Unsupported("many distinct values")
    return found


def by_number(series: pd.Series, call: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Run a call on the distinct values of a column of dates, and spread the strings it returns.

    Raises
    ------
    Unsupported
        If most values are distinct, or pandas raises or returns no strings.
    """
    refuse_few(len(series), "dates as strings")
    codes, firsts = encode_dates(series)
    result = attempt(call, series.iloc[firsts])
    array = result.array
    if not is_text(array):
        raise Unsupported("returns no strings")
    values = Dictionary(codes.astype(np.int32), array, firsts, len(firsts))
    return series_like(series, values.spread_strings(array), result.name)


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
            raise Unsupported("too many different keys")
        codes = _match_column(*pairs)
    assert codes is not None
    return codes


def _match_column(left: Any, right: Any) -> tuple[np.ndarray, np.ndarray, int]:
    if left.dtype != right.dtype:
        raise Unsupported("keys of different dtypes")
    if isinstance(left, np.ndarray):
        if left.dtype.kind not in "iu" or not left.dtype.isnative:
            raise Unsupported(f"keys of dtype {left.dtype}")
        here, there = np.empty(len(left), np.int64), np.empty(len(right), np.int64)
        left, right = (np.require(keys, requirements=("C", "A")) for keys in (left, right))
        return here, there, _native.match_numbers(left, right, here, there)
    # Only the different strings are compared with each other.
    one, other = encoded(left), encoded(right)
    if not other.complete:
        raise Unsupported("missing keys")
    found = np.empty(len(one.array), np.int32)
    native(text_of(one.array)).find(native(text_of(other.array)), found)
    return one.spread(found.astype(np.int64)), other.positions, other.count
