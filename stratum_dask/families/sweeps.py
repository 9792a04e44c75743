"""Sweeps over Ridge's penalties by leaving out each row in turn, of many sweeps in one pass.

With the eigenvectors of the centred columns' products, row `i` has the leverage ``h_i = sum_j
z_ij^2 / (l_j + alpha)`` in its own prediction, and leaving it out divides its residual by
``1 - h_i``, less ``1 / n`` where an intercept is fitted (G. Golub, M. Heath and G. Wahba,
Generalized Cross-Validation as a Method for Choosing a Good Ridge Parameter, 1979). Of all
penalties together that is one product with the eigenvectors and two with a column per penalty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import sklearn
from packaging.version import Version
from scipy.linalg import eigh

from stratum_dask.families.gram import BLOCK, Gram
from stratum_dask.families.protocol import FitDirectly, Refused, refuse_if

_ROUNDED = Version(sklearn.__version__) < Version("1.9")
"""Whether own sweeps round by more than the bound: they mixed the intercept in with the columns."""
_CONDITION = 1e7
"""The largest condition number with which eigenvectors of squares are precise enough."""
_ROUNDING = 1e3 * np.finfo(float).eps
"""Leverages are rounded by less than this share, times the condition number."""

Errors = Mapping[bool, Mapping[float, tuple[float, float]]]
"""Mean squared errors of rows left out, with and without an intercept, by penalty; and by what
share those of own fits may differ."""


def refuse_unlike_sweep(estimator: Any) -> None:
    """Refuse a ``RidgeCV`` that does anything but leave out single rows.

    Raises
    ------
    Refused
    """
    refuse_if(
        estimator,
        scoring="it needs the predictions of all rows",
        store_cv_results="it keeps the errors of all rows",
        alpha_per_target="each target has its own penalty",
    )
    if _ROUNDED:
        raise Refused("is rounded by more than the bound by scikit-learn before 1.9")
    if estimator.cv is not None:
        raise Refused(f"has cv={estimator.cv!r}: only leaving out single rows is shared")
    alphas = estimator.alphas
    if not isinstance(alphas, list | tuple | np.ndarray) or np.ndim(alphas) != 1:
        raise Refused("has alphas that are no list")
    if len(alphas) < 2:  # fits write a single one back, which a tuple refuses
        raise Refused("has a single alpha")
    if not all(isinstance(one, Real) and 0 < float(one) < np.inf for one in alphas):
        raise Refused("has an alpha that is no positive number")


def best(left_out: Errors, estimator: Any) -> tuple[float, float]:
    """Return the penalty of least error and that.

    Raises
    ------
    FitDirectly
        If rounding could make it another.
    """
    errors = left_out.get(bool(estimator.fit_intercept), {})
    asked = [float(one) for one in estimator.alphas]
    if not all(np.isfinite(errors.get(alpha, (np.inf,))).all() for alpha in asked):
        raise FitDirectly("columns are nearly dependent, or there are weights")
    best = min(asked, key=lambda alpha: errors[alpha])
    error, doubt = errors[best]
    for alpha in asked:
        other, its = errors[alpha]
        if alpha != best and other <= error * (1 + doubt + its):
            raise FitDirectly("two penalties leave errors too close to tell apart")
    return best, error


def errors_of(sweeps: Iterable[Any], X: np.ndarray, y: np.ndarray, sums: Gram) -> Errors:
    """Return the errors for all penalties that any of some ``RidgeCV`` asks about."""
    alphas: dict[bool, set[float]] = {}
    for one in sweeps:
        alphas.setdefault(bool(one.fit_intercept), set()).update(map(float, one.alphas))
    return {
        intercept: errors_left_out(X, y, sums, sorted(asked), intercept)
        for intercept, asked in alphas.items()
    }


def errors_left_out(
    X: np.ndarray, y: np.ndarray, sums: Gram, alphas: Sequence[float], intercept: bool
) -> dict[float, tuple[float, float]]:
    """Return the mean squared error of rows that are left out of the fit.

    Parameters
    ----------
    X : array of shape (rows, columns)
    y : array of shape (rows, targets)
    sums : Gram
        Of these rows, without weights.
    alphas : sequence of float
        Positive.
    intercept : bool
        Whether one is fitted.

    Returns
    -------
    dict of float to tuple of float
        By alpha, with the share by which own fits may differ; those are left out that are too small
        for the squares of these columns.

    Examples
    --------
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [2.5]])
    >>> from sklearn.linear_model import RidgeCV
    >>> from stratum_dask.families.gram import gram
    >>> found = errors_left_out(X, y, gram(X, y), [1.0], intercept=True)
    >>> own = RidgeCV([1.0]).fit(X, y.ravel()).best_score_
    >>> bool(np.isclose(-found[1.0][0], own))
    True
    """
    if not intercept:
        sums = sums.uncentred()
    values, vectors = eigh(sums.xx)
    alphas = [one for one in alphas if values[-1] + one <= _CONDITION * (values[0] + one)]
    shrunk = 1 / (values[:, None] + np.array(alphas))
    # Column by column: a target's coefficients for every penalty.
    weights = [shrunk * (vectors.T @ target)[:, None] for target in sums.xy.T]
    kept = 1.0 - (1.0 / sums.weight if intercept else 0.0)
    squares, least = np.zeros(len(alphas)), np.full(len(alphas), np.inf)
    for start in range(0, len(X), BLOCK):
        turned = (X[start : start + BLOCK] - sums.x_mean) @ vectors
        left = y[start : start + BLOCK] - sums.y_mean
        share = kept - turned**2 @ shrunk
        least = np.minimum(least, share.min(axis=0))
        for number, one in enumerate(weights):
            error = (left[:, number : number + 1] - turned @ one) / share
            squares += np.einsum("ij,ij->j", error, error)
    # What little a row's own leverage leaves is rounded as the leverage itself.
    doubts = _ROUNDING * shrunk[0] / shrunk[-1] / np.maximum(least, np.finfo(float).tiny)
    errors = zip((squares / y.size).tolist(), doubts.tolist(), strict=True)
    return dict(zip(alphas, errors, strict=True))
