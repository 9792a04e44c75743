"""One search for all numbers of neighbours, unless distances are equal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from stratum_dask.families import (
    Refused,
    apply_member,
    cut_member,
    family_of,
    learn_family,
    prepare_use,
)
from stratum_dask.ops import counters

KS = (1, 3, 4, 9)


def models(kind, ks=KS, **params):
    return [kind(k, **params) for k in ks]


def used(members, X, y, rows, method, *args):
    """Return what the members give for some rows, by one search."""
    learned = learn_family("neighbors", members, X, y)
    prepared = prepare_use("neighbors", learned, rows)
    return [
        apply_member(
            "neighbors",
            prepared,
            cut_member("neighbors", learned, one, X, y),
            method,
            rows,
            *args,
        )
        for one in members
    ]


@pytest.mark.parametrize("kind", [KNeighborsRegressor, KNeighborsClassifier])
@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree", "ball_tree"])
def test_members_are_their_own_fits(cut_exactly, data, kind, algorithm):
    X, y, classes = data
    y = classes if kind is KNeighborsClassifier else y
    cut_exactly(models(kind, algorithm=algorithm), X, y)
    cut_exactly(models(kind, algorithm=algorithm), X, np.column_stack([y, y]))


@pytest.mark.parametrize("kind", [KNeighborsRegressor, KNeighborsClassifier])
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_uses_have_the_bits_of_their_own(assert_same, kind, algorithm, weights, p):
    rng = np.random.default_rng(1)
    X, rows = rng.normal(size=(700, 20)), rng.normal(size=(300, 20))
    y = rng.normal(size=700)
    if kind is KNeighborsClassifier:
        y = (y > 0).astype(int) + (X[:, 0] > 0)
    members = models(kind, algorithm=algorithm, weights=weights, p=p)
    methods = ["predict", "predict_proba"] if kind is KNeighborsClassifier else ["predict"]
    counters.reset()
    for target in (y, np.column_stack([y, y[::-1]])):
        for method in methods:
            for one, found in zip(members, used(members, X, target, rows, method), strict=True):
                assert_same(found, getattr(one.fit(X, target), method)(rows))
    scores = used(members, X, y, rows, "score", y[:300])
    assert scores == [one.fit(X, y).score(rows, y[:300]) for one in members]
    assert not counters.snapshot().fallbacks


def test_weights_of_one_family_may_differ(assert_same, data):
    X, y, _ = data
    members = [KNeighborsRegressor(3), KNeighborsRegressor(5, weights="distance")]
    for one, found in zip(members, used(members, X, y, X + 0.01, "predict"), strict=True):
        assert_same(found, one.fit(X, y).predict(X + 0.01))


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_ties_are_searched_anew(assert_same, algorithm, dtype):
    rng = np.random.default_rng(2)
    X = rng.integers(0, 4, size=(200, 3)).astype(dtype)
    y = rng.normal(size=200)
    members = models(KNeighborsRegressor, algorithm=algorithm)
    counters.reset()
    for one, found in zip(members, used(members, X, y, X[:50], "predict"), strict=True):
        assert_same(found, one.fit(X, y).predict(X[:50]))
    assert counters.snapshot().fallbacks


def test_a_tie_hurts_only_those_that_it_concerns(assert_same):
    X = np.array([[0.0], [1.0], [2.5], [4.0], [-4.0], [7.0], [9.0], [12.0], [15.0], [20.0]])
    y = np.arange(10.0) ** 2
    members = models(KNeighborsRegressor, (1, 2, 3, 4, 5), algorithm="kd_tree")
    counters.reset()
    rows = np.array([[0.0]])  # 4 and -4 are the fourth and fifth
    for one, found in zip(members, used(members, X, y, rows, "predict"), strict=True):
        assert_same(found, one.fit(X, y).predict(rows))
    counted = counters.snapshot()
    assert counted.hits["family neighbors.predict"] == 3
    assert sum(counted.fallbacks.values()) == 2


def test_rows_that_rounding_cannot_tell_apart():
    far = 1e8
    X = far + np.array([[0.0], [1e-3], [2.1e-3], [3.3e-3]])
    members = models(KNeighborsRegressor, (1, 2), algorithm="brute")
    counters.reset()
    used(members, X, np.arange(4.0), X, "predict")
    assert len(counters.snapshot().fallbacks) == 1


def test_all_rows_are_neighbours(assert_same, data):
    X, y, _ = data
    members = models(KNeighborsRegressor, (5, 119, 120), algorithm="kd_tree")
    counters.reset()
    for one, found in zip(members, used(members, X, y, X[:20] + 0.01, "predict"), strict=True):
        assert_same(found, one.fit(X, y).predict(X[:20] + 0.01))
    assert not counters.snapshot().fallbacks


def test_the_number_of_neighbours_may_decide_the_algorithm(assert_same, data):
    X, y, _ = data
    members = models(KNeighborsRegressor, (5, 80))
    counters.reset()
    for one, found in zip(members, used(members, X, y, X + 0.01, "predict"), strict=True):
        assert_same(found, one.fit(X, y).predict(X + 0.01))
    assert counters.snapshot().fallbacks


@pytest.mark.parametrize("convert", [csr_matrix, np.float32, pd.DataFrame, np.asfortranarray])
@pytest.mark.parametrize("algorithm", ["auto", "brute"])
def test_kinds_of_data(assert_same, data, convert, algorithm):
    X, y, _ = data
    X = convert(X)
    members = models(KNeighborsRegressor, algorithm=algorithm)
    for one, found in zip(members, used(members, X, y, X[:50], "predict"), strict=True):
        assert_same(found, one.fit(X, y).predict(X[:50]))


def test_a_failing_use_fails_as_its_own(data):
    X, y, _ = data
    with pytest.raises(ValueError, match="Expected n_neighbors <= n_samples_fit"):
        used(models(KNeighborsRegressor, (2, 121)), X, y, X, "predict")[1]


@pytest.mark.parametrize(
    "params",
    [
        {"weights": np.square},
        {"metric": "cosine"},
        {"metric_params": {"w": np.ones(6)}},
        {"n_neighbors": 0},
    ],
    ids=str,
)
def test_what_is_refused(params):
    model = KNeighborsRegressor(**params)
    with pytest.raises(Refused):
        family_of(model).key(model)
