"""Ranks of columns, whole or by groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.typing import SeriesGroupBy

from stratum_dask import _native
from stratum_dask.ops.direct.arrow import plain
from stratum_dask.ops.direct.dictionary import series_like
from stratum_dask.ops.direct.grouper import codes_of
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.steps import Unsupported

_TIES = ("average", "min", "max", "first", "dense")


def rank(
    series: pd.Series,
    method: Any = "average",
    *,
    na_option: Any = "keep",
    ascending: Any = True,
    pct: Any = False,
) -> pd.Series:
    """Run ``series.rank()``.

    Examples
    --------
    >>> rank(pd.Series([2.0, 1.0, 2.0, None])).tolist()
    [2.5, 1.0, 2.5, nan]
    """
    plain(series)
    ranks = _ranks(series, None, method, na_option, ascending, pct)
    return series_like(series, ranks, series.name)


def rank_in_groups(
    grouped: SeriesGroupBy,
    method: Any = "average",
    ascending: Any = True,
    na_option: Any = "keep",
    pct: Any = False,
) -> pd.Series:
    """Run ``frame.groupby(keys)[column].rank()``."""
    series = grouped.obj
    plain(series)
    ranks = _ranks(series, codes_of(grouped._grouper).codes, method, na_option, ascending, pct)
    return series_like(series, ranks, series.name)


def _ranks(
    series: pd.Series,
    codes: np.ndarray | None,
    method: Any,
    na_option: Any,
    ascending: Any,
    pct: Any,
) -> np.ndarray:
    values = blocks.series_values(series)
    if not isinstance(values, np.ndarray) or values.dtype not in (np.float64, np.int64):
        raise Unsupported(f"dtype {series.dtype}")
    if method not in _TIES or na_option != "keep":
        raise Unsupported("method or na_option")
    if type(ascending) is not bool or type(pct) is not bool:
        raise Unsupported("ascending or pct is no bool")
    if codes is not None and values.dtype == np.int64 and (codes < 0).any():
        values = values.astype(np.float64)  # as pandas, whose result has missing rows
    values = np.require(values, requirements=("C", "A"))
    out = np.empty(len(values))
    _native.rank(values, out, method, ascending, pct, codes)
    return out


RANKS: dict[tuple[str, type], Callable[..., Any]] = {
    (".rank", pd.Series): rank,
    (".rank", SeriesGroupBy): rank_in_groups,
}
"""The entries for ranks."""
