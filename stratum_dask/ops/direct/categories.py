"""Columns of strings as a whole: categories, counts, dummies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.dtypes.cast import coerce_indexer_dtype
from pandas.core.dtypes.dtypes import CategoricalDtype

from stratum_dask import _native
from stratum_dask.ops.direct.arrow import native
from stratum_dask.ops.direct.dictionary import by_string, dictionary_of, series_like
from stratum_dask.ops.direct.lengths import LEAST, refuse_few
from stratum_dask.ops.direct.spelling import spelled
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.steps import Unsupported

#: More columns than this are rather a mistake than a feature.
_MOST_DUMMIES = 1_000
#: The dtypes that strings are turned to, and dummies have.
_NUMBERS = frozenset(("int", "float", "int64", "float64", "int32", "float32", "int8", "uint8"))


def astype(series: pd.Series, dtype: Any) -> pd.Series:
    """Run ``series.astype("category")``, and conversions of strings to numbers and to strings.

    Examples
    --------
    >>> column = pd.Series(["b", "a", "b"] * 1_000, dtype="str")
    >>> astype(column, "category").cat.codes.tolist()[:3]
    [1, 0, 1]
    """
    if dtype is str or (type(dtype) is str and dtype == "str"):
        return spelled(series, dtype)
    if type(dtype) is not str or dtype != "category":
        return _converted(series, dtype)
    dictionary = dictionary_of(series, any_number=True)
    strings = dictionary.array[: dictionary.count]
    order = np.empty(dictionary.count, dtype="int64")
    native(strings._pa_array).order(order)
    # pandas would check that they are distinct, which costs more than all else.
    categories = CategoricalDtype._from_fastpath(pd.Index(strings.take(order), copy=False), False)
    rank = np.full(len(dictionary.array), -1, dtype="int64")
    rank[order] = np.arange(dictionary.count)
    codes = dictionary.spread(coerce_indexer_dtype(rank, categories.categories))
    return series_like(
        series, pd.Categorical.from_codes(codes, dtype=categories, validate=False), series.name
    )


def _converted(series: pd.Series, dtype: Any) -> pd.Series:
    """Convert strings to numbers."""
    if dtype not in (int, float) and not (type(dtype) is str and dtype in _NUMBERS):
        raise Unsupported("other dtypes than category and numbers")
    return by_string(series, lambda distinct: distinct.astype(dtype))


def astype_of_columns(frame: pd.DataFrame, dtype: Any) -> pd.DataFrame:
    """Run ``frame.astype("category")`` of columns of strings."""
    if type(dtype) is not str or dtype != "category":
        raise Unsupported("other dtypes than category")
    if not blocks.plain(frame) or frame.columns.empty:
        raise Unsupported("attrs, flags or no columns")
    columns = [astype(frame.iloc[:, i], dtype) for i in range(frame.shape[1])]
    result = pd.concat(columns, axis=1)
    result.columns = frame.columns
    return result


def to_numeric(arg: pd.Series, errors: Any = "raise") -> pd.Series:
    """Run ``pandas.to_numeric`` of strings.

    Examples
    --------
    >>> to_numeric(pd.Series(["1", "x"] * 1_000, dtype="str"), errors="coerce").tolist()[:2]
    [1.0, nan]
    """
    if errors not in ("raise", "coerce"):
        raise Unsupported("errors")
    return by_string(arg, lambda distinct: pd.to_numeric(distinct, errors=errors))


def mode(series: pd.Series) -> pd.Series:
    """Run ``series.mode()`` of strings.

    Examples
    --------
    >>> mode(pd.Series(["a", "b", "a", None] * 20_000, dtype="str")).tolist()
    ['a']
    """
    dictionary = dictionary_of(series, known=len(series) < LEAST["most frequent string"])
    if dictionary.count == 0:
        raise Unsupported("no strings")
    counts = dictionary.counts[: dictionary.count]
    most = dictionary.array.take(np.flatnonzero(counts == counts.max()))
    return pd.Series(most, name=series.name, copy=False).mode()


def factorize(series: pd.Series, sort: Any = False) -> tuple[Any, Any]:
    """Run ``series.factorize()`` or ``pandas.factorize(series)``.

    Examples
    --------
    >>> factorize(pd.Series(["b", "a", "b", None] * 1_000, dtype="str"))[0].tolist()[:4]
    [0, 1, 0, -1]
    """
    if type(sort) is not bool:
        raise Unsupported("sort is no bool")
    dictionary = dictionary_of(series)
    codes, uniques = pd.Series(dictionary.array, copy=False).factorize(sort=sort)
    return dictionary.spread(codes), uniques


def value_counts(
    series: pd.Series, normalize: Any = False, sort: Any = True, ascending: Any = False
) -> pd.Series:
    """Run ``series.value_counts()``.

    Examples
    --------
    >>> value_counts(pd.Series(["b", "a", "b", None] * 1_000, dtype="str")).to_dict()
    {'b': 2000, 'a': 1000}
    """
    if not all(type(flag) is bool for flag in (normalize, sort, ascending)):
        raise Unsupported("arguments are no bools")
    dictionary = dictionary_of(series, any_number=True)
    index = pd.Index(dictionary.array[: dictionary.count], name=series.name, copy=False)
    name = "proportion" if normalize else "count"
    counts = dictionary.counts[: dictionary.count]  # read-only, as those of Arrow
    result = pd.Series(counts, index=index, name=name, copy=False)
    if sort:
        result = result.sort_values(ascending=ascending, kind="stable")
    return result / result.sum() if normalize else result


def nunique(series: pd.Series) -> int:
    """Run ``series.nunique()``."""
    return dictionary_of(series, any_number=True).count


def unique(series: pd.Series) -> Any:
    """Run ``series.unique()`` of a column of which no row is missing."""
    dictionary = dictionary_of(series)
    if not dictionary.complete:
        raise Unsupported("missing rows")
    return dictionary.array.copy()


def get_dummies(
    data: pd.Series,
    prefix: Any = None,
    prefix_sep: Any = "_",
    dummy_na: Any = False,
    *,
    drop_first: Any = False,
    dtype: Any = None,
) -> pd.DataFrame:
    """Run ``pandas.get_dummies`` of a column.

    Examples
    --------
    >>> get_dummies(pd.Series(["b", "a"] * 1_000, dtype="str")).iloc[0].tolist()
    [False, True]
    """
    if not all(type(value) in (str, bool, type(None)) for value in (prefix, prefix_sep)):
        raise Unsupported("prefix is no string")
    if type(dummy_na) is not bool or type(drop_first) is not bool:
        raise Unsupported("dummy_na or drop_first is no bool")
    if dtype not in (None, bool, int, float) and not (type(dtype) is str and dtype in _NUMBERS):
        raise Unsupported("dtype")
    dictionary = dictionary_of(data)
    if dictionary.count > _MOST_DUMMIES:
        raise Unsupported("many distinct strings")
    # One row for each distinct string says which column is its own, if any.
    small = pd.get_dummies(
        pd.Series(dictionary.array, name=data.name, copy=False),
        prefix=prefix,
        prefix_sep=prefix_sep,
        dummy_na=dummy_na,
        drop_first=drop_first,
    )
    cells = small.to_numpy()
    if cells.shape[1] == 0 or len(data) == 0:
        raise Unsupported("no columns")
    own = np.where(cells.any(axis=1), cells.argmax(axis=1), -1).astype("int32")
    out = np.zeros((cells.shape[1], len(data)), dtype=bool)
    _native.one_hot(dictionary.spread(own), out.reshape(-1))
    if dtype not in (None, bool):
        out = out.astype(dtype)
    return pd.DataFrame(out.T, index=data.index, columns=small.columns, copy=False)


def get_dummies_of_columns(
    data: pd.DataFrame,
    prefix: Any = None,
    prefix_sep: Any = "_",
    dummy_na: Any = False,
    columns: Any = None,
    *,
    drop_first: Any = False,
    dtype: Any = None,
) -> pd.DataFrame:
    """Run ``pandas.get_dummies`` of a frame: of some columns, or all that hold strings."""
    refuse_few(len(data), "dummies of frames")
    labels = data.columns
    if not labels.is_unique or not blocks.plain(data):
        raise Unsupported("repeated column labels, attrs or flags")
    encodable = [label for label in labels if not isinstance(data[label].dtype, np.dtype)]
    named = columns is not None
    if not named:
        columns = encodable
        if any(each.kind == "O" and isinstance(each, np.dtype) for each in data.dtypes):
            raise Unsupported("columns of objects")
    if type(columns) is not list or not all(label in encodable for label in columns):
        raise Unsupported("columns are no list of columns of strings")
    if prefix is not None or type(prefix_sep) is not str or not columns:
        raise Unsupported("prefix, separator or no columns")
    options = {"dummy_na": dummy_na, "drop_first": drop_first, "dtype": dtype}
    parts = [get_dummies(data[label], label, prefix_sep, **options) for label in columns]
    if len(columns) < len(labels):
        # As in pandas; other columns may lie in other blocks.
        rest = data.drop(columns, axis=1) if named else blocks.numpy_columns(data)
        parts.insert(0, rest)
    return pd.concat(parts, axis=1)


DIRECT: dict[tuple[str, type], Callable[..., Any]] = {
    (".astype", pd.Series): astype,
    (".astype", pd.DataFrame): astype_of_columns,
    ("pandas.to_numeric", pd.Series): to_numeric,
    (".mode", pd.Series): mode,
    (".factorize", pd.Series): factorize,
    ("pandas.factorize", pd.Series): factorize,
    (".value_counts", pd.Series): value_counts,
    (".nunique", pd.Series): nunique,
    (".unique", pd.Series): unique,
    ("pandas.get_dummies", pd.Series): get_dummies,
    ("pandas.get_dummies", pd.DataFrame): get_dummies_of_columns,
}
"""The entries of the table of direct calls."""
