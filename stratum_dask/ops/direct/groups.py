"""Groups: `df.groupby(...)`, its columns, reductions and transformations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.typing import DataFrameGroupBy, SeriesGroupBy

from stratum_dask.ops.direct.gather import pick_numbers
from stratum_dask.ops.direct.grouper import REDUCTIONS, codes_of, reduce, twin
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.steps import Unsupported, attempt

#: Methods of groups that call no function of the user.
_METHODS = (
    *("mean", "sum", "min", "max", "median", "std", "var", "first", "last", "count", "size"),
    *("nunique", "prod", "any", "all", "sem", "skew", "quantile", "idxmin", "idxmax"),
    *("cumsum", "cumprod", "cummin", "cummax", "cumcount", "ngroup"),
    *("shift", "diff", "rank", "pct_change", "ffill", "bfill", "head", "tail"),
)
#: Those that pandas does on few rows in less time than it takes to number the groups.
_CHEAP = frozenset(("mean", "sum", "min", "max", "count", "size", "first", "last", "shift"))
#: What pandas passes on for a reduction without arguments.
_OPTIONS: dict[str, dict[str, Any]] = {
    **{how: {"skipna": True} for how in REDUCTIONS},
    "sum": {"skipna": True, "min_count": 0},
    "var": {"skipna": True, "ddof": 1},
    "std": {"skipna": True, "ddof": 1},
}


def _groupby(frame: Any, *args: Any, **kwargs: Any) -> Any:
    return attempt(frame.groupby, *args, **kwargs)


def _select(grouped: Any, key: Any, /) -> Any:
    return attempt(grouped.__getitem__, key)


def _method(name: str) -> Callable[..., Any]:
    def run(grouped: Any, *args: Any, **kwargs: Any) -> Any:
        if name in _CHEAP:
            refuse_few(len(grouped.obj), "groups")
        return attempt(getattr(twin(grouped), name), *args, **kwargs)

    return run


def _aggregate(grouped: Any, func: Any = None, *args: Any, **kwargs: Any) -> Any:
    if args or not _names_only(kwargs if func is None else func):
        raise Unsupported("a function of the user")
    return attempt(twin(grouped).agg, func, **kwargs)


def _transform(grouped: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
    if type(func) is not str:
        raise Unsupported("a function of the user")
    if func in REDUCTIONS and type(grouped) is SeriesGroupBy and not args and not kwargs:
        result = _broadcast(grouped, func)
        if result is not None:
            return result
    return attempt(twin(grouped).transform, func, *args, **kwargs)


def _broadcast(grouped: SeriesGroupBy, how: str) -> pd.Series | None:
    """Reduce a column by groups in whatever order, and give each row its group's result."""
    series = grouped.obj
    values = series._values
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        return None
    try:
        codes, firsts = codes_of(grouped._grouper)
    except Unsupported:
        return None
    if not grouped.observed and len(grouped._grouper.groupings) > 1:
        return None
    if pd.Index(codes, copy=False).is_monotonic_increasing:
        return None  # pandas may add sorted groups in another order
    result = reduce(how, values, codes, len(firsts), 0, **_OPTIONS[how])
    if result.dtype.kind != "f" and codes.min() < 0:
        return None  # rows without a group make pandas choose another dtype
    return blocks.make_series(pick_numbers(result, codes), series.index, series.name)


def _names_only(functions: Any) -> bool:
    """Whether what is to be aggregated is said by names alone."""
    if type(functions) is dict:
        return bool(functions) and all(map(_names_only, functions.values()))
    if type(functions) is list:
        return all(type(name) is str for name in functions)
    if isinstance(functions, tuple):  # (column, function) or NamedAgg
        return len(functions) == 2 and type(functions[1]) is str
    return type(functions) is str


GROUPS: dict[tuple[str, type], Callable[..., Any]] = {
    (".groupby", pd.DataFrame): _groupby,
    (".groupby", pd.Series): _groupby,
    ("operator.getitem", DataFrameGroupBy): _select,
    **{
        (f".{name}", kind): function
        for kind in (DataFrameGroupBy, SeriesGroupBy)
        for name, function in (
            *((name, _method(name)) for name in _METHODS),
            ("agg", _aggregate),
            ("aggregate", _aggregate),
            ("transform", _transform),
        )
    },
}
"""The entries for groups."""
