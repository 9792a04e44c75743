"""Principal components: fewer are the first of all.

The full decompositions compute all components, whatever number is asked for, and then cut: by
singular values of the centred rows (``full``) or eigenvalues of their covariance
(``covariance_eigh``). The truncated ones (``arpack``, ``randomized``) compute others for another
number (M. Tipping and C. Bishop, Probabilistic Principal Component Analysis, 1999, for the
variance of the noise).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from stratum_dask.families.protocol import (
    FitDirectly,
    Refused,
    all_but,
    fitted_like,
)
from stratum_dask.ops.fitting import fit

_COMPLETE = ("full", "covariance_eigh")


class PrincipalComponents:
    """Decompositions that differ in `n_components` and `whiten` only; exact."""

    name = "principal components"
    numerics = "exact"
    classes = frozenset({"sklearn.PCA"})
    params: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but those that say what is kept of the decomposition."""
        if estimator.svd_solver not in (*_COMPLETE, "auto"):
            raise Refused(f"has svd_solver={estimator.svd_solver!r}, which computes only a part")
        if estimator.n_components == "mle":
            raise Refused("has n_components='mle', whose number comes from the data")
        return all_but(estimator, "n_components", "whiten")

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Compute all components."""
        whole = fit(clone(estimators[0]).set_params(n_components=None), X, y, **params)
        if whole._fit_svd_solver not in _COMPLETE:
            raise FitDirectly(f"the data ask for the solver {whole._fit_svd_solver}")
        if whole._fit_svd_solver == "covariance_eigh" and whole.n_samples_ < whole.n_features_in_:
            raise FitDirectly("there are fewer rows than columns, so some variances are dropped")
        return whole

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Keep the first components, as scikit-learn does after decomposing."""
        most = learned.n_components_
        asked = estimator.n_components
        n = most if asked is None else asked
        if learned.svd_solver == "auto" and _solver(learned, n) != learned._fit_svd_solver:
            raise FitDirectly("chooses its solver by its number of components")
        if 0 < n < 1.0:
            explained = np.cumulative_sum(learned.explained_variance_ratio_)
            n = np.searchsorted(explained, n, side="right") + 1
        if not 0 <= n <= most:
            raise FitDirectly("asks for more components than there are")
        variance = learned.explained_variance_
        return fitted_like(
            estimator,
            learned,
            n_components_=n,
            noise_variance_=variance[n:].mean() if n < most else 0.0,
            **{
                name: np.array(getattr(learned, name)[:n])
                for name in (
                    "components_",
                    "explained_variance_",
                    "explained_variance_ratio_",
                    "singular_values_",
                )
            },
        )


def _solver(learned: Any, n: float) -> str:
    """Return the solver that ``auto`` stands for, by scikit-learn's rules (``PCA._fit``)."""
    rows, columns = learned.n_samples_, learned.n_features_in_
    if columns <= 1_000 and rows >= 10 * columns:
        return "covariance_eigh"
    if max(rows, columns) > 500 and 1 <= n < 0.8 * min(rows, columns):
        return "randomized"
    return "full"
