"""Rows of folds."""

from __future__ import annotations

from typing import Any

from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _num_samples


def rows(values: Any, indices: Any) -> Any:
    """Return some rows of anything that scikit-learn can split.

    Parameters
    ----------
    values : array, frame, sparse matrix or list
    indices : array of int

    Examples
    --------
    >>> import numpy as np
    >>> rows(np.arange(4) * 10, [2, 0]).tolist()
    [20, 0]
    """
    return _safe_indexing(values, indices)


def of_length(values: Any, expected: int) -> Any:
    """Return values that were computed elsewhere, if they have as many rows as expected.

    Raises
    ------
    ValueError
        If they do not.
    """
    if (found := _num_samples(values)) != expected:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[found, expected]}"
        )
    return values


def kernel_rows(estimator: Any, kernel: Any, indices: Any, trained: Any = None) -> Any:
    """Return the part of a kernel or distance matrix that an estimator sees on a fold.

    Parameters
    ----------
    estimator : estimator
        One that takes such matrices.
    kernel : array or sparse matrix
        Between all rows.
    indices : array of int
        Rows.
    trained : array of int, optional
        Those that it is fitted on, which are the columns; `indices` themselves by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import SVC
    >>> kernel = np.arange(9).reshape(3, 3)
    >>> kernel_rows(SVC(kernel="precomputed"), kernel, [2], [0, 1]).tolist()
    [[6, 7]]
    """
    return _safe_split(estimator, kernel, None, indices, trained)[0]
