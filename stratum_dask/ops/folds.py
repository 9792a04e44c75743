"""Rows of folds."""

from __future__ import annotations

from typing import Any

from sklearn.utils import _safe_indexing


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
