"""Everything that linear models need to know of their data, in one pass over it.

Sums of products are taken of values from which the mean of the first rows is subtracted, and
corrected at the end: with ``d`` the distance between that and the true mean, ``d^2`` is at most
``n / BLOCK`` variances, so that next to nothing cancels (T. Chan, G. Golub and R. LeVeque,
Algorithms for Computing the Sample Variance, 1983).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg.blas import dsyrk

BLOCK = 1024
"""Rows at a time: 50 columns of them stay in the cache between centring and multiplying."""


class Gram(NamedTuple):
    """Sums over the rows of centred columns, weighted if there are weights.

    Attributes
    ----------
    rows : int
    weight : float
        The sum of the weights; the number of rows without them.
    x_mean, y_mean : array of shape (columns,), (targets,)
    xx, xy, yy : array of shape (columns, columns), (columns, targets), (targets,)
        Sums of products of centred columns; of `yy` the diagonal only.
    """

    rows: int
    weight: float
    x_mean: np.ndarray
    y_mean: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    def uncentred(self) -> Gram:
        """Return the sums of the columns as they are, for models without an intercept."""
        x, y, n = self.x_mean, self.y_mean, self.weight
        return self._replace(
            x_mean=np.zeros_like(x),
            y_mean=np.zeros_like(y),
            xx=self.xx + n * np.outer(x, x),
            xy=self.xy + n * np.outer(x, y),
            yy=self.yy + n * y**2,
        )


def gram(X: np.ndarray, y: np.ndarray, weights: Any = None) -> Gram:
    """Compute the sums that linear models need.

    Parameters
    ----------
    X : array of shape (rows, columns)
        Of float64.
    y : array of shape (rows, targets)
        Of float64.
    weights : array of shape (rows,), optional

    Returns
    -------
    Gram

    Examples
    --------
    >>> X, y = np.array([[1.0], [3.0]]), np.array([[2.0], [4.0]])
    >>> found = gram(X, y)
    >>> found.x_mean.tolist(), found.xx.tolist(), found.xy.tolist()
    ([2.0], [[2.0]], [[2.0]])
    """
    rows, columns = X.shape
    width = columns + y.shape[1]
    shift = np.concatenate([X[:BLOCK].mean(axis=0), y[:BLOCK].mean(axis=0)])
    sums = np.zeros((width + 1, width + 1), order="F")
    buffer = np.empty((min(BLOCK, rows), width + 1))
    for start in range(0, rows, BLOCK):
        block = slice(start, min(start + BLOCK, rows))
        values = buffer[: block.stop - start]
        np.subtract(X[block], shift[:columns], out=values[:, :columns])
        np.subtract(y[block], shift[columns:], out=values[:, columns:width])
        values[:, width] = 1.0
        if weights is not None:
            values *= np.sqrt(weights[block])[:, None]
        sums = dsyrk(1.0, values.T, beta=1.0, c=sums, overwrite_c=True)
    sums = np.triu(sums) + np.triu(sums, 1).T
    weight = float(rows) if weights is None else float(sums[width, width])
    beyond = sums[:width, width] / weight
    centred = sums[:width, :width] - weight * np.outer(beyond, beyond)
    mean = shift + beyond
    return Gram(
        rows,
        weight,
        mean[:columns],
        mean[columns:],
        np.ascontiguousarray(centred[:columns, :columns]),
        centred[:columns, columns:],
        np.maximum(np.diag(centred)[columns:], 0.0),
    )
