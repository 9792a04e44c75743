"""One search for all numbers of neighbours, unless distances are equal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from stratum_dask.families import (
    Refused,
    apply_member,
    cut_member,
    family_of,
    learn_family,
    neighbors,
    prepare_use,
)
from stratum_dask.families.nearest import nearest
from stratum_dask.ops import counters
from stratum_dask.runtime.threads import in_task

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


@st.composite
def tasks(draw):
    """Return members, what they are fitted on and what they predict, seldom without ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, m, columns = (draw(st.integers(*of)) for of in ((20, 400), (1, 200), (1, 30)))
    X = rng.normal(size=(n + m, columns)) * rng.uniform(0.1, 10, columns)
    X[:, rng.random(columns) < draw(st.sampled_from([0.0, 0.3]))] = 4.0
    X += draw(st.sampled_from([0.0, 0.0, 1e4]))
    if draw(st.integers(0, 3)) == 0:
        X = X.round(draw(st.integers(0, 3)))
    for start, size in ((0, n), (n, m)):  # repeated rows, and some that are fitted, too
        again = rng.random(size) < draw(st.sampled_from([0.0, 0.0, 0.02]))
        X[start : start + size][again] = X[rng.integers(0, n, again.sum())]
    fitted, rows = (
        part.astype(draw(st.sampled_from([np.float64, np.float64, np.float32, np.int64])))
        for part in (X[:n], X[n:])
    )
    y = rng.integers(0, 4, n) if draw(st.booleans()) else rng.normal(size=n)
    kind = KNeighborsClassifier if y.dtype.kind == "i" else KNeighborsRegressor
    if draw(st.booleans()):
        y = np.column_stack([y, y[::-1]])
    params = {
        "algorithm": draw(st.sampled_from(["auto", "brute", "kd_tree", "ball_tree"])),
        "metric": draw(st.sampled_from(["minkowski", "euclidean", "l2", "manhattan"])),
        "leaf_size": draw(st.sampled_from([2, 30])),
    }
    weights = draw(st.sampled_from([("uniform",), ("uniform", "distance")]))
    ks = draw(st.lists(st.integers(1, 25), min_size=2, max_size=3))
    members = [kind(k, weights=how, **params) for k in ks for how in weights]
    return members, fitted, y, rows


@settings(suppress_health_check=[*HealthCheck])
@given(task=tasks())
def test_all_members_predict_as_their_own(assert_same, task):
    members, fitted, y, rows = task
    classifies = isinstance(members[0], KNeighborsClassifier)
    for method in ("predict", "predict_proba") if classifies else ("predict",):
        shared = or_error(used, members, fitted, y, rows, method)
        assert_same(shared, or_error(own, method, *task))


def or_error(run, *args):
    try:
        return run(*args)
    except ValueError as error:
        return str(error)


def own(method, members, fitted, y, rows):
    return [getattr(one.fit(fitted, y), method)(rows) for one in members]


@pytest.fixture
def searched(monkeypatch):
    """Return how often neighbours were searched without scikit-learn."""
    calls = []

    def spy(*args):
        calls.append(args)
        return nearest(*args)

    monkeypatch.setattr(neighbors, "nearest", spy)
    neighbors._sums_in_order()
    calls.clear()
    return calls


@pytest.mark.parametrize(
    ("columns", "dtype", "params", "ours"),
    [
        (20, np.float64, {}, 1),
        (20, np.float32, {}, 1),
        (20, np.float64, {"weights": "distance"}, 0),  # of which matrix products round distances
        (20, np.float64, {"metric": "manhattan"}, 0),
        (12, np.float32, {"weights": "distance"}, 1),
        (12, np.int64, {"algorithm": "ball_tree"}, 1),
        (2, np.float64, {}, 0),  # a tree looks at few rows
        (2, np.float64, {"algorithm": "brute"}, 1),
    ],
    ids=str,
)
def test_who_searches(searched, assert_same, columns, dtype, params, ours):
    rng = np.random.default_rng(4)
    X = (rng.normal(size=(3_100, columns)) * 1e5).astype(dtype)
    fitted, rows, y = X[:3_000], X[3_000:], rng.normal(size=3_000)
    members = models(KNeighborsRegressor, **params)
    counters.reset()
    assert_same(used(members, fitted, y, rows, "predict"), own("predict", members, fitted, y, rows))
    assert len(searched) == ours
    assert not counters.snapshot().fallbacks


def test_idle_cores_search_too(searched, assert_same, monkeypatch):
    rng = np.random.default_rng(4)
    X, rows, y = rng.normal(size=(2_000, 20)), rng.normal(size=(200, 20)), rng.normal(size=2_000)
    members = models(KNeighborsRegressor)
    with in_task(idle=2):
        assert_same(used(members, X, y, rows, "predict"), own("predict", members, X, y, rows))
    assert [args[-1] for args in searched] == [2]


@pytest.mark.parametrize("columns", [2, 12])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_a_tree_is_asked_again_for_rows_with_ties(assert_same, columns, weights):
    rng = np.random.default_rng(5)
    X, rows = rng.normal(size=(500, columns)), rng.normal(size=(100, columns))
    X[::100] = X[1::100]
    members = models(KNeighborsRegressor, weights=weights)
    y = rng.normal(size=500)
    counters.reset()
    names = [f"c{i}" for i in range(columns)]
    X, rows = pd.DataFrame(X, columns=names), pd.DataFrame(rows, columns=names)
    assert_same(used(members, X, y, rows, "predict"), own("predict", members, X, y, rows))
    assert not counters.snapshot().fallbacks


def test_rows_without_names_are_told_once(data):
    X, y, _ = data
    named = pd.DataFrame(X, columns=list("abcdef"))
    for algorithm in ("brute", "kd_tree"):
        members = models(KNeighborsRegressor, algorithm=algorithm)
        with pytest.warns(UserWarning, match="does not have valid feature names") as told:
            used(members, named, y, X + 0.01, "predict")
        assert len(told) == 1


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_rows_that_are_no_numbers_fail_as_their_own(data, wrong, algorithm):
    X, y, _ = data
    rows = X.copy()
    rows[3, 2] = wrong
    members = models(KNeighborsRegressor, algorithm=algorithm)
    for failing in (used, lambda *args: own("predict", args[0], X, y, rows)):
        with pytest.raises(ValueError, match="Input X contains"):
            failing(members, X, y, rows, "predict")


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
