"""Binned rows: fits that grow other trees on the same bins, each with the bits of its own."""

from __future__ import annotations

import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from dask import compute, delayed
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.model_selection import cross_val_score
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from stratum_dask.families import (
    FAMILIES,
    Refused,
    bin_rows,
    boosters,
    boosting,
    family_of,
    fit_binned,
)
from stratum_dask.families.binned import Binned
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

HIST = (HistGradientBoostingRegressor, HistGradientBoostingClassifier)
LIGHT = (lightgbm.LGBMRegressor, lightgbm.LGBMClassifier)
EXTREME = (xgboost.XGBRegressor, xgboost.XGBClassifier)
KINDS = (*HIST, *LIGHT, *EXTREME)

GROWTH = {
    HIST: {
        "interaction_cst": [{0, 1}, {2, 3, 4, 5}],
        "l2_regularization": 2.0,
        "learning_rate": 0.4,
        "max_depth": 2,
        "max_features": 0.5,
        "max_iter": 9,
        "max_leaf_nodes": 4,
        "min_samples_leaf": 3,
        "monotonic_cst": [1, 0, 0, 0, 0, -1],
        "n_iter_no_change": 2,
        "tol": 0.1,
    },
    LIGHT: {
        "colsample_bytree": 0.5,
        "importance_type": "gain",
        "learning_rate": 0.4,
        "max_depth": 2,
        "min_child_weight": 5.0,
        "min_split_gain": 1.0,
        "n_estimators": 9,
        "num_leaves": 4,
        "reg_alpha": 1.0,
        "reg_lambda": 2.0,
        "subsample": 0.5,
        "subsample_freq": 2,
    },
    EXTREME: {
        "base_score": 0.25,
        "colsample_bylevel": 0.5,
        "colsample_bynode": 0.5,
        "colsample_bytree": 0.5,
        "early_stopping_rounds": None,
        "eval_metric": "rmse",
        "gamma": 1.0,
        "grow_policy": "lossguide",
        "importance_type": "weight",
        "interaction_constraints": "[[0,1],[2,3,4,5]]",
        "learning_rate": 0.4,
        "max_cat_threshold": 3,
        "max_cat_to_onehot": 2,
        "max_delta_step": 0.1,
        "max_depth": 2,
        "max_leaves": 3,
        "min_child_weight": 5.0,
        "monotone_constraints": "(1,0,0,0,0,-1)",
        "multi_strategy": "one_output_per_tree",
        "n_estimators": 9,
        "num_parallel_tree": 2,
        "objective": None,
        "random_state": 7,
        "reg_alpha": 1.0,
        "reg_lambda": 2.0,
        "scale_pos_weight": 2.0,
        "subsample": 0.5,
    },
}


def make(kind, **params):
    """Return an estimator that is fitted quickly."""
    if kind in HIST:
        return kind(**{"max_iter": 5, "random_state": 0, "min_samples_leaf": 5, **params})
    fixed = {"n_estimators": 5, "random_state": 0, "n_jobs": 1}
    if kind in LIGHT:
        fixed |= {"verbose": -1, "min_child_samples": 5}
    return kind(**{**fixed, **params})


def target(kind, data):
    return data[2] if "Classifier" in kind.__name__ else data[1]


@pytest.fixture
def same_model(assert_same, assert_same_booster):
    """Compare two fitted models to the last bit."""

    def check(one, other, X):
        if hasattr(one, "_Booster"):
            assert_same_booster(one, other, X)
        else:
            assert_same(one, other)
            assert_same(one.predict(X), other.predict(X))

    return check


@pytest.fixture
def check(same_model, fallbacks):
    """Fit estimators on rows that are binned once, and compare each with its own fit."""

    def compare(estimators, X, y, **params):
        family = family_of(estimators[0])
        assert len({family.rows_key(one) for one in estimators}) == 1
        counters.reset()
        rows = bin_rows(family.name, estimators[0], X, y, **params)
        assert isinstance(rows, Binned)
        for one in estimators:
            fitted = fit_binned(family.name, rows, one, X, y, **params)
            same_model(fitted, clone(one).fit(X, y, **params), X)
        assert not fallbacks()

    return compare


@pytest.mark.parametrize("kind", KINDS)
def test_all_ways_to_grow_trees(check, data, kind):
    (ways,) = (ways for kinds, ways in GROWTH.items() if kind in kinds)
    each = [make(kind), *(make(kind, **{name: value}) for name, value in ways.items())]
    y = (data[2] > 0).astype(int) if "Classifier" in kind.__name__ else data[1]
    check(each, data[0], y)
    check(each, data[0].astype(np.float32), y)


def test_all_names_are_tried():
    assert {*GROWTH[HIST]} == {*boosting._GROWTH}
    assert {*GROWTH[LIGHT]} == {*boosters._LIGHT_GROWTH}
    assert {*GROWTH[EXTREME]} == {*boosters._EXTREME_GROWTH}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_data(check, data, kind):
    X, y = data[0].copy(), target(kind, data)
    pair = [make(kind), make(kind, learning_rate=0.5)]
    X[5, 2] = np.nan
    check(pair, X, y)
    check(pair, np.asfortranarray(X), y)
    check(pair, np.round(X), y, sample_weight=np.linspace(0.1, 1, len(y)))
    check(pair, pd.DataFrame(X, columns=list("abcdef")), pd.Series(y))
    if kind not in HIST:
        check(pair, csr_matrix(data[0]), y)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "x", "y"))
    if kind in EXTREME:
        pair = [one.set_params(enable_categorical=True) for one in pair]
    check(pair, frame, y)


def test_two_classes(check, data):
    names = np.where(data[2] > 0, "yes", "no")
    for kind in (HIST[1], LIGHT[1]):
        pair = [make(kind, class_weight="balanced", max_depth=depth) for depth in (2, 4)]
        check(pair, data[0], names)
    check([make(EXTREME[1], max_depth=d) for d in (2, 4)], data[0], (data[2] > 0).astype(int))


def evaluated_on(*sets):
    """Return arguments of LightGBM's fit, which changed their name in its version 4.7."""
    if "eval_X" not in inspect.signature(lightgbm.LGBMRegressor.fit).parameters:
        return {"eval_set": list(sets)}
    Xs, ys = zip(*sets, strict=True)
    return {"eval_X": Xs, "eval_y": ys}


@pytest.mark.parametrize("kind", LIGHT)
def test_light_stops_early(check, data, kind):
    X, y = data[0], target(kind, data)
    pair = [make(kind, n_estimators=60, learning_rate=rate) for rate in (0.3, 0.8)]
    stop = lightgbm.early_stopping(3, verbose=False)
    check(pair, X[:80], y[:80], **evaluated_on((X[80:], y[80:])), callbacks=[stop])
    frame = pd.DataFrame(X, columns=list("abcdef"))
    metric = "l1" if kind is LIGHT[0] else "multi_error"
    check(pair, frame[:80], y[:80], **evaluated_on((frame[80:], y[80:])), eval_metric=metric)
    both = evaluated_on((X, y), (X[:9], y[:9]))
    check(pair, X, y, **both, eval_names=["all", "some"])


@pytest.mark.parametrize("kind", EXTREME)
def test_extreme_stops_early(check, data, kind):
    X, y = data[0], target(kind, data)
    pair = [
        make(kind, n_estimators=60, learning_rate=rate, early_stopping_rounds=3)
        for rate in (0.3, 0.8)
    ]
    check(pair, X[:80], y[:80], eval_set=[(X[80:], y[80:])], verbose=False)
    check(pair, X, y, eval_set=[(X, y), (X[:9], y[:9])], verbose=False)


@pytest.mark.parametrize("kind", HIST)
def test_hist_stops_early(check, data, kind):
    X, y = data[0], target(kind, data)
    pair = [
        make(kind, max_iter=60, learning_rate=rate, early_stopping=True, n_iter_no_change=2)
        for rate in (0.3, 0.8)
    ]
    check(pair, X, y)


@pytest.mark.parametrize(
    ("kind", "params"),
    [(kind, {"max_bins": 9}) for kind in HIST]
    + [(kind, {"random_state": 1}) for kind in (*HIST, *LIGHT)]
    + [(kind, {"categorical_features": [0]}) for kind in HIST]
    + [(kind, {"early_stopping": True}) for kind in HIST]
    + [(kind, {"max_bin": 9}) for kind in (*LIGHT, *EXTREME)]
    + [(kind, {"min_child_samples": 9}) for kind in LIGHT]
    + [(kind, {"subsample_for_bin": 50}) for kind in LIGHT]
    + [(kind, {"n_jobs": 2}) for kind in (*LIGHT, *EXTREME)]
    + [(kind, {"missing": 0.0}) for kind in EXTREME]
    + [(kind, {"enable_categorical": not kind().enable_categorical}) for kind in EXTREME],
    ids=str,
)
def test_other_bins_are_not_shared(kind, params):
    family = family_of(make(kind))
    assert family.rows_key(make(kind)) != family.rows_key(make(kind, **params))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lightgbm.LGBMRegressor(linear_tree=True), "linear_tree"),
        (lightgbm.LGBMRegressor(objective=lambda y, p: (p - y, y * 0 + 1)), "objective"),
        (xgboost.XGBRegressor(tree_method="exact"), "exact"),
        (xgboost.XGBRegressor(booster="gblinear"), "gblinear"),
        (xgboost.XGBRegressor(device="cuda"), "accelerator"),
        (xgboost.XGBRegressor(updater="shotgun"), "kwargs"),
        (HistGradientBoostingRegressor(verbose=1), "prints"),
        (HistGradientBoostingRegressor(warm_start=True), "earlier fit"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_what_is_refused(model, reason):
    with pytest.raises(Refused, match=reason):
        family_of(model).rows_key(model)


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_fitted_fails_as_its_own(data, kind):
    y = np.full(len(data[0]), np.nan)
    name = family_of(make(kind)).name
    rows = bin_rows(name, make(kind), data[0], y)
    with pytest.raises(Exception) as own:
        fit(make(kind), data[0], y)
    with pytest.raises(type(own.value)) as found:
        fit_binned(name, rows, make(kind), data[0], y)
    assert str(found.value) == str(own.value)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_made_again_elsewhere(data, kind, same_model, fallbacks):
    X, y, one = data[0], target(kind, data), make(kind)
    name = family_of(one).name
    rows = bin_rows(name, one, X, y)
    assert rows.__sizeof__() == X.size
    arrived = pickle.loads(pickle.dumps(rows))
    counters.reset()
    same_model(fit_binned(name, arrived, one, X, y), fit(one, X, y), X)
    assert not fallbacks()
    assert arrived.made(lambda: pytest.fail("binned twice")) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_fits_at_the_same_time(kind, same_model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 12)).round(2)
    y = X[:, 0] * X[:, 1] + rng.normal(size=4000)
    y = (y > 0).astype(int) if "Classifier" in kind.__name__ else y
    each = [make(kind, learning_rate=rate) for rate in np.linspace(0.05, 0.5, 8)]
    name = family_of(each[0]).name
    rows = bin_rows(name, each[0], X, y)
    # OpenMP has a limit per thread, and what is fitted notes it.
    with ThreadPoolExecutor(4, initializer=threadpool_limits, initargs=(1,)) as pool:
        found = list(pool.map(lambda one: fit_binned(name, rows, one, X, y), each))
    for one, fitted in zip(each, found, strict=True):
        same_model(fitted, fit(one, X, y), X)


def test_a_library_that_does_not_ask_fits_as_it_does(data, monkeypatch, same_model, fallbacks):
    X, y = data[:2]
    own = xgboost.XGBRegressor.fit

    def other(self, X, y):
        vars(self).pop("_create_dmatrix", None)
        own(self, X, y)
        self._create_dmatrix = None

    monkeypatch.setattr(xgboost.XGBRegressor, "fit", other)
    rows = bin_rows("XGBoost", make(EXTREME[0]), X, y)
    monkeypatch.undo()
    counters.reset()
    same_model(fit_binned("XGBoost", rows, make(EXTREME[0]), X, y), fit(make(EXTREME[0]), X, y), X)
    (fallback,) = fallbacks()
    assert "without asking" in fallback.reason


def grid():
    return [
        *(make(LIGHT[0], num_leaves=n, n_estimators=m) for n in (3, 7) for m in (2, 4)),
        *(make(EXTREME[0], max_depth=n, n_estimators=m) for n in (2, 3) for m in (2, 4)),
        *(make(HIST[0], max_leaf_nodes=n, max_iter=m) for n in (3, 7) for m in (2, 4)),
        make(EXTREME[0], max_depth=1, n_estimators=1),
    ]


FITS_ON_BINS = {
    "family LightGBM.rows": 2,
    "family XGBoost.rows": 3,
    "family histogram gradient boosting.rows": 2,
}


def test_from_end_to_end(data, fallbacks):
    X, y = delayed(data[0]), delayed(data[1])

    def batch():
        return [delayed(model).fit(X, y).predict(X) for model in grid()]

    explained = sd.explain(batch())
    assert list(explained.families.values()) == [2] * 6
    planned = {name: n for name, n in explained.native.items() if name.endswith(".rows")}
    assert planned == FITS_ON_BINS
    counters.reset()
    for one, other in zip(compute(*sd.optimize(batch())), compute(*batch()), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not fallbacks()
    hits = counters.snapshot().hits
    assert {name: n for name, n in hits.items() if name.endswith(".rows")} == FITS_ON_BINS


@pytest.mark.parametrize("isolate", ["thread", "process"])
def test_in_a_search(data, isolate):
    X, y = data[:2]
    found = sd.evaluate(
        dict(enumerate(grid())), X, y, cv=3, scoring="r2", isolate=isolate, progress=False
    )
    assert not found.errors
    for number, model in enumerate(grid()):
        expected = cross_val_score(model, X, y, cv=3, scoring="r2")
        row = found.frame.set_index("candidate").loc[number, ["fold_0", "fold_1", "fold_2"]]
        np.testing.assert_array_equal(row.astype(float), expected)


def test_families_that_bin():
    named = {name for name, one in FAMILIES.items() if hasattr(one, "rows_key")}
    assert named == {"LightGBM", "XGBoost", "histogram gradient boosting"}
