"""Families on drawn parameters and data: whatever is shared, each fit has the bits of its own.

`make test-long` draws many more.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from operator import methodcaller

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from stratum_dask.families import (
    Refused,
    apply_member,
    bin_rows,
    cut_member,
    family_of,
    fit_binned,
    learn_family,
    prepare_use,
)
from stratum_dask.ops.fitting import fit

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")


def squares(y, predicted):
    """An objective of the user's own: gradients and second derivatives."""
    return predicted - y, np.ones_like(predicted)


FIXED = {"lightgbm": {"n_jobs": 1, "verbose": -1}, "xgboost": {"n_jobs": 1}}
SIZES = [1, 2, 3, 5, 9]
SHARES = [None, 0, 1, 2, 3, 4, 0.5, 0.99]
FOREST = {
    "max_depth": [None, 1, 3],
    "max_features": [1.0, 1, 2, 0.5, "sqrt"],
    "max_leaf_nodes": [None, 4],
    "min_samples_leaf": [1, 3, 0.1],
    "min_weight_fraction_leaf": [0.0, 0.1],
    "min_impurity_decrease": [0.0, 0.01],
    "ccp_alpha": [0.0, 0.01],
    "bootstrap": [True, False],
    "max_samples": [None, 0.5, 7],
    "monotonic_cst": [None, [1, 0, 0, -1]],
    "oob_score": [False, False, True],
    "warm_start": [False, False, True],
    "n_jobs": [None, 2],
    "random_state": [0, 7],
}
STAGED = {
    "learning_rate": [0.1, 1.0],
    "subsample": [1.0, 0.5],
    "max_features": [None, 2, 0.5],
    "max_depth": [1, 3, None],
    "max_leaf_nodes": [None, 3],
    "min_samples_split": [2, 0.5],
    "min_samples_leaf": [1, 5],
    "min_weight_fraction_leaf": [0.0, 0.1],
    "min_impurity_decrease": [0.0, 0.01],
    "init": [None, "zero", "prior"],
    "n_iter_no_change": [None, 1, 2],
    "validation_fraction": [0.1, 0.3],
    "tol": [1e-4, 0.1],
    "ccp_alpha": [0.0, 0.01],
    "random_state": [0, 7],
}
HISTOGRAM = {
    "learning_rate": [0.1, 1.0],
    "max_leaf_nodes": [3, 31],
    "max_depth": [None, 2],
    "min_samples_leaf": [2, 20],
    "l2_regularization": [0.0, 1.0],
    "max_features": [1.0, 0.5],
    "max_bins": [3, 255],
    "warm_start": [False, False, True],
    "categorical_features": ["from_dtype", None, [0]],
    "monotonic_cst": [None, [1, 0, 0, -1]],
    "interaction_cst": [None, "pairwise", [{0, 1}]],
    "early_stopping": [False, True, "auto"],
    "scoring": ["loss", None],
    "n_iter_no_change": [1, 3],
    "validation_fraction": [0.1, None, 5],
    "tol": [1e-7, 0.1],
    "random_state": [0, 7],
}
LIGHT = {
    "boosting_type": ["gbdt", "dart", "goss", "rf"],
    "num_leaves": [3, 31],
    "max_depth": [-1, 2],
    "learning_rate": [0.1, 1.0],
    "min_child_samples": [1, 20],
    "min_child_weight": [1e-3, 2.0],
    "min_split_gain": [0.0, 0.1],
    "subsample": [1.0, 0.5],
    "subsample_freq": [0, 1, 2],
    "colsample_bytree": [1.0, 0.5],
    "reg_alpha": [0.0, 1.0],
    "reg_lambda": [0.0, 1.0],
    "subsample_for_bin": [20, 200_000],
    "importance_type": ["split", "gain"],
    "random_state": [None, 0, 7],
    "extra_trees": [False, True],
    "linear_tree": [False, True],
    "max_bin": [3, 255],
    "monotone_constraints": [None, [0, 1, 0, -1]],
    "feature_fraction_bynode": [1.0, 0.5],
    "path_smooth": [0.0, 1.0],
    "data_sample_strategy": ["bagging", "goss"],
    "interaction_constraints": [None, [[0, 1], [2, 3]]],
    "boost_from_average": [True, False],
    "drop_rate": [0.1, 0.9],
    "max_delta_step": [0.0, 0.3],
    "cat_smooth": [1.0, 10.0],
    "min_data_per_group": [1, 100],
    "use_quantized_grad": [False, True],
    "bagging_fraction": [1.0, 0.4],
    "bagging_freq": [0, 1],
    "early_stopping_round": [None, 2],
}
EXTREME = {
    "booster": [None, "gbtree", "dart", "gblinear"],
    "tree_method": [None, "hist", "approx", "exact"],
    "grow_policy": [None, "lossguide"],
    "max_depth": [None, 1, 3],
    "max_leaves": [None, 3],
    "max_bin": [None, 3],
    "learning_rate": [None, 1.0],
    "gamma": [None, 0.5],
    "min_child_weight": [None, 5],
    "max_delta_step": [None, 0.5],
    "subsample": [None, 0.5],
    "sampling_method": [None, "uniform"],
    "colsample_bytree": [None, 0.5],
    "colsample_bylevel": [None, 0.5],
    "colsample_bynode": [None, 0.5],
    "reg_alpha": [None, 1.0],
    "reg_lambda": [None, 0.0],
    "num_parallel_tree": [None, 2],
    "monotone_constraints": [None, "(1,0,0,-1)"],
    "interaction_constraints": [None, "[[0,1],[2,3]]"],
    "base_score": [None, 0.3],
    "missing": [np.nan, 0.0],
    "importance_type": [None, "weight"],
    "enable_categorical": [False, True],
    "max_cat_to_onehot": [None, 1],
    "max_cat_threshold": [None, 1],
    "multi_strategy": [None, "multi_output_tree"],
    "feature_types": [None, ["q", "q", "int", "q"]],
    "feature_weights": [None, np.array([1.0, 0.0, 2.0, 1.0])],
    "rate_drop": [0.5],
    "skip_drop": [0.5],
    "eval_metric": [None, "rmse"],
    "refresh_leaf": [0],
    "random_state": [None, 0, 7],
}
NEIGHBORS = {
    "weights": ["uniform", "distance"],
    "algorithm": ["auto", "ball_tree", "kd_tree", "brute"],
    "leaf_size": [1, 30],
    "p": [1, 2, 3, 1.5, np.inf],
    "metric": ["minkowski", "euclidean", "manhattan", "chebyshev", "cosine", "nan_euclidean"],
    "metric_params": [None, {"w": np.array([1.0, 2.0, 0.0, 1.0])}],
    "n_jobs": [None, 2],
}
COMPONENTS = {
    "whiten": [False, True],
    "svd_solver": ["auto", "full", "covariance_eigh", "randomized", "arpack"],
    "tol": [0.0, 0.1],
    "iterated_power": ["auto", 1],
    "n_oversamples": [10, 1],
    "power_iteration_normalizer": ["auto", "QR"],
    "random_state": [0],
}
SEVERAL = (
    *(RandomForestRegressor, RandomForestClassifier, ExtraTreesRegressor, ExtraTreesClassifier),
    *(KNeighborsRegressor, KNeighborsClassifier, xgboost.XGBRegressor),
)
"""Who takes several targets at once."""
CLASS_WEIGHT = [None, "balanced", {0: 1.0, 1: 3.0}]
KINDS = {
    RandomForestRegressor: (
        "n_estimators",
        FOREST | {"criterion": ["squared_error", "absolute_error", "poisson"]},
    ),
    RandomForestClassifier: (
        "n_estimators",
        FOREST | {"class_weight": [*CLASS_WEIGHT, "balanced_subsample"]},
    ),
    ExtraTreesRegressor: ("n_estimators", FOREST),
    ExtraTreesClassifier: ("n_estimators", FOREST | {"criterion": ["gini", "entropy"]}),
    GradientBoostingRegressor: (
        "n_estimators",
        STAGED | {"loss": ["squared_error", "absolute_error", "huber", "quantile"]},
    ),
    GradientBoostingClassifier: ("n_estimators", STAGED | {"loss": ["log_loss", "exponential"]}),
    HistGradientBoostingRegressor: (
        "max_iter",
        HISTOGRAM
        | {
            "loss": ["squared_error", "absolute_error", "poisson", "gamma", "quantile"],
            "quantile": [None, 0.3],
        },
    ),
    HistGradientBoostingClassifier: ("max_iter", HISTOGRAM | {"class_weight": CLASS_WEIGHT}),
    lightgbm.LGBMRegressor: (
        "n_estimators",
        LIGHT | {"objective": [None, "l1", "huber", "quantile", "poisson", "tweedie", squares]},
    ),
    lightgbm.LGBMClassifier: (
        "n_estimators",
        LIGHT | {"class_weight": CLASS_WEIGHT, "is_unbalance": [False, True]},
    ),
    xgboost.XGBRegressor: (
        "n_estimators",
        EXTREME
        | {
            "objective": [
                *("reg:squarederror", "reg:absoluteerror", "count:poisson"),
                *("reg:pseudohubererror", "reg:quantileerror", squares),
            ],
            "quantile_alpha": [None, 0.3, [0.1, 0.9]],
        },
    ),
    xgboost.XGBClassifier: ("n_estimators", EXTREME | {"scale_pos_weight": [None, 2.0]}),
    KNeighborsRegressor: ("n_neighbors", NEIGHBORS),
    KNeighborsClassifier: ("n_neighbors", NEIGHBORS),
    PCA: ("n_components", COMPONENTS),
}


@st.composite
def tables(draw, classes, several=False):
    """Draw X, y and weights: few rows, ties, constants, missing values, all types."""
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    rows = draw(st.sampled_from([6, 25, 60]))
    X = rng.normal(size=(rows, 4))
    trouble = draw(st.sampled_from(["none", "ties", "constant", "missing", "repeated", "zeros"]))
    if trouble == "ties":
        X = np.round(X)
    elif trouble == "constant":
        X[:, 1] = 3.0
    elif trouble == "missing":
        X[rng.random(X.shape) < 0.2] = np.nan
    elif trouble == "repeated":
        X = X[rng.integers(0, 3, rows)]
    elif trouble == "zeros":
        X[rng.random(X.shape) < 0.5] = 0.0
    level = np.nan_to_num(X[:, 0]) + rng.normal(size=rows)
    if classes:
        number = draw(st.sampled_from([1, 2, 3]))
        y = np.minimum((level > 0).astype(int) + (level > 1), number - 1)
        y = draw(st.sampled_from([y, y, np.array(["no", "so", "yes"])[y], y.astype(bool)]))
    else:
        y = draw(
            st.sampled_from([level, np.abs(level), np.round(np.abs(level)), level.astype("f4")])
        )
    if several and draw(st.booleans()):
        y = np.column_stack([y, y[::-1]])
    form = draw(st.sampled_from(["C", "F", "float32", "frame", "categories", "sparse", "integers"]))
    if form == "F":
        X = np.asfortranarray(X)
    elif form == "float32":
        X = X.astype(np.float32)
    elif form == "frame":
        X = pd.DataFrame(X, columns=list("abcd"), index=range(7, 7 + rows))
    elif form == "categories":
        X = pd.DataFrame(X, columns=list("abcd"))
        X["a"] = pd.Categorical(rng.choice(["u", "v", "w"], rows))
    elif form == "sparse":
        X = csr_matrix(np.nan_to_num(X))
    elif form == "integers":
        X = np.nan_to_num(X * 3).astype(int)
    weighted = draw(st.sampled_from([None, None, "some", "zeros"]))
    weights = None if weighted is None else rng.random(rows)
    if weighted == "zeros":
        weights[::3] = 0.0
    return X, y, weights


@st.composite
def cases(draw, kind):
    """Draw two or three estimators of one family, and what they are fitted on."""
    swept, space = KINDS[kind]
    # Few parameters at a time: of many, the libraries refuse most combinations.
    names = draw(st.lists(st.sampled_from(sorted(space)), unique=True, max_size=5))
    params = {name: draw(st.sampled_from(space[name])) for name in names}
    base = kind(**FIXED.get(kind.__module__.partition(".")[0], {})).set_params(**params)
    if getattr(base, "random_state", 0) is None:
        base.set_params(random_state=3)
    sizes = SHARES if kind is PCA else SIZES
    sizes = draw(st.lists(st.sampled_from(sizes), min_size=2, max_size=3))
    models = [clone(base).set_params(**{swept: size}) for size in sizes]
    other = draw(st.sampled_from(sorted(space)))
    models.append(clone(base).set_params(**{other: draw(st.sampled_from(space[other]))}))
    return models, *draw(tables("Classifier" in kind.__name__, kind in SEVERAL))


def outcome(func, *args, **kwargs):
    """Return what a call does: a value, or the class of what it raises."""
    try:
        return func(*args, **kwargs)
    except Exception as error:
        return type(error)


def groups(models, ask, understood, params):
    """Return the numbers of the models whose fits may share their work, as the pass does."""
    family, found = family_of(models[0]), {}
    if not hasattr(family, ask) or not params.keys() <= getattr(family, understood):
        return []
    for number, one in enumerate(models):
        with suppress(Refused):
            found.setdefault(getattr(family, ask)(one), []).append(number)
    return found.values()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=max(settings().max_examples // 12, 1), suppress_health_check=[*HealthCheck])
@given(st.data())
def test_members_are_their_own_fits(kind, assert_same, assert_same_booster, data):
    models, X, y, weights = data.draw(cases(kind))
    on = X, y
    params = {} if weights is None else {"sample_weight": weights}
    family = family_of(models[0])
    name = family.name
    with warnings.catch_warnings(action="ignore"):
        own = [outcome(fit, one, *on, **params) for one in models]

        def check(number, shared, given):
            """Compare a fit on what is shared with a model's own fit."""
            found = outcome(shared, name, given, models[number], *on, **params)
            if hasattr(own[number], "_Booster"):
                assert_same_booster(found, own[number], X)
            else:
                assert_same(found, own[number])
            return found

        for numbers in groups(models, "key", "params", params):
            learned = learn_family(name, [models[number] for number in numbers], *on, **params)
            cut = [check(number, cut_member, learned) for number in numbers]
            for method in family.methods & {"predict", "predict_proba"}:
                prepared = prepare_use(name, learned, X)
                for one, number in zip(cut, numbers, strict=True):
                    if hasattr(own[number], method):
                        found = outcome(apply_member, name, prepared, one, method, X)
                        assert_same(found, outcome(methodcaller(method, X), own[number]))
        for numbers in groups(models, "rows_key", "rows_params", params):
            rows = bin_rows(name, models[numbers[0]], *on, **params)
            for number in numbers:
                check(number, fit_binned, rows)
