"""Columns turned into strings: what is the same is spelled once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.direct.arrow import pick, plain, text_of
from stratum_dask.ops.direct.dictionary import MANY, Dictionary, series_like
from stratum_dask.ops.direct.keys import Codes, by_number, encode, encode_all
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.steps import Unsupported, attempt

#: Of so many bytes are the numbers as which short texts are compared, and of so many of these.
_WORD, _WORDS = 8, 2
_LATIN = 255


def spelled(series: pd.Series, dtype: Any) -> pd.Series:
    """Run ``series.astype(str)`` of categories, dates and periods.

    Examples
    --------
    >>> spelled(pd.Series(["b", "a", "b"] * 4_000, dtype="category"), str).tolist()[:3]
    ['b', 'a', 'b']
    """
    plain(series)
    refuse_few(len(series), "spelled")
    if isinstance(series.dtype, pd.PeriodDtype) or series.dtype.kind == "M":
        return by_number(series, lambda distinct: distinct.astype(dtype))
    if not isinstance(series.dtype, pd.CategoricalDtype):
        raise Unsupported(f"dtype {series.dtype}")
    strings = series.dtype.categories.array
    text_of(strings)
    if attempt(series.iloc[:0].astype, dtype).dtype != strings.dtype:
        raise Unsupported("strings stored otherwise")
    codes = series.array.codes.astype(np.int32)
    return series_like(series, pick(strings, codes), series.name)


def with_texts(df: pd.DataFrame, name: Any, value: Any) -> pd.DataFrame:
    """Run ``with_column(df, name, value)`` for NumPy's texts, as ``numpy.where`` makes them.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": range(12_000)})
    >>> with_texts(frame, "part", np.where(frame["x"] < 2, "a", "b"))["part"].tolist()[1:3]
    ['a', 'b']
    """
    out = df.copy(deep=False)
    out[name] = _strings_of(df, value)
    return out


def assign(df: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """Run ``df.assign(name=value)`` for a column of NumPy's texts."""
    if len(columns) != 1:
        raise Unsupported("several columns")
    ((name, value),) = columns.items()
    return df.assign(**{name: _strings_of(df, value)})


def _strings_of(df: pd.DataFrame, value: Any) -> Any:
    """Return the array of strings that pandas makes of texts, each of the distinct once."""
    if type(value) is not np.ndarray or value.shape != (len(df),) or value.dtype.kind not in "UO":
        raise Unsupported(f"values are {type(value).__name__}, not NumPy's texts")
    rows = len(value)
    refuse_few(rows, "spelled")
    codes, firsts = (_same_objects if value.dtype.kind == "O" else _same_letters)(value)
    if len(firsts) > rows // 2:
        raise Unsupported(MANY)
    strings = pd.Series(value[firsts]).array
    text_of(strings)
    return Dictionary(codes.astype(np.int32), strings, firsts, len(firsts)).spread_strings(strings)


def _same_objects(values: np.ndarray) -> Codes:
    """Give numbers to objects, of which few are in many rows: equal ones may have several."""
    if not values.flags.c_contiguous:
        raise Unsupported("objects with gaps")
    memory = (ctypes.c_char * values.nbytes).from_address(values.ctypes.data)
    return encode(np.frombuffer(memoryview(memory), np.uintp))


def _same_letters(texts: np.ndarray) -> Codes:
    """Give numbers to texts by their letters, eight of which are one number."""
    rows, width = len(texts), texts.dtype.itemsize // 4
    if not 0 < width <= _WORD * _WORDS or not texts.dtype.isnative:
        raise Unsupported("long texts")
    letters = np.require(texts, requirements=("C", "A")).view(np.uint32).reshape(rows, width)
    if letters.max() > _LATIN:
        raise Unsupported("letters beyond Latin-1")
    words = -(-width // _WORD)
    cells = np.zeros((rows, _WORD * words), np.uint8)
    cells[:, :width] = letters
    keys = cells.view(np.uint64)
    return encode_all([np.ascontiguousarray(keys[:, i]) for i in range(words)])


SPELLING: dict[tuple[str, type], Callable[..., pd.DataFrame]] = {
    ("stratum.with_column", pd.DataFrame): with_texts,
    (".assign", pd.DataFrame): assign,
}
"""The entries of the table of direct calls."""
