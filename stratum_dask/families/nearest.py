"""The rows nearest to others by Euclidean distance, found by products of rounded rows.

    |x - y|^2 - |x|^2 = |y|^2 - 2xy      products in single precision, by BLAS
                                         those that rounding leaves open, summed exactly

Rounding moves each distance by at most a share of ``|x|^2 + |y|^2`` that follows from the number of
columns (N. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1). Rows are
centred first, which changes no distance and makes that little. Only rows that could be among the
nearest after all are looked at again, so what is found is as if all sums had been computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import frexp
from typing import NamedTuple

import numpy as np

from stratum_dask._native import Nearest
from stratum_dask.families.protocol import FitDirectly

_ROWS = 64
"""Rows that are looked for at once: enough for BLAS."""

_PRODUCTS = 1 << 20
"""Products at once, 4 MiB."""

_UNIT = 2.0**-23
"""Twice what rounding to single precision moves a number by, relative to it."""

_NUMBERS = 1 << 15
"""Numbers that are rounded at once."""

_SAMPLE = 256
"""Rows whose middle stands for that of all."""

_SMALL, _LARGE = 2.0**-400, 2.0**500
"""Differences between which all squares that matter are normal numbers."""


class Rounded(NamedTuple):
    """Rows as they are multiplied.

    Attributes
    ----------
    rows : array of float32, shape (rows, columns)
    least : array of float32, shape (rows,)
        The least that the squares of their lengths can count for, so that no distance is too large.
    doubt : array of float32, shape (rows,)
        By how much a distance can be larger because of the row.
    """

    rows: np.ndarray
    least: np.ndarray
    doubt: np.ndarray


def nearest(
    fitted: np.ndarray, rows: np.ndarray, k: int, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return which fitted rows are the `k` nearest to each row, and how near they are.

    Parameters
    ----------
    fitted, rows : arrays of float64, shapes (n, columns) and (m, columns)
        C-contiguous.
    k : int
        At most n.
    threads : int
        How many to use; what is returned does not depend on it.

    Returns
    -------
    indices : array of int64, shape (m, k)
        Nearest first, equal ones in the order of their indices.
    squares : array of float64, shape (m, k)
        Squared distances: squares of differences, added up in the order of the columns.

    Raises
    ------
    FitDirectly
        If squares of differences would be no numbers or all the same.

    Examples
    --------
    >>> import numpy as np
    >>> nearest(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 1.0]]), 2)
    (array([[0, 1]]), array([[ 1., 18.]]))
    """
    near, far = _rounded(fitted, rows)
    indices = np.empty((len(rows), k), np.int64)
    squares = np.empty((len(rows), k))
    columns = _slices(len(fitted), _PRODUCTS // _ROWS)

    @np.errstate(all="ignore")
    def search(blocks: Sequence[slice]) -> None:
        room = np.empty(_ROWS * columns[0].stop, np.float32)
        for block in blocks:
            found = Nearest(k, far.doubt[block])
            for part in columns:
                asked, offered = far.rows[block], near.rows[part]
                products = room[: len(asked) * len(offered)]
                np.matmul(asked, offered.T, out=products.reshape(len(asked), len(offered)))
                found.offer(products, near.least[part], near.doubt[part], part.start)
            found.settle(
                fitted.ravel(), rows[block].ravel(), indices[block].ravel(), squares[block].ravel()
            )

    blocks = _slices(len(rows), _ROWS)
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(search, [blocks[first::threads] for first in range(threads)]))
    else:
        search(blocks)
    return indices, squares


@np.errstate(all="ignore")
def _rounded(fitted: np.ndarray, rows: np.ndarray) -> tuple[Rounded, Rounded]:
    """Move rows to the middle of some that are fitted, scale them to at most one, round them."""
    middle = np.median(fitted[:: 1 + len(fitted) // _SAMPLE], axis=0)  # outliers don't move it
    parts = (np.abs(part).max() for table in (fitted, rows) for _, part in _moved(table, middle))
    largest = float(np.max([*parts]))
    if not _SMALL < largest < _LARGE:
        raise FitDirectly("all rows are equal, or numbers so large or small that squares are not")
    scale = 2.0 ** -frexp(largest)[1]  # a power of two, by which multiplication is exact
    return _round(fitted, middle, scale), _round(rows, middle, scale)


def _round(table: np.ndarray, middle: np.ndarray, scale: float) -> Rounded:
    (n, columns), single = table.shape, np.float32
    found = Rounded(np.empty((n, columns), single), np.empty(n, single), np.empty(n, single))
    for at, part in _moved(table, middle):
        part *= scale
        squares = np.einsum("ij,ij->i", part, part)
        # The last term is more than what underflows.
        doubt = (columns + 16) * _UNIT * squares + columns * 2.0**-100
        found.rows[at], found.least[at], found.doubt[at] = part, squares - doubt, 2 * doubt
    return found


def _moved(table: np.ndarray, middle: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows less the middle, so many at once as fit into the caches."""
    for at in _slices(len(table), 1 + _NUMBERS // table.shape[1]):
        yield at, table[at] - middle


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
