"""Everything that linear models need to know of their data, in one pass over it.

Sums of products are taken of values from which the mean of the first rows is subtracted, and
corrected at the end: with ``d`` the distance between that and the true mean, ``d^2`` is at most
``n / BLOCK`` variances, so that next to nothing cancels. Sums over several groups of rows add up to
those over all of them; there, nothing is subtracted (T. Chan, G. Golub and R. LeVeque, Algorithms
for Computing the Sample Variance, 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg.blas import dsyrk

BLOCK = 1024
"""Rows at a time: 50 columns of them stay in the cache between centring and multiplying."""

_MOST_FOLDS = 16
"""Folds that share a pass: as many as a number of 16 bits can tell apart."""
_LEAST_ROWS = 256
"""Of a group of rows on average; adding sums of fewer costs more than taking them again."""


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

    @classmethod
    def together(cls, parts: Sequence[Gram]) -> Gram:
        """Return the sums over the rows of several parts, which have none in common.

        Examples
        --------
        >>> X, y = np.array([[1.0], [3.0], [8.0]]), np.zeros((3, 1))
        >>> several = grams(X, y, [np.array([0, 2]), np.array([1])])
        >>> Gram.together(several).xx.tolist(), gram(X, y).xx.tolist()
        ([[26.0]], [[26.0]])
        """
        weight = sum(part.weight for part in parts)
        x_mean, y_mean, xx, xy, yy = map(np.zeros_like, parts[0][2:])
        for part in parts:
            x_mean += part.weight / weight * part.x_mean
            y_mean += part.weight / weight * part.y_mean
        for part in parts:
            x, y, n = part.x_mean - x_mean, part.y_mean - y_mean, part.weight
            xx += part.xx + n * np.outer(x, x)
            xy += part.xy + n * np.outer(x, y)
            yy += part.yy + n * y**2
        return cls(sum(part.rows for part in parts), weight, x_mean, y_mean, xx, xy, yy)


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
    return grams(X, y, [np.arange(len(X))], weights)[0]


def sums_of_folds(X: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray]) -> list[Gram]:
    """Compute the sums over the rows of several folds, in one pass over all rows.

    Parameters
    ----------
    X, y : array
        As for :func:`gram`.
    folds : sequence of arrays of int
        The rows of each, none twice.

    Returns
    -------
    list of Gram
        One per fold. Of many folds that overlap in many ways, a few share a pass.

    Raises
    ------
    ValueError
        If a fold has no rows, or has one twice.

    Examples
    --------
    >>> X = np.array([[1.0], [3.0], [8.0]])
    >>> found = sums_of_folds(X, X, [np.array([0, 1]), np.array([2, 1])])
    >>> [one.x_mean.tolist() for one in found]
    [[2.0], [5.5]]
    """
    groups, within = _groups(folds[:_MOST_FOLDS], len(X))
    if len(folds) > 1 and (len(folds) > _MOST_FOLDS or len(groups) > len(X) / _LEAST_ROWS):
        half = len(folds) // 2
        return sums_of_folds(X, y, folds[:half]) + sums_of_folds(X, y, folds[half:])
    each = grams(X, y, groups)
    return [Gram.together([each[number] for number in its]) for its in within]


def _groups(folds: Sequence[np.ndarray], rows: int) -> tuple[list[np.ndarray], list[list[int]]]:
    """Group the rows by the folds that they are in, and say which groups each fold has."""
    codes = np.zeros(rows, dtype=np.uint16)  # those are sorted in linear time
    for number, fold in enumerate(folds):
        codes[fold] |= np.uint16(1 << number)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order])) + 1
    groups = [group for group in np.split(order, starts) if len(group) and codes[group[0]]]
    within: list[list[int]] = []
    for number, fold in enumerate(folds):
        its = [i for i, group in enumerate(groups) if codes[group[0]] >> number & 1]
        if not its or sum(len(groups[i]) for i in its) != len(fold):
            raise ValueError("a fold has no rows, or has one twice")
        within.append(its)
    return groups, within


def grams(
    X: np.ndarray, y: np.ndarray, groups: Sequence[np.ndarray], weights: Any = None
) -> list[Gram]:
    """Compute the sums over several groups of rows, in one pass over all of them.

    Parameters
    ----------
    X, y, weights : array
        As for :func:`gram`.
    groups : sequence of arrays of int
        The rows of each, ascending; none is empty.

    Returns
    -------
    list of Gram
        One per group.
    """
    buffer = np.empty((BLOCK, X.shape[1] + y.shape[1] + 1))
    each = [_Sums(X, y, weights, group, buffer) for group in groups]
    # Groups that are spread over the rows advance side by side: all read the same memory.
    for start in range(0, max(map(len, groups)), BLOCK):
        for one in each:
            one.add(start)
    return [one.result() for one in each]


class _Sums:
    """Sums of products over a group of rows, which grow block by block."""

    def __init__(
        self, X: np.ndarray, y: np.ndarray, weights: Any, rows: np.ndarray, buffer: np.ndarray
    ) -> None:
        self._X, self._y, self._weights, self._rows, self._buffer = X, y, weights, rows, buffer
        self._columns, self._width = X.shape[1], X.shape[1] + y.shape[1]
        first = _span(rows[:BLOCK])
        self._shift = np.concatenate([X[first].mean(axis=0), y[first].mean(axis=0)])
        self._sums = np.zeros((self._width + 1, self._width + 1), order="F")

    def add(self, start: int) -> None:
        """Add the block that begins with a row, if there is one."""
        rows = self._rows[start : start + BLOCK]
        if not len(rows):
            return
        block, columns, width = _span(rows), self._columns, self._width
        values = self._buffer[: len(rows)]
        np.subtract(self._X[block], self._shift[:columns], out=values[:, :columns])
        np.subtract(self._y[block], self._shift[columns:], out=values[:, columns:width])
        values[:, width] = 1.0
        if self._weights is not None:
            values *= np.sqrt(self._weights[block])[:, None]
        self._sums = dsyrk(1.0, values.T, beta=1.0, c=self._sums, overwrite_c=True)

    def result(self) -> Gram:
        """Return the sums over all blocks that were added, of centred columns."""
        rows, columns, width = len(self._rows), self._columns, self._width
        sums = np.triu(self._sums) + np.triu(self._sums, 1).T
        weight = float(rows) if self._weights is None else float(sums[width, width])
        beyond = sums[:width, width] / weight
        centred = sums[:width, :width] - weight * np.outer(beyond, beyond)
        mean = self._shift + beyond
        return Gram(
            rows,
            weight,
            mean[:columns],
            mean[columns:],
            np.ascontiguousarray(centred[:columns, :columns]),
            centred[:columns, columns:],
            np.maximum(np.diag(centred)[columns:], 0.0),
        )


def _span(rows: np.ndarray) -> Any:
    """Return ascending rows as a slice if none is missing between them: it needs no copy."""
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first == len(rows) - 1 else rows
