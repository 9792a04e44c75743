"""What the tasks of a fit call: functions that leave their arguments as they are."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone


def fit(estimator: Any, X: Any, y: Any = None, /, **params: Any) -> Any:
    """Fit a clone of an estimator.

    Parameters
    ----------
    estimator : estimator
        Unfitted; stays as it is.
    X, y : array-like
        As the estimator takes them.
    **params
        Further arguments of its ``fit``.

    Returns
    -------
    estimator
        The fitted clone.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> fit(Ridge(alpha=0.0), [[1.0], [2.0]], [1.0, 2.0]).coef_.round(6).tolist()
    [1.0]
    """
    fresh = clone(estimator)
    # A fit that needs no target is not given one: some refuse even None.
    return fresh.fit(X, **params) if y is None else fresh.fit(X, y, **params)
