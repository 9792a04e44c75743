"""Bins: ``pandas.cut`` and ``pandas.qcut``.

What pandas makes of a number depends only on which edges it is on, or between. So pandas bins one
number of each kind, and kernels find of which kind each row is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.reshape import tile

from stratum_dask import _native
from stratum_dask.ops.direct.arrow import plain
from stratum_dask.ops.direct.dictionary import series_like
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.frames import blocks, environment
from stratum_dask.ops.steps import Unsupported, attempt

_BINNED = frozenset({"float64", "int64", "int32", "int16", "int8"})
#: More bins than this are rather a mistake than a feature.
_MOST = 1_000


def cut(
    x: pd.Series,
    bins: Any,
    right: Any = True,
    labels: Any = None,
    *,
    precision: Any = 3,
    include_lowest: Any = False,
    duplicates: Any = "raise",
    ordered: Any = True,
) -> pd.Series:
    """Run ``pandas.cut`` of a column of numbers.

    Examples
    --------
    >>> cut(pd.Series([1.0, 5.0, None] * 5_000), [0, 2, 9], labels=False).tolist()[:3]
    [0.0, 1.0, nan]
    """
    values = _values(x)
    refuse_few(len(x), "bins at edges")
    if type(bins) is int:
        edges = _nbins(values, bins, right)
    elif type(bins) in (list, tuple, np.ndarray):
        edges = pd.Index(bins)
    else:
        raise Unsupported("bins are no number or list")
    if not edges.is_monotonic_increasing:
        raise Unsupported("bins don't increase")
    options = {
        "right": right,
        "labels": labels,
        "precision": precision,
        "include_lowest": include_lowest,
        "duplicates": duplicates,
        "ordered": ordered,
    }
    return _bin(x, values, edges, options)


def qcut(
    x: pd.Series, q: Any, labels: Any = None, *, precision: Any = 3, duplicates: Any = "raise"
) -> pd.Series:
    """Run ``pandas.qcut`` of a column of floats.

    Examples
    --------
    >>> qcut(pd.Series([1.0, 5.0, 9.0] * 2_000), 3, labels=False).tolist()[:3]
    [0, 1, 2]
    """
    values = _values(x)
    refuse_few(len(x), "bins of equal numbers")
    if type(q) is not int or not 1 <= q <= _MOST:
        raise Unsupported("q is no number of bins")
    edges = pd.Index(_quantiles(values, q))
    options = {
        "labels": labels,
        "precision": precision,
        "include_lowest": True,
        "duplicates": duplicates,
    }
    return _bin(x, values, edges, options)


def _values(x: pd.Series) -> np.ndarray:
    plain(x)
    values = blocks.series_values(x)
    if not isinstance(values, np.ndarray) or values.dtype.name not in _BINNED:
        raise Unsupported(f"dtype {x.dtype}")
    return np.require(values, requirements=("C", "A"))


def _nbins(values: np.ndarray, count: int, right: Any) -> pd.Index:
    """Return the edges of bins of equal width, which depend on the extremes alone."""
    if not 1 <= count <= _MOST or type(right) is not bool:
        raise Unsupported("bins or right")
    lowest, highest = np.fmin.reduce(values), np.fmax.reduce(values)
    if not np.isfinite(lowest) or not np.isfinite(highest):
        raise Unsupported("values that are not finite")
    extremes = pd.Index(np.array([lowest, highest], dtype=values.dtype))
    return tile._nbins_to_bins(extremes, count, right)


def _quantiles(values: np.ndarray, q: int) -> np.ndarray:
    """Return the edges of bins of equal numbers of rows."""
    if values.dtype != np.float64:
        raise Unsupported(f"quantiles of dtype {values.dtype}")
    fractions = np.linspace(0, 1, q + 1)
    # As pandas does with what is not representable.
    np.putmask(fractions, q * fractions != np.arange(q + 1), np.nextafter(fractions, 1))
    nodes: list[tuple[Any, ...]] = [("input", "f64", 0)]
    nodes += [("quantile", "f64", 0, environment.fraction(each)) for each in fractions.tolist()]
    found, flags = _native.Program(nodes, list(range(1, q + 2))).run([values], [], 1)
    if flags or not np.isfinite(found).all():
        raise Unsupported("quantiles that are not finite, or zeros of both signs")
    return np.array(found)


def _bin(x: pd.Series, values: np.ndarray, edges: pd.Index, options: dict[str, Any]) -> pd.Series:
    if edges.dtype.kind not in "iuf" or not 1 < len(edges) <= _MOST:
        raise Unsupported("edges are no numbers")
    if edges.hasnans or (edges.dtype.kind != "f" and np.abs(edges).max() > 2**53):
        raise Unsupported("edges are no floats")
    points = np.unique(edges.to_numpy(dtype="float64"))
    # One number of each kind: below the first edge, on it, above it and below the next, ...
    kinds = np.empty(2 * len(points) + 2)
    with np.errstate(all="ignore"):
        kinds[0:-2:2], kinds[1:-2:2] = np.nextafter(points, -np.inf), points
        kinds[-2], kinds[-1] = np.nextafter(points[-1], np.inf), np.nan
    found, _ = attempt(tile._bins_to_cuts, pd.Index(kinds), edges, **options)
    places = np.empty(len(values), dtype="int32")
    try:
        _native.places(values, points, places)
    except ValueError as error:
        raise Unsupported(str(error)) from error
    return series_like(x, _spread(found, places), x.name)


def _spread(found: Any, places: np.ndarray) -> Any:
    """Give each row what was found for its kind."""
    if isinstance(found, pd.Categorical):
        codes = _pick(found.codes, places)
        return pd.Categorical.from_codes(codes, dtype=found.dtype, validate=False)
    if not isinstance(found, np.ndarray) or found.dtype != np.float64:
        raise Unsupported("bins of another kind")
    result = _pick(found, places)
    # Numbers of bins are floats only if some row is in none.
    return result if np.isnan(result).any() else result.astype("int64")


def _pick(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    out = np.empty(len(places), dtype=values.dtype)
    _native.gather(places, np.ascontiguousarray(values), out, True)
    return out


BINS: dict[tuple[str, type], Callable[..., Any]] = {
    ("pandas.cut", pd.Series): cut,
    ("pandas.qcut", pd.Series): qcut,
}
"""The entries for bins."""
