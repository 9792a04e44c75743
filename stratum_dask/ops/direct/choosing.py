"""Columns of strings, in which another string takes the place of some.

What rows have is chosen among the numbers of their strings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.direct.arrow import pick, plain, text_of
from stratum_dask.ops.direct.dictionary import Dictionary, dictionary_of, series_like
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.steps import Unsupported


def chosen(keep: bool) -> Callable[..., pd.Series]:
    """Return the form of ``series.where(cond, other)``, or of ``.mask`` if not `keep`.

    Examples
    --------
    >>> column = pd.Series(["a", "b", None] * 10_000, dtype="str")
    >>> chosen(True)(column, column != "b", "rare").tolist()[:3]
    ['a', 'rare', nan]
    """

    def run(series: pd.Series, cond: Any, other: Any) -> pd.Series:
        text_of(series.array)
        refuse_few(len(series), "chosen strings")
        kept = _mask(cond, series) if keep else ~_mask(cond, series)
        dictionary = dictionary_of(series)
        strings, place = _with(dictionary, other)
        codes = np.where(kept, dictionary.codes, np.int32(place))
        return series_like(series, pick(strings, codes), series.name)

    return run


def numpy_where(condition: pd.Series, x: Any, y: Any, /) -> np.ndarray:
    """Run ``numpy.where(condition, x, y)`` of a column of strings and a string, in any order.

    Examples
    --------
    >>> column = pd.Series(["a", "b", None] * 10_000, dtype="str")
    >>> numpy_where(column != "b", column, "rare").tolist()[:3]
    ['a', 'rare', nan]
    """
    series, other = (x, y) if type(x) is pd.Series else (y, x)
    if type(series) is not pd.Series:
        raise Unsupported("operand")
    text_of(series.array)
    refuse_few(len(series), "chosen strings")
    mask = _mask(condition, series, aligned=False)
    if type(other) is not str:
        raise Unsupported(f"or {type(other).__name__}")
    dictionary = dictionary_of(series)
    objects = np.array([*dictionary.values, other], dtype=object)
    kept = mask if series is x else ~mask
    # The last but one is the missing one, if any is.
    codes = np.where(kept, dictionary.codes, np.int32(len(objects) - 1))
    if not dictionary.complete:
        codes[codes < 0] = dictionary.count
    return objects.take(codes)


def _mask(mask: Any, series: pd.Series, *, aligned: bool = True) -> np.ndarray:
    if type(mask) is not pd.Series or mask.dtype != np.bool_ or len(mask) != len(series):
        raise Unsupported("condition")
    plain(mask)
    if aligned and not (mask.index is series.index or mask.index.identical(series.index)):
        raise Unsupported("different index")
    values: np.ndarray = mask.to_numpy()
    return values


def _with(dictionary: Dictionary, other: Any) -> tuple[Any, int]:
    """Return the distinct strings and another one, and where that is."""
    if type(other) is not str:
        raise Unsupported(f"or {type(other).__name__}")
    strings = dictionary.array[: dictionary.count]
    added = type(strings)._from_sequence([other], dtype=strings.dtype)
    return type(strings)._concat_same_type([strings, added]), dictionary.count


CHOOSING: dict[tuple[str, type], Callable[..., Any]] = {
    (".where", pd.Series): chosen(True),
    (".mask", pd.Series): chosen(False),
    ("numpy.where", pd.Series): numpy_where,
}
"""The entries of the table of direct calls."""
