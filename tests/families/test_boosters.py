"""LightGBM and XGBoost: fewer rounds are a prefix of more."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from dask import compute, delayed
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import clone

import stratum_dask as sd
from stratum_dask.families import (
    Refused,
    bin_rows,
    cut_member,
    family_of,
    learn_binned,
    texts,
)
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit
from stratum_dask.semantics import uses_randomness

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

LIGHT = (lightgbm.LGBMRegressor, lightgbm.LGBMClassifier)
EXTREME = (xgboost.XGBRegressor, xgboost.XGBClassifier)
KEEPS_GENERATOR = (
    "rng_state" in xgboost.train({}, xgboost.DMatrix([[0], [1]], [0, 1]), 1).save_config()
)
"""Whether its boosters keep the state of their generator, which for more rounds has drawn more."""


def light(kind, *rounds, **params):
    fixed = {"random_state": 0, "verbose": -1, "n_jobs": 1, "num_leaves": 5, "min_child_samples": 5}
    return [kind(n_estimators=n, **{**fixed, **params}) for n in rounds]


def extreme(kind, *rounds, **params):
    return [kind(n_estimators=n, random_state=0, n_jobs=1, max_depth=3, **params) for n in rounds]


def target(kind, data):
    return data[2] if "Classifier" in kind.__name__ else data[1]


def left_alone():
    """Return how many fits families left to be fits of their own."""
    fallbacks = counters.snapshot().fallbacks.items()
    return sum(n for one, n in fallbacks if one.operation.startswith("family"))


@pytest.fixture
def cut_boosters(cut, assert_same_booster):
    """Compare members with their own fits, their boosters as the libraries write them."""

    def check(estimators, X, y, *, refused=0, **params):
        counters.reset()
        members = cut(estimators, X, y, **params)
        assert left_alone() == refused
        for estimator, member in zip(estimators, members, strict=True):
            assert_same_booster(member, clone(estimator).fit(X, y, **params), X)

    return check


@pytest.mark.parametrize("kind", LIGHT)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"subsample": 0.6, "subsample_freq": 1, "colsample_bytree": 0.5},
        {"reg_alpha": 0.1, "learning_rate": 0.3, "max_bin": 15},
        {"extra_trees": True, "class_weight": None},
        {"min_child_samples": 50, "min_split_gain": 5.0},
    ],
    ids=str,
)
def test_light_members_are_their_own_fits(cut_boosters, data, kind, params):
    cut_boosters(light(kind, 6, 1, 12, **params), data[0], target(kind, data))


def learned_on_bins(estimators, X, y):
    rows = bin_rows("LightGBM", estimators[0], X, y)
    return learn_binned("LightGBM", rows, estimators, X, y)


@pytest.mark.parametrize("kind", LIGHT)
@pytest.mark.parametrize(
    "params", [{}, {"min_child_samples": 200}, {"min_split_gain": 5.0, "subsample": 0.5}], ids=str
)
def test_light_members_are_cut_out_of_what_was_written(
    data, kind, params, assert_same_booster, monkeypatch
):
    X, y = data[0], target(kind, data)
    estimators = light(kind, 6, 1, 12, **params)
    learned = learned_on_bins(estimators, X, y)
    assert type(learned.booster_) is lightgbm.Booster
    counters.reset()
    with monkeypatch.context() as patch:
        patch.delattr(lightgbm.Booster, "model_to_string")  # nothing is written again
        members = [cut_member("LightGBM", learned, one, X, y) for one in estimators]
    assert not counters.snapshot().fallbacks
    for estimator, member in zip(estimators, members, strict=True):
        assert_same_booster(member, fit(estimator, X, y), X)


@given(st.text(st.sampled_from("abé_= 0\t#"), max_size=9), st.integers(1, 9))
def test_whatever_columns_are_called(name, rounds):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 2)), columns=[name, "end of trees"])
    y = X.iloc[:, 0] > 0.1
    try:
        model = light(lightgbm.LGBMClassifier, 7)[0].fit(X, y)
    except lightgbm.basic.LightGBMError:  # names that it does not take
        return
    booster = model.booster_
    found = texts._cut(booster.model_to_string(), booster.num_trees(), rounds)
    expected = booster.model_to_string(num_iteration=rounds)
    ends = re.compile(r"(?s)\nfeature_importances:.*?\n\nparameters:")
    assert ends.sub("", found) == ends.sub("", expected)


@pytest.mark.parametrize("edit", [("tree_sizes", "sizes"), ("Tree=1\n", "Tree=10\n"), ("end", "")])
def test_what_is_written_in_another_way_is_not_cut(data, edit):
    booster = light(lightgbm.LGBMRegressor, 3)[0].fit(*data[:2]).booster_
    assert texts._cut(booster.model_to_string().replace(*edit), 3, 2) is None
    assert texts._cut(booster.model_to_string(), 4, 2) is None


def test_what_travelled_is_written_again(data, assert_same_booster):
    estimators = light(lightgbm.LGBMRegressor, 3, 5)
    learned = pickle.loads(pickle.dumps(learned_on_bins(estimators, *data[:2])))
    member = cut_member("LightGBM", learned, estimators[0], *data[:2])
    assert_same_booster(member, fit(estimators[0], *data[:2]), data[0])


@pytest.mark.parametrize("kind", EXTREME)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"subsample": 0.6, "colsample_bytree": 0.5, "colsample_bynode": 0.5},
        {"num_parallel_tree": 2, "tree_method": "exact"},
        {"tree_method": "approx", "gamma": 1.0, "reg_lambda": 0.1},
    ],
    ids=str,
)
def test_extreme_members_are_their_own_fits(cut_boosters, data, kind, params):
    refused = 2 if KEEPS_GENERATOR and "subsample" in params else 0
    cut_boosters(extreme(kind, 6, 1, 12, **params), data[0], target(kind, data), refused=refused)


@pytest.mark.parametrize("kind", [*LIGHT, *EXTREME])
def test_kinds_of_data(cut_boosters, data, kind):
    make = light if kind in LIGHT else extreme
    X, y = data[0], target(kind, data)
    cut_boosters(make(kind, 2, 4), X, y, sample_weight=np.linspace(0.1, 1, len(y)))
    cut_boosters(make(kind, 2, 4), csr_matrix(X), y)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "x", "y"))
    frame.iloc[3, 2] = np.nan
    cut_boosters(make(kind, 2, 4), frame[["a", "b", "c"]], target(kind, data))
    if kind in LIGHT:
        cut_boosters(make(kind, 2, 4), frame, y)


def test_two_classes(cut_boosters, data):
    y = np.where(data[2] > 0, "yes", "no")
    cut_boosters(light(lightgbm.LGBMClassifier, 2, 4, class_weight="balanced"), data[0], y)
    cut_boosters(extreme(xgboost.XGBClassifier, 2, 4), data[0], (y == "yes").astype(int))


def test_categories_are_not_sliced(cut, data):
    frame = pd.DataFrame(data[0])
    frame["kind"] = pd.Categorical(np.where(data[0][:, 0] > 0, "x", "y"))
    models = extreme(xgboost.XGBRegressor, 2, 4, enable_categorical=True)
    counters.reset()
    for model, member in zip(models, cut(models, frame, data[1]), strict=True):
        own = fit(model, frame, data[1]).get_booster()
        assert member.get_booster().save_raw("json") == own.save_raw("json")
    assert left_alone() == 2


def test_the_default_number_of_rounds(cut_boosters, data):
    cut_boosters(extreme(xgboost.XGBRegressor, None, 3), *data[:2])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lightgbm.LGBMRegressor(boosting_type="dart"), "dart"),
        (lightgbm.LGBMRegressor(num_iterations=3), "num_iterations"),
        (lightgbm.LGBMRegressor(early_stopping_round=3), "early_stopping_round"),
        (lightgbm.LGBMRegressor(objective=lambda y, p: (p - y, y * 0 + 1)), "objective"),
        (xgboost.XGBRegressor(booster="dart"), "dart"),
        (xgboost.XGBRegressor(early_stopping_rounds=3), "early_stopping_rounds"),
        (xgboost.XGBRegressor(process_type="update"), "kwargs"),
        (xgboost.XGBRegressor(device="cuda"), "accelerator"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_what_is_refused(model, reason):
    with pytest.raises(Refused, match=reason):
        family_of(model).key(model)


def test_from_end_to_end(data):
    X, y = delayed(data[0]), delayed(data[1])
    models = [*light(lightgbm.LGBMRegressor, 2, 5), *extreme(xgboost.XGBRegressor, 2, 5)]

    def batch():
        return [delayed(model).fit(X, y).predict(X) for model in models]

    assert list(sd.explain(batch()).families.values()) == [2, 2]
    for one, other in zip(compute(*sd.optimize(batch())), compute(*batch()), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [*LIGHT, *EXTREME])
def test_without_a_seed_nothing_is_drawn(data, kind):
    X, y = data[0], target(kind, data)
    params = {"n_jobs": 1, "subsample": 0.5, "colsample_bytree": 0.5, "n_estimators": 5}
    if kind in LIGHT:
        params |= {"subsample_freq": 1, "verbose": -1, "extra_trees": True}
    assert not uses_randomness(kind(**params))
    np.random.seed(1)
    first = fit(kind(**params), X, y)
    np.random.seed(2)
    fit(kind(**params, random_state=3), X, y)
    second = fit(kind(**params), X, y)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def test_the_libraries_are_not_imported():
    code = "import stratum_dask, sys; print({'lightgbm', 'xgboost'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
