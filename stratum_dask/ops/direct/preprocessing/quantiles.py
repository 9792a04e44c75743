"""QuantileTransformer: scikit-learn's own fit, with numbers that are sorted once.

It asks NumPy for a thousand quantiles, which puts each of two thousand places right by itself.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from stratum_dask.ops.direct.preprocessing.standing_in import standing_in
from stratum_dask.ops.rebound import with_globals


def fit(transformer: QuantileTransformer, X: Any, y: Any = None, /) -> QuantileTransformer:
    """Fit a QuantileTransformer and return it."""
    own = functools.partial(_dense_fit, transformer)
    with standing_in(transformer, _dense_fit=own):
        transformer.fit(X, y)
    return transformer


def fit_transform(transformer: QuantileTransformer, X: Any, y: Any = None, /) -> Any:
    """Fit a QuantileTransformer and return what it makes of `X`."""
    return fit(transformer, X, y).transform(X)


class _Sorted(np.ndarray):
    """Numbers in order: they lie where any of them is asked for."""

    def partition(self, *_: Any, **__: Any) -> None:
        """Leave them."""


def nanpercentile(X: Any, percentages: Any, axis: int) -> Any:
    """Return percentiles of the columns of X, as NumPy computes them from numbers in order.

    Zeros of both signs are equal but not the same, so NumPy finds out which it takes.

    Examples
    --------
    >>> X = np.array([[3.0, np.nan], [1.0, 5.0], [2.0, 4.0]])
    >>> nanpercentile(X, np.array([0.0, 50.0, 100.0]), axis=0).T
    array([[1. , 2. , 3. ],
           [4. , 4.5, 5. ]])
    """
    missing = np.isnan(X)
    if axis != 0 or missing.all(axis=0).any() or (np.signbit(X) & (X == 0)).any():
        return np.nanpercentile(X, percentages, axis=axis)
    found = [
        np.nanpercentile(np.sort(column[~absent]).view(_Sorted), percentages)
        for column, absent in zip(X.T, missing.T, strict=True)
    ]
    return np.array(found).T


_numpy = SimpleNamespace(**{**vars(np), "nanpercentile": nanpercentile})
_dense_fit = with_globals(QuantileTransformer._dense_fit, np=_numpy)
