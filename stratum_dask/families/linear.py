"""Linear models: the same sums over the rows serve every penalty. Close, not exact.

Least squares with whatever penalty depends on the rows through X'X, X'y and the means only
(A. Hoerl and R. Kennard, Ridge Regression, 1970; J. Friedman et al., Regularization Paths for
Generalized Linear Models via Coordinate Descent, 2010, section 2.2, for the lasso). One pass over
them replaces one or more per model. Of the folds of one X, too: rows that the same folds are fitted
on are summed up once, and every fold adds what is its own.

What comes back predicts the rows within ``1e-9`` spreads of y of what its own fit does, usually
within ``1e-14``. Guards fit a model by itself where that would not hold: where columns are nearly
dependent or nearly constant, or where there are fewer rows than columns. Coordinate descent
starts cold and takes the same steps as on the rows, rounded differently; it ends after as many
of them unless the step that ends it is within rounding of the tolerance. ``RidgeCV`` chooses among
the penalties of all sweeps, unless two of its own leave errors that rounding could exchange.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigvalsh, lstsq
from scipy.linalg.lapack import dpocon, dpotrf, dpotrs
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.linear_model import enet_path
from sklearn.utils.validation import validate_data

from stratum_dask.families.gram import Gram, gram, sums_of_folds
from stratum_dask.families.protocol import FitDirectly, Refused, class_of, refuse_if
from stratum_dask.families.sweeps import Errors, best, errors_of, refuse_unlike_sweep

_CONDITION = 1e7
"""The largest condition number with which normal equations are solved, after scaling."""
_WARNING = 1e14
"""The same before scaling, which is where scikit-learn's own solver begins to warn."""
_FLAT = 1e-6
"""The least spread of a column that is not constant, as a share of its mean."""
_WIDE = 500
"""With more columns than this per model, the sums cost more than descending on the rows."""


class Learned(NamedTuple):
    """The sums, and what scikit-learn notes of the data.

    Attributes
    ----------
    centred : Gram
    noted : dict
    one_target : bool
    left_out : dict of bool to dict of float to float
        What :func:`errors_of` returned for the sweeps.
    """

    centred: Gram
    noted: dict[str, Any]
    one_target: bool
    left_out: Errors


class LinearModels:
    """All linear models on the same data; within a bound."""

    name = "linear models"
    numerics = "close"
    classes = frozenset(
        f"sklearn.{name}"
        for name in ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "ElasticNet")
    )
    params = frozenset({"sample_weight"})
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Refuse what another algorithm computes; all others share."""
        kind = class_of(estimator)
        if kind == "sklearn.RidgeCV":
            refuse_unlike_sweep(estimator)
            return "gram"
        if kind != "sklearn.LinearRegression":
            alpha = estimator.alpha
            if not isinstance(alpha, Real) or not 0 <= float(alpha) < np.inf:
                raise Refused("has an alpha that is no number, or below zero")
        if kind in ("sklearn.Lasso", "sklearn.ElasticNet"):
            refuse_if(estimator, warm_start="it goes on from an earlier fit")
            if estimator.selection != "cyclic" or not isinstance(estimator.precompute, bool):
                raise Refused("has a selection or precompute of its own")
            if not estimator.alpha:
                raise Refused("has alpha=0, with which coordinate descent does not converge")
        else:
            refuse_if(estimator, positive="that is another algorithm")
        if kind == "sklearn.Ridge" and estimator.solver not in ("auto", "cholesky"):
            raise Refused(f"has solver={estimator.solver!r}")
        return "gram"

    def learn(
        self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]
    ) -> Learned:
        """Take the sums over the rows, once."""
        rows = _validated(estimators, X, y)
        weights = _weights(params.get("sample_weight"), len(rows.X))
        found = _learned(gram(rows.X, rows.targets, weights), rows)
        return found if weights is not None else _left_out(found, estimators, rows.X, rows.targets)

    def learn_folds(
        self, estimators: Sequence[Any], X: Any, y: Any, folds: Sequence[np.ndarray]
    ) -> list[Learned | FitDirectly]:
        """Take the sums over all rows once, and add up those of every fold."""
        rows = _validated(estimators, X, y)
        found: list[Learned | FitDirectly] = []
        for sums, fold in zip(sums_of_folds(rows.X, rows.targets, folds), folds, strict=True):
            try:
                learned = _learned(sums, rows)
                found.append(_left_out(learned, estimators, rows.X, rows.targets, fold))
            except FitDirectly as reason:
                found.append(reason)
        return found

    def cut(self, learned: Learned, estimator: Any) -> Any:
        """Solve for this model's penalty."""
        sums = learned.centred if estimator.fit_intercept else learned.centred.uncentred()
        fresh = clone(estimator)
        for name, value in learned.noted.items():
            setattr(fresh, name, value.copy() if isinstance(value, np.ndarray) else value)
        extra: dict[str, Any]
        if class_of(estimator) == "sklearn.RidgeCV":
            alpha, error = best(learned.left_out, estimator)
            extra = {"alpha_": alpha, "best_score_": -np.float64(error)}
            coefficients = _solve(sums, alpha)
        else:
            coefficients, extra = _SOLVERS[class_of(estimator)](sums, estimator)
        one = learned.one_target
        for name, value in extra.items():
            setattr(fresh, name, value[0] if one and isinstance(value, list) else value)
        fresh.coef_ = coefficients[0] if one else coefficients
        if estimator.fit_intercept:
            intercept = sums.y_mean - coefficients @ sums.x_mean
            fresh.intercept_ = intercept[0] if one else intercept
        else:
            fresh.intercept_ = 0.0
        if not np.isfinite(coefficients).all():
            raise FitDirectly("coefficients overflow")
        return fresh


class _Rows(NamedTuple):
    """Rows that scikit-learn has looked at."""

    X: np.ndarray
    targets: np.ndarray
    noted: dict[str, Any]
    one_target: bool


def _validated(estimators: Sequence[Any], X: Any, y: Any) -> _Rows:
    """Let scikit-learn look at the rows, as each of the models would."""
    if issparse(X):
        raise FitDirectly("X is sparse")
    template = clone(estimators[0])
    X, y = validate_data(
        template, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True
    )
    if X.dtype != np.float64:
        raise FitDirectly("X is of float32")
    if y.ndim > 1 and y.shape[1] == 1:
        raise FitDirectly("y is a column")
    if X.shape[1] > _WIDE * len(estimators):
        raise FitDirectly("there are too many columns for so few models")
    targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    names = ("n_features_in_", "feature_names_in_")
    noted = {name: vars(template)[name] for name in names if name in vars(template)}
    return _Rows(X, targets, noted, y.ndim == 1)


def _learned(sums: Gram, rows: _Rows) -> Learned:
    """Return the sums if models can be solved from them."""
    if sums.rows <= len(sums.xx):
        raise FitDirectly("there are too few rows")
    spread = np.sqrt(np.maximum(np.diag(sums.xx), 0) / sums.weight)
    if ((spread > 0) & (spread <= _FLAT * np.abs(sums.x_mean))).any():
        raise FitDirectly("a column is nearly constant")
    if not np.isfinite(sums.xx).all() or not np.isfinite(sums.xy).all():
        raise FitDirectly("sums over the rows overflow")
    return Learned(sums, rows.noted, rows.one_target, {})


def _left_out(
    learned: Learned, estimators: Sequence[Any], X: np.ndarray, y: np.ndarray, rows: Any = None
) -> Learned:
    """Add the errors of rows that are left out, for all penalties that any sweep asks about."""
    sweeps = [one for one in estimators if class_of(one) == "sklearn.RidgeCV"]
    if not sweeps:
        return learned
    if rows is not None:
        X, y = X[rows], y[rows]
    return learned._replace(left_out=errors_of(sweeps, X, y, learned.centred))


def _weights(given: Any, rows: int) -> Any:
    if given is None:
        return None
    weights = np.asarray(given, dtype=np.float64)
    if weights.shape != (rows,) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise FitDirectly("sample_weight is no array of positive numbers")
    return weights


def _ridge(sums: Gram, estimator: Any) -> tuple[np.ndarray, dict[str, Any]]:
    return _solve(sums, float(estimator.alpha)), {"n_iter_": None, "solver_": "cholesky"}


def _least_squares(sums: Gram, estimator: Any) -> tuple[np.ndarray, dict[str, Any]]:
    squares = eigvalsh(sums.xx)[::-1]
    # Own fits drop directions whose singular value is below a share of the largest, and report
    # all of them; the squares have to be precise enough to tell.
    if squares[-1] <= squares[0] * max(1 / _CONDITION, (10 * float(estimator.tol)) ** 2):
        raise FitDirectly("columns are nearly dependent, or of very different scale")
    rank = _kind_of_rank()(len(squares))
    return _solve(sums, 0.0), {"rank_": rank, "singular_": np.sqrt(squares)}


@cache
def _kind_of_rank() -> type:
    """Return the type of the rank that own fits report: a NumPy integer from SciPy 1.18 on."""
    return type(lstsq(np.ones((1, 1)), np.ones(1))[2])


def _solve(sums: Gram, alpha: float) -> np.ndarray:
    """Solve the normal equations, after scaling all columns to the same length."""
    normal = sums.xx.copy()
    normal.flat[:: len(normal) + 1] += alpha
    scale = np.sqrt(np.diag(normal))
    if not scale.all():
        raise FitDirectly("a column is constant")
    if _condition(normal)[0] > _WARNING:
        raise FitDirectly("columns are of so different scale that the own fit warns")
    normal /= scale
    normal /= scale[:, None]
    condition, factor = _condition(normal)
    if condition > _CONDITION:
        raise FitDirectly("columns are nearly dependent")
    solution, _ = dpotrs(factor, sums.xy / scale[:, None])
    return np.ascontiguousarray(solution / scale[:, None]).T


def _condition(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Return a matrix' condition number, infinite if it is not positive, and its factor."""
    factor, failed = dpotrf(matrix, lower=False)
    share = 0.0 if failed else dpocon(factor, np.abs(matrix).sum(axis=0).max())[0]
    return (1 / share if share else np.inf), factor


def _descend(sums: Gram, estimator: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Descend along coordinates, by scikit-learn's own code, on the sums alone.

    It looks at the rows for two things only: their number, by which it multiplies alpha, and the
    length of y. One row of that length says the same.
    """
    share = sums.rows / sums.weight  # it takes weights that sum to the number of rows
    matrix = np.ascontiguousarray(sums.xx * share)
    ratio = 1.0 if class_of(estimator) == "sklearn.Lasso" else estimator.l1_ratio
    found: list[np.ndarray] = []
    extra: dict[str, Any] = {"n_iter_": [], "dual_gap_": []}
    for target in range(sums.xy.shape[1]):
        _, coefficients, gaps, steps = enet_path(
            np.zeros((1, len(matrix)), order="F"),
            np.sqrt(sums.yy[target : target + 1] * share),
            l1_ratio=ratio,
            alphas=[float(estimator.alpha) * sums.rows],
            precompute=matrix,
            Xy=np.ascontiguousarray(sums.xy[:, target] * share),
            max_iter=estimator.max_iter,
            tol=estimator.tol,
            positive=estimator.positive,
            check_input=False,
            return_n_iter=True,
        )
        found.append(coefficients[:, 0])
        extra["n_iter_"].append(steps[0])
        extra["dual_gap_"].append(gaps[0] / sums.rows)
    if len(found) > 1:
        extra["dual_gap_"] = np.array(extra["dual_gap_"])
    return np.asfortranarray(found), extra


_SOLVERS = {
    "sklearn.Ridge": _ridge,
    "sklearn.LinearRegression": _least_squares,
    "sklearn.Lasso": _descend,
    "sklearn.ElasticNet": _descend,
}
