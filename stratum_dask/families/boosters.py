"""LightGBM and XGBoost: fewer rounds are a prefix of more.

Both draw from generators that are seeded once, or by the number of the round, so that a round
does not depend on how many follow. Not so DART, which changes earlier trees later (R. Rashmi and
R. Gilad-Bachrach, DART, 2015), and stopping early on other rows, which here is left alone.

Neither library is needed: their estimators are known by name, and whoever has one has it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from stratum_dask.families.protocol import (
    FitDirectly,
    Refused,
    all_but,
    count,
    fitted_like,
    refuse_if,
)
from stratum_dask.ops.fitting import fit

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


class LightBoosting:
    """LightGBM's models that differ in `n_estimators` only; exact."""

    name = "LightGBM"
    numerics = "exact"
    classes = frozenset({"lightgbm.LGBMRegressor", "lightgbm.LGBMClassifier"})
    params = frozenset({"sample_weight"})
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but the number of rounds."""
        count(estimator, "n_estimators")
        params = estimator.get_params(deep=False)
        if params["boosting_type"] != "gbdt":
            raise Refused(f"has boosting_type={params['boosting_type']!r}")
        own = type(estimator)().get_params(deep=False)
        if unknown := sorted(params.keys() - own.keys() - _LIGHT_EXTRAS):
            raise Refused(f"has {', '.join(unknown)}, of which the rounds may depend")
        return all_but(estimator, "n_estimators")

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Fit the longest."""
        return fit(max(estimators, key=lambda one: int(one.n_estimators)), X, y, **params)

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Make a booster of the first rounds, as unpickling its own would.

        LightGBM writes a model with as many digits as tell one number from the next.
        """
        booster, rounds = learned._Booster, int(estimator.n_estimators)
        text = booster.model_to_string(num_iteration=rounds)
        state = {**booster.__getstate__(), "params": dict(booster.params)}
        state["params"]["num_iterations"] = rounds
        state["_handle"] = re.sub(r"(?m)^\[num_iterations: \d+\]$", _noted(rounds), text)
        fresh = object.__new__(type(booster))
        fresh.__setstate__(state)
        return fitted_like(estimator, learned, _Booster=fresh)


def _noted(rounds: int) -> str:
    return f"[num_iterations: {rounds}]"


class ExtremeBoosting:
    """XGBoost's models that differ in `n_estimators` only; exact."""

    name = "XGBoost"
    numerics = "exact"
    classes = frozenset({"xgboost.XGBRegressor", "xgboost.XGBClassifier"})
    params = frozenset({"sample_weight"})
    methods: frozenset[str] = frozenset()

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but the number of rounds."""
        if estimator.n_estimators is not None:
            count(estimator, "n_estimators")
        refuse_if(
            estimator,
            early_stopping_rounds="it looks at other rows",
            callbacks="they may do anything",
            kwargs="their meaning is not known",
        )
        if estimator.booster not in (None, "gbtree"):
            raise Refused(f"has booster={estimator.booster!r}")
        if estimator.device not in (None, "cpu"):
            raise Refused("runs on an accelerator, which may sum in any order")
        return all_but(estimator, "n_estimators")

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Fit the longest."""
        return fit(max(estimators, key=_rounds), X, y, **params)

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Slice the booster, which copies the first rounds."""
        booster = learned.get_booster()
        if "c" in (booster.feature_types or ()):
            raise FitDirectly("slices of a booster forget the names of categories")
        booster = booster[: _rounds(estimator)]
        member = fitted_like(estimator, learned, _Booster=booster)
        member.objective = learned.objective  # fitting sets it to what the classes ask for
        return member


def _rounds(estimator: Any) -> int:
    return int(estimator.get_num_boosting_rounds())
