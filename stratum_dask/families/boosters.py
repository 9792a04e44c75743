"""LightGBM and XGBoost: fewer rounds are a prefix of more, and many fits use the same bins.

Both draw from generators that are seeded once, or by the number of the round, so that a round
does not depend on how many follow. Not so DART, which changes earlier trees later (R. Rashmi and
R. Gilad-Bachrach, DART, 2015), and stopping early on other rows, which here is left alone.

The bins follow from the rows, their weights and a few parameters. All others say how trees are
grown on them; those are named here, since a library may add some that are about the bins. Each
library's own ``fit`` runs, with another way to get the training rows: LightGBM's asks its class
``Dataset`` for them, XGBoost's the method ``_create_dmatrix``. A version that asks nobody fits as
it does.

Neither library is needed: their estimators are known by name, and whoever has one has it.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from stratum_dask.families.binned import Binned
from stratum_dask.families.protocol import (
    FitDirectly,
    Refused,
    all_but,
    count,
    fitted_like,
    refuse_if,
)
from stratum_dask.families.texts import first_rounds, writing
from stratum_dask.ops.fitting import fit, fit_method
from stratum_dask.ops.rebound import with_globals

_LIGHT_EXTRAS = {
    "deterministic",
    "extra_trees",
    "feature_fraction_bynode",
    "force_col_wise",
    "force_row_wise",
    "max_bin",
    "min_data_in_bin",
    "seed",
    "verbose",
    "verbosity",
}
"""Parameters of LightGBM beyond those of its estimators with which rounds stay a prefix."""

_LIGHT_GROWTH = (
    "colsample_bytree",
    "importance_type",
    "learning_rate",
    "max_depth",
    "min_child_weight",
    "min_split_gain",
    "n_estimators",
    "num_leaves",
    "reg_alpha",
    "reg_lambda",
    "subsample",
    "subsample_freq",
)
"""What says how LightGBM grows trees. Not so ``min_child_samples``: columns that cannot be split
under it are left out of the binned rows."""

_EXTREME_GROWTH = (
    "base_score",
    "colsample_bylevel",
    "colsample_bynode",
    "colsample_bytree",
    "early_stopping_rounds",
    "eval_metric",
    "gamma",
    "grow_policy",
    "importance_type",
    "interaction_constraints",
    "learning_rate",
    "max_cat_threshold",
    "max_cat_to_onehot",
    "max_delta_step",
    "max_depth",
    "max_leaves",
    "min_child_weight",
    "monotone_constraints",
    "multi_strategy",
    "n_estimators",
    "num_parallel_tree",
    "objective",
    "random_state",
    "reg_alpha",
    "reg_lambda",
    "scale_pos_weight",
    "subsample",
)
"""What says how XGBoost grows trees."""


class LightBoosting:
    """LightGBM's models that differ in `n_estimators` only; exact."""

    name = "LightGBM"
    numerics = "exact"
    classes = frozenset({"lightgbm.LGBMRegressor", "lightgbm.LGBMClassifier"})
    params = frozenset({"sample_weight"})
    rows_params = frozenset(
        {
            "callbacks",
            "categorical_feature",
            "eval_X",
            "eval_class_weight",
            "eval_metric",
            "eval_names",
            "eval_sample_weight",
            "eval_set",
            "eval_y",
            "feature_name",
            "sample_weight",
        }
    )
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but the number of rounds."""
        count(estimator, "n_estimators")
        params = estimator.get_params(deep=False)
        if params["boosting_type"] != "gbdt":
            raise Refused(f"has boosting_type={params['boosting_type']!r}")
        _refuse_unknown(estimator, "the rounds")
        return all_but(estimator, "n_estimators")

    def rows_key(self, estimator: Any) -> Hashable:
        """Return all parameters but those that say how trees are grown."""
        _refuse_unknown(estimator, "the bins")
        return all_but(estimator, *_LIGHT_GROWTH)

    def longest(self, estimators: Sequence[Any]) -> Any:
        """Return the one of most rounds."""
        return max(estimators, key=lambda one: int(one.n_estimators))

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Fit the longest."""
        return fit(self.longest(estimators), X, y, **params)

    def fit_binned(
        self, rows: Binned, estimator: Any, X: Any, y: Any, params: Mapping[str, Any]
    ) -> None:
        """Fit as an estimator of a class between its own and the one that makes the rows."""
        kind = type(estimator)
        estimator.__class__ = _asking(kind, rows, estimator)
        try:
            estimator.fit(X, y, **params)
        finally:
            estimator.__class__ = kind

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Make a booster of the first rounds, as unpickling its own would; all rounds are shared.

        LightGBM writes a model with as many digits as tell one number from the next.
        """
        booster, rounds = learned._Booster, int(estimator.n_estimators)
        if rounds == learned.n_estimators:
            return fitted_like(estimator, learned, _Booster=booster)
        # Without a model, what else it holds: writing all rounds takes as long as reading them.
        fresh = object.__new__(type(booster))
        vars(fresh).update(vars(booster), _handle=None)
        state = fresh.__getstate__() | {"params": dict(booster.params)}
        state["params"]["num_iterations"] = rounds
        state["_handle"] = first_rounds(learned, rounds)
        vars(fresh).clear()
        fresh.__setstate__(state)
        return fitted_like(estimator, learned, _Booster=fresh)


def _refuse_unknown(estimator: Any, what: str) -> None:
    own = type(estimator)().get_params(deep=False)
    if unknown := sorted(estimator.get_params(deep=False).keys() - own.keys() - _LIGHT_EXTRAS):
        raise Refused(f"has {', '.join(unknown)}, of which {what} may depend")


def _asking(kind: type, rows: Binned, estimator: Any) -> type:
    """Return a class of LightGBM's that asks for its training rows: the first that it makes.

    What it writes of the booster of an estimator is kept.
    """
    library = sys.modules[f"{kind.__module__.partition('.')[0]}.sklearn"]
    asked = False

    def dataset(**given: Any) -> Any:
        nonlocal asked
        made = library.Dataset(**given)
        if asked:
            return made
        asked = True
        return rows.made(made.construct)

    train = with_globals(library.train, Booster=writing(library.Booster, estimator))
    asks = with_globals(library.LGBMModel.fit, Dataset=dataset, train=train)
    between = type("Asking", (library.LGBMModel,), {"fit": asks})
    return type(kind.__name__, (kind, between), {})


class ExtremeBoosting:
    """XGBoost's models that differ in `n_estimators` only; exact."""

    name = "XGBoost"
    numerics = "exact"
    classes = frozenset({"xgboost.XGBRegressor", "xgboost.XGBClassifier"})
    params = frozenset({"sample_weight"})
    rows_params = frozenset(
        {
            "base_margin",
            "base_margin_eval_set",
            "eval_set",
            "sample_weight",
            "sample_weight_eval_set",
            "verbose",
        }
    )
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but the number of rounds."""
        if estimator.n_estimators is not None:
            count(estimator, "n_estimators")
        refuse_if(estimator, early_stopping_rounds="it looks at other rows")
        _refuse_unusual(estimator)
        return all_but(estimator, "n_estimators")

    def rows_key(self, estimator: Any) -> Hashable:
        """Return all parameters but those that say how trees are grown."""
        _refuse_unusual(estimator)
        if estimator.tree_method not in (None, "auto", "hist"):
            raise Refused(f"has tree_method={estimator.tree_method!r}, which has no bins to share")
        return all_but(estimator, *_EXTREME_GROWTH)

    def longest(self, estimators: Sequence[Any]) -> Any:
        """Return the one of most rounds."""
        return max(estimators, key=_rounds)

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Fit the longest."""
        return fit(self.longest(estimators), X, y, **params)

    def fit_binned(
        self, rows: Binned, estimator: Any, X: Any, y: Any, params: Mapping[str, Any]
    ) -> None:
        """Fit with a method that gives it the training rows, which refer to no others."""
        own = estimator._create_dmatrix

        def create(ref: Any, **given: Any) -> Any:
            if ref is not None:
                return own(ref, **given)
            return rows.made(lambda: _binned(own(None, **given)))

        estimator._create_dmatrix = create
        try:
            fit_method(estimator)(X, y, **params)
        finally:
            del estimator._create_dmatrix

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Slice the booster, which copies the first rounds."""
        booster = learned.get_booster()
        if "c" in (booster.feature_types or ()):
            raise FitDirectly("slices of a booster forget the names of categories")
        if _rounds(estimator) < _rounds(learned) and _draws(learned) and _keeps_state(booster):
            raise FitDirectly("the booster keeps its generator, which has drawn for more rounds")
        booster = booster[: _rounds(estimator)]
        member = fitted_like(estimator, learned, _Booster=booster)
        member.objective = learned.objective  # fitting sets it to what the classes ask for
        return member


def _draws(estimator: Any) -> bool:
    shares = ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode")
    return any(getattr(estimator, name) not in (None, 1) for name in shares)


def _keeps_state(booster: Any) -> bool:
    """Tell whether a booster holds the state of its generator, as XGBoost 3.4's do."""
    return '"rng_state"' in booster.save_config()


def _binned(made: Any) -> Any:
    if type(made).__name__ != "QuantileDMatrix":
        # Others are binned inside of the first fit, which two must not do at once.
        raise FitDirectly("takes rows that its library does not bin beforehand")
    return made


def _refuse_unusual(estimator: Any) -> None:
    refuse_if(
        estimator,
        callbacks="they may do anything",
        kwargs="their meaning is not known",
    )
    if estimator.booster not in (None, "gbtree"):
        raise Refused(f"has booster={estimator.booster!r}")
    if estimator.device not in (None, "cpu"):
        raise Refused("runs on an accelerator, which may sum in any order")


def _rounds(estimator: Any) -> int:
    return int(estimator.get_num_boosting_rounds())
