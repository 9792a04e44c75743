"""scikit-learn's two gradient boostings: fewer stages are a prefix of more.

Each stage depends on the stages before it and on what they left of the random numbers, never on
how many follow; early stopping looks at past stages, too, so that the longest run is the only one
needed with it as well (J. Friedman, Greedy Function Approximation: A Gradient Boosting Machine,
2001; section 4 of Stochastic Gradient Boosting, 2002, for subsampling).

Histogram gradient boosting bins its rows first, in its method ``_bin_data``: as in
:mod:`~stratum_dask.families.boosters`, models that grow other trees on them share that.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stratum_dask.families.binned import Binned
from stratum_dask.families.protocol import (
    Refused,
    all_but,
    count,
    fitted_like,
    refuse_if,
)
from stratum_dask.ops.fitting import fit, fit_method

_ALONE = {
    "warm_start": "it goes on from an earlier fit",
    "verbose": "each fit prints its own progress",
}

_GROWTH = (
    "interaction_cst",
    "l2_regularization",
    "learning_rate",
    "max_depth",
    "max_features",
    "max_iter",
    "max_leaf_nodes",
    "min_samples_leaf",
    "monotonic_cst",
    "n_iter_no_change",
    "tol",
)
"""What says how histogram gradient boosting grows trees on its bins."""


class Stages(NamedTuple):
    """A fitted model, and the state that it was in after some of its stages."""

    model: Any
    states: dict[int, dict[str, Any]]


class GradientBoosting:
    """Models that differ in `n_estimators` only; exact."""

    name = "gradient boosting"
    numerics = "exact"
    classes = frozenset({"sklearn.GradientBoostingRegressor", "sklearn.GradientBoostingClassifier"})
    params = frozenset({"sample_weight"})
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but the number of stages."""
        count(estimator, "n_estimators")
        refuse_if(estimator, **_ALONE)
        return all_but(estimator, "n_estimators")

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Stages:
        """Fit the longest, and keep what a shorter one would have been left with."""
        lengths = {int(one.n_estimators) for one in estimators}
        states: dict[int, dict[str, Any]] = {}

        def keep(stage: int, model: Any, _: Any) -> bool:
            if stage + 1 in lengths:
                # Both change from stage to stage: the Huber loss adapts its threshold.
                state = {"_rng": model._rng, "_loss": model._loss}
                states[stage + 1] = copy.deepcopy(state)
            return False

        longest = max(estimators, key=lambda one: int(one.n_estimators))
        return Stages(fit(longest, X, y, **params, monitor=keep), states)

    def cut(self, learned: Stages, estimator: Any) -> Any:
        """Take the first stages; trees are shared as those of forests are."""
        model = learned.model
        stages = min(estimator.n_estimators, model.n_estimators_)
        final = {"_rng": model._rng, "_loss": model._loss}
        own = copy.deepcopy(learned.states.get(stages, final))
        trees = np.empty((stages, model.estimators_.shape[1]), dtype=object)
        for at in np.ndindex(trees.shape):
            tree = trees[at] = copy.copy(model.estimators_[at])
            tree.random_state = own["_rng"]  # all trees of a model draw from one generator
        own |= {"estimators_": trees, "n_estimators_": stages}
        for name in ("train_score_", "oob_scores_", "oob_improvement_"):
            if hasattr(model, name):
                own[name] = getattr(model, name)[:stages].copy()
        if hasattr(model, "oob_score_"):
            own["oob_score_"] = own["oob_scores_"][-1]
        return fitted_like(estimator, model, **own)


class HistGradientBoosting:
    """Models that differ in `max_iter` only; exact."""

    name = "histogram gradient boosting"
    numerics = "exact"
    classes = frozenset(
        {"sklearn.HistGradientBoostingRegressor", "sklearn.HistGradientBoostingClassifier"}
    )
    params = frozenset({"sample_weight"})
    rows_params = frozenset({"sample_weight", "sample_weight_val", "X_val", "y_val"})
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but the number of iterations."""
        count(estimator, "max_iter")
        refuse_if(estimator, **_ALONE)
        if estimator.max_features != 1.0:
            raise Refused("has max_features: the generator it ends with depends on its length")
        if estimator.early_stopping is not False and estimator.scoring != "loss":
            raise Refused("has a scoring to stop early by: it ends with references to itself")
        return all_but(estimator, "max_iter")

    def rows_key(self, estimator: Any) -> Hashable:
        """Return all parameters but those that say how trees are grown."""
        refuse_if(estimator, **_ALONE)
        return all_but(estimator, *_GROWTH)

    def longest(self, estimators: Sequence[Any]) -> Any:
        """Return the one of most iterations."""
        return max(estimators, key=lambda one: int(one.max_iter))

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Fit the longest."""
        return fit(self.longest(estimators), X, y, **params)

    def fit_binned(
        self, rows: Binned, estimator: Any, X: Any, y: Any, params: Mapping[str, Any]
    ) -> None:
        """Fit with a method that gives it the training rows, and what has binned them."""
        own = estimator._bin_data

        def bin_data(rows_X: Any, *args: Any, is_training_data: bool) -> Any:
            if not is_training_data:
                return own(rows_X, *args, is_training_data=False)

            def make() -> tuple[Any, Any]:
                binned = own(rows_X, *args, is_training_data=True)
                return copy.deepcopy(estimator._bin_mapper), binned

            mapper, binned = rows.made(make)
            threads = estimator._bin_mapper.n_threads
            estimator._bin_mapper = copy.deepcopy(mapper)
            estimator._bin_mapper.n_threads = threads
            return binned

        estimator._bin_data = bin_data
        try:
            fit_method(estimator)(X, y, **params)
        finally:
            del estimator._bin_data

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Take the first iterations; their predictors are shared, and nothing changes one."""
        stages = min(estimator.max_iter, learned.n_iter_)
        own: dict[str, Any] = {"_predictors": [[*trees] for trees in learned._predictors[:stages]]}
        for name in ("train_score_", "validation_score_"):
            # One score before the first iteration, if any.
            own[name] = getattr(learned, name)[: stages + 1].copy()
        return fitted_like(estimator, learned, **own)
