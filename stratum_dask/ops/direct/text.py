"""Strings: what pandas does to each string it does here to each distinct one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.strings.accessor import StringMethods

from stratum_dask.ops.direct.arrow import chunks_of, native
from stratum_dask.ops.direct.dictionary import MANY, Dictionary, dictionary_of, series_like
from stratum_dask.ops.steps import Unsupported

#: Methods of ``.str`` whose result for a row depends on this row's string alone.
_METHODS = (
    "capitalize",
    "casefold",
    "center",
    "contains",
    "count",
    "endswith",
    "extract",
    "find",
    "fullmatch",
    "get",
    "isalnum",
    "isalpha",
    "isdecimal",
    "isdigit",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "len",
    "ljust",
    "lower",
    "lstrip",
    "match",
    "pad",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rjust",
    "rstrip",
    "slice",
    "slice_replace",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
)
#: Those that pandas does in less time than it takes to number the strings: worth it only if an
#: earlier call has done so, or a result's dictionary comes for nothing.
_CHEAP = frozenset(
    (
        "center",
        "endswith",
        "find",
        "get",
        "isalnum",
        "isalpha",
        "isdecimal",
        "isdigit",
        "isnumeric",
        "isspace",
        "len",
        "ljust",
        "lower",
        "lstrip",
        "pad",
        "rjust",
        "rstrip",
        "slice",
        "startswith",
        "strip",
        "swapcase",
        "upper",
        "zfill",
    )
)
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
#: Those that are cheap too unless they look for patterns.
_PLAIN = frozenset(("contains",))
_LITERALS = (str, int, float, bool, type(None))
_GATHERED = "biuf"
_NOTHING: Any = object()


# -- one string at a time ----------------------------------------------------------------------


def method(name: str) -> Callable[..., Any]:
    """Return the form of a method of the ``.str`` accessor.

    Examples
    --------
    >>> column = pd.Series(["JFK", None, "LGA", "JFK"] * 1_000, dtype="str")
    >>> method("contains")(column.str, "K").tolist()[:4]
    [True, False, False, True]
    """

    def run(accessor: StringMethods, *args: Any, **kwargs: Any) -> Any:
        _literal(args, kwargs)
        cheap = name in _CHEAP or (name in _PLAIN and kwargs.get("regex") is False)
        return _by_string(
            accessor._orig,
            lambda distinct: getattr(distinct.str, name)(*args, **kwargs),
            known=cheap,
        )

    return run


def getitem(accessor: StringMethods, key: Any, /) -> Any:
    """Run ``series.str[key]``."""
    _literal((key,), {})
    return _by_string(accessor._orig, lambda distinct: distinct.str[key], known=True)


def comparison(name: str) -> Callable[..., Any]:
    """Return the form of a comparison to one string."""
    compare = getattr(operator, name)

    def run(series: pd.Series, other: Any, /) -> Any:
        if type(other) is not str:
            raise Unsupported(f"compared to {type(other).__name__}")
        return _by_string(series, lambda distinct: compare(distinct, other), known=True)

    return run


def isin(series: pd.Series, values: Any) -> Any:
    """Run ``series.isin(values)`` for a list, tuple or set of literals."""
    if type(values) not in (list, tuple, set) or not all(type(v) in _LITERALS for v in values):
        raise Unsupported("values are no collection of literals")
    return _by_string(series, lambda distinct: distinct.isin(values), known=True)


def map_values(series: pd.Series, func: Any) -> Any:
    """Run ``series.map(func)`` for a dict or a Series.

    Examples
    --------
    >>> column = pd.Series(["a", "b", "a", None] * 1_000, dtype="str")
    >>> map_values(column, column.value_counts()).tolist()[:4]
    [2000.0, 1000.0, 2000.0, nan]
    """
    if type(func) not in (dict, pd.Series):
        raise Unsupported(f"mapped by {type(func).__name__}")
    try:
        return _by_string(series, lambda distinct: distinct.map(func))
    except Unsupported as refusal:
        if str(refusal) != MANY or type(func) is not pd.Series:
            raise
        return _look_up(series, func)


def _look_up(series: pd.Series, table: pd.Series) -> pd.Series:
    """Map strings, most of which are distinct, to the numbers of a Series."""
    if not isinstance(table.dtype, np.dtype) or table.dtype.kind not in "iuf":
        raise Unsupported(f"mapped to dtype {table.dtype}")
    if table.empty:
        raise Unsupported("mapped by an empty Series")
    keys, chunks = chunks_of(table.index.to_series()), chunks_of(series)
    positions = np.empty(len(series), dtype="int32")
    if not native(chunks).find(native(keys), positions):
        raise Unsupported("keys are missing or repeated")
    values = pd.api.extensions.take(table.to_numpy(), positions, allow_fill=True)
    return series_like(series, values, series.name)


def fillna(series: pd.Series, value: Any) -> Any:
    """Run ``series.fillna(value)`` for a string."""
    if type(value) is not str:
        raise Unsupported(f"filled with {type(value).__name__}")
    if chunks_of(series).null_count == 0:
        raise Unsupported("nothing to fill")
    return _by_string(series, lambda distinct: distinct.fillna(value), known=True)


def replace(
    series: pd.Series, to_replace: Any, value: Any = _NOTHING, *, regex: bool = False
) -> Any:
    """Run ``series.replace`` of strings by a string, or by a dict of strings."""
    if type(to_replace) is dict and value is _NOTHING:
        arguments: tuple[Any, ...] = (to_replace,)
        texts = [*to_replace, *to_replace.values()]
    else:
        wanted = to_replace if type(to_replace) is list else [to_replace]
        texts, arguments = [*wanted, value], (to_replace, value)
    if not all(type(text) is str for text in texts) or type(regex) is not bool:
        raise Unsupported("replaces what are no strings")
    return _by_string(
        series, lambda distinct: distinct.replace(*arguments, regex=regex), known=not regex
    )


def _literal(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that could do something at each call."""
    for value in (*args, *kwargs.values()):
        kind = type(value)
        parts = (value.start, value.stop, value.step) if kind is slice else value
        if kind in (tuple, slice):
            _literal(parts, {})
        elif kind not in _LITERALS:
            raise Unsupported("arguments are no literals")


def _by_string(series: Any, call: Callable[[pd.Series], Any], *, known: bool = False) -> Any:
    """Run a call on the distinct strings and spread what it returns over the rows."""
    dictionary = dictionary_of(series, known=known)
    distinct = pd.Series(dictionary.array, name=series.name, copy=False)
    try:
        result = call(distinct)
    except Exception as error:
        # pandas raises its own for the whole column.
        raise Unsupported(f"{type(error).__name__} in pandas") from error
    if type(result) is pd.DataFrame:
        columns = [result.iloc[:, i] for i in range(result.shape[1])]
        spread = {i: _spread(dictionary, column) for i, column in enumerate(columns)}
        frame = pd.DataFrame(spread, index=series.index, copy=False)
        frame.columns = result.columns
        return frame
    if type(result) is not pd.Series:
        raise Unsupported(f"returns {type(result).__name__}")
    return series_like(series, _spread(dictionary, result), result.name)


def _spread(dictionary: Dictionary, result: pd.Series) -> Any:
    dtype = result.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in _GATHERED and dtype.itemsize <= 8:
        return dictionary.spread(result.to_numpy())
    if dtype == dictionary.array.dtype and dtype.storage == "pyarrow":
        return dictionary.spread_strings(result.array)
    raise Unsupported(f"returns dtype {dtype}")


DIRECT: dict[tuple[str, type], Callable[..., Any]] = {
    **{(f".{name}", StringMethods): method(name) for name in _METHODS},
    ("operator.getitem", StringMethods): getitem,
    **{(f"operator.{name}", pd.Series): comparison(name) for name in _COMPARISONS},
    **{(f".{name}", pd.Series): comparison(name) for name in _COMPARISONS},
    (".isin", pd.Series): isin,
    (".map", pd.Series): map_values,
    (".fillna", pd.Series): fillna,
    (".replace", pd.Series): replace,
}
"""The entries of the table of direct calls."""
