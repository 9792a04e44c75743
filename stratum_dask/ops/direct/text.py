"""Strings: what pandas does to each string it does here to each distinct one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.strings.accessor import StringMethods

from stratum_dask.ops.direct.arrow import chunks_of, native
from stratum_dask.ops.direct.casing import CASES, change_case
from stratum_dask.ops.direct.dictionary import (
    MANY,
    by_string,
    dictionary_of,
    series_like,
)
from stratum_dask.ops.direct.lengths import LEAST
from stratum_dask.ops.direct.matching import BY_ROW, by_row
from stratum_dask.ops.steps import Unsupported, attempt

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
        "islower",
        "isnumeric",
        "isspace",
        "isupper",
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
        "title",
        "upper",
        "zfill",
    )
)
#: Those that are cheap for few rows.
_REWRITING = frozenset(("capitalize", "removeprefix", "removesuffix", "replace", "slice_replace"))
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
#: Each of so few rows is looked at in less time than pandas needs for their distinct strings.
_FEW = 100_000
#: Those that are cheap too unless they look for patterns.
_PLAIN = frozenset(("contains",))
_LITERALS = (str, int, float, bool, type(None))
_NOTHING: Any = object()

PIECES: frozenset[str] = frozenset({"[]"})
"""What is read of lists of which later steps take single items."""


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
        series, regex = accessor._orig, kwargs.get("regex")
        few = len(series) < LEAST["rewritten strings"] and regex is not True
        cheap = (
            name in _CHEAP or (name in _PLAIN and regex is False) or (name in _REWRITING and few)
        )

        def call(distinct: pd.Series) -> Any:
            return getattr(distinct.str, name)(*args, **kwargs)

        if cheap and not kwargs:
            return _once(name, series, call, *args)
        return by_string(series, call, known=cheap)

    return run


def _once(name: str, series: Any, call: Callable[[pd.Series], Any], *args: Any) -> Any:
    """Run a cheap call on each row, or on the distinct strings if they are known."""
    if name in CASES and not args:
        try:
            return by_string(series, call, known=True)  # which keeps what is known for later steps
        except Unsupported:
            return change_case(name, series)
    if name not in BY_ROW:
        return by_string(series, call, known=True)
    few = len(series) < _FEW
    try:
        return by_row(name, series, *args) if few else by_string(series, call, known=True)
    except Unsupported:
        return by_string(series, call, known=True) if few else by_row(name, series, *args)


class Pieces:
    """Split strings of which only single pieces are asked for, as ``.str`` gives them.

    Parameters
    ----------
    series : Series
        The strings.
    pieces : Series
        The lists of the distinct ones.
    """

    def __init__(self, series: pd.Series, pieces: pd.Series) -> None:
        self._series = series
        self._pieces = pieces

    @property
    def str(self) -> Pieces:
        """What the ``.str`` of the lists would be."""
        return self

    def get(self, i: int) -> Any:
        """Return one piece of each string."""
        pieces = self._pieces.str.get(i)
        dictionary = dictionary_of(self._series)
        values = pieces.to_numpy().take(dictionary.codes)
        # Strings among objects would be found out to be strings.
        index, name = self._series.index, self._series.name
        return pd.Series(values, index=index, name=name, dtype=pieces.dtype, copy=False)

    __getitem__ = get


def split(name: str) -> Callable[..., Any]:
    """Return the form of a method that splits strings into lists or columns.

    Examples
    --------
    >>> column = pd.Series(["a-b", "c"] * 1_000, dtype="str")
    >>> split("split")(None, column.str, "-", expand=True).iloc[0].tolist()
    ['a', 'b']
    """

    def run(read: Any, accessor: StringMethods, *args: Any, **kwargs: Any) -> Any:
        _literal(args, kwargs)
        series = accessor._orig
        if kwargs.get("expand") is True:
            return by_string(series, lambda distinct: getattr(distinct.str, name)(*args, **kwargs))
        if read is not PIECES or kwargs.get("expand", False) is not False:
            raise Unsupported("lists, which can be changed one by one")
        dictionary = dictionary_of(series)
        distinct = pd.Series(dictionary.array, copy=False)
        return Pieces(series, attempt(getattr(distinct.str, name), *args, **kwargs))

    return run


def _piece(pieces: Pieces, i: Any, /) -> Any:
    return pieces.get(i)


def _of_pieces(pieces: Pieces, name: Any, /) -> Pieces:
    return pieces.str


def getitem(accessor: StringMethods, key: Any, /) -> Any:
    """Run ``series.str[key]``."""
    _literal((key,), {})
    return by_string(accessor._orig, lambda distinct: distinct.str[key], known=True)


def comparison(name: str) -> Callable[..., Any]:
    """Return the form of a comparison to one string."""
    compare = getattr(operator, name)

    def run(series: pd.Series, other: Any, /) -> Any:
        if type(other) is not str:
            raise Unsupported(f"compared to {type(other).__name__}")
        return _once(name, series, lambda distinct: compare(distinct, other), other)

    return run


def isin(series: pd.Series, values: Any) -> Any:
    """Run ``series.isin(values)`` for a list, tuple or set of literals."""
    if type(values) not in (list, tuple, set) or not all(type(v) in _LITERALS for v in values):
        raise Unsupported("values are no collection of literals")
    return _once("isin", series, lambda distinct: distinct.isin(values), values)


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
        return by_string(series, lambda distinct: distinct.map(func))
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
    known = len(series) < LEAST["rewritten strings"]
    return by_string(series, lambda distinct: distinct.fillna(value), known=known)


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
    few = LEAST["replaced strings" if len(texts) > 2 else "rewritten strings"]
    known = not regex and len(series) < few
    return by_string(
        series, lambda distinct: distinct.replace(*arguments, regex=regex), known=known
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


DIRECT: dict[tuple[str, type], Callable[..., Any]] = {
    **{(f".{name}", StringMethods): method(name) for name in _METHODS},
    ("operator.getitem", StringMethods): getitem,
    ("getattr", Pieces): _of_pieces,
    ("operator.getitem", Pieces): _piece,
    (".get", Pieces): _piece,
    **{(f"operator.{name}", pd.Series): comparison(name) for name in _COMPARISONS},
    **{(f".{name}", pd.Series): comparison(name) for name in _COMPARISONS},
    (".isin", pd.Series): isin,
    (".map", pd.Series): map_values,
    (".fillna", pd.Series): fillna,
    (".replace", pd.Series): replace,
}
"""The entries of the table of direct calls."""

PARTIAL: dict[tuple[str, type], Callable[..., Any]] = {
    (f".{name}", StringMethods): split(name) for name in ("split", "rsplit", "partition")
}
"""The entries that take first what of their result is read."""
