"""Random forests and extra trees: a smaller forest is a prefix of a larger one.

scikit-learn draws the seeds of the trees one after another from the forest's own, so that tree
`i` has the same seed, the same bootstrap sample and the same splits however many trees follow
(``BaseForest.fit``; L. Breiman, Random Forests, 2001; P. Geurts et al., Extremely randomized
trees, 2006).
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from stratum_dask.families.protocol import all_but, count, fitted_like, refuse_if
from stratum_dask.ops.fitting import fit


class Forests:
    """Forests that differ in `n_estimators` only; exact."""

    name = "forests"
    numerics = "exact"
    classes = frozenset(
        f"sklearn.{kind}{task}"
        for kind in ("RandomForest", "ExtraTrees")
        for task in ("Regressor", "Classifier")
    )
    params = frozenset({"sample_weight"})
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but the number of trees."""
        count(estimator, "n_estimators")
        refuse_if(
            estimator,
            warm_start="it goes on from an earlier fit",
            oob_score="it is computed from all trees at once",
            verbose="each fit prints its own progress",
        )
        return all_but(estimator, "n_estimators")

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Fit the largest forest."""
        return fit(max(estimators, key=lambda one: int(one.n_estimators)), X, y, **params)

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Take the first trees.

        The estimators around the trees are copied; the trees proper (``tree_``) are shared:
        scikit-learn never changes one once it is built, and fitting makes a new one.
        """
        trees = [copy.copy(tree) for tree in learned.estimators_[: estimator.n_estimators]]
        return fitted_like(estimator, learned, estimators_=trees)
