"""Trees of forests that a kernel grows, against scikit-learn's own fits: every bit of them."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version, parse
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree._splitter import BestSplitter, RandomSplitter

from stratum_dask.ops import counters, forests, planting
from stratum_dask.ops.fitting import fit
from stratum_dask.ops.forests import forest_fit

CLASSIFIERS = (RandomForestClassifier, ExtraTreesClassifier)
REGRESSORS = (RandomForestRegressor, ExtraTreesRegressor)


def assert_same_forest(ours, theirs):
    assert list(vars(ours)) == list(vars(theirs))
    assert len(ours.estimators_) == len(theirs.estimators_)
    for one, other in zip(ours.estimators_, theirs.estimators_, strict=True):
        mine, expected = one.tree_.__getstate__(), other.tree_.__getstate__()
        assert mine["max_depth"] == expected["max_depth"]
        assert mine["nodes"].tobytes() == expected["nodes"].tobytes()
        assert mine["values"].tobytes() == expected["values"].tobytes()
        assert list(vars(one)) == list(vars(other))
        for name, value in vars(other).items():
            if name != "tree_":
                assert type(getattr(one, name)) is type(value)
                np.testing.assert_array_equal(getattr(one, name), value)
    for name in ("oob_score_", "oob_prediction_", "oob_decision_function_"):
        assert hasattr(ours, name) == hasattr(theirs, name)
        if hasattr(ours, name):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@st.composite
def columns(draw, rng, rows):
    """One column, or a category's."""
    kind = draw(
        st.sampled_from(
            ["numbers", "few", "constant", "close", "one-hot", "two", "missing", "missing few"]
        )
    )
    if kind == "numbers":
        return rng.normal(size=(rows, 1)) * 10.0 ** rng.integers(-6, 7)
    if kind == "few":
        return rng.integers(-3, 4, (rows, 1)).astype(float)
    if kind == "constant":
        return np.full((rows, 1), -0.0)
    if kind == "close":  # nearer to each other than counts as different
        return rng.integers(0, 4, (rows, 1)) * 6e-8 * rng.integers(1, 4)
    if kind == "one-hot":
        return np.eye(5)[rng.integers(0, 5, rows)] * rng.normal() + rng.normal()
    if kind == "two":
        return np.where(rng.random((rows, 1)) < rng.random(), 0.0, rng.choice([1.0, 5e-8, -2.0]))
    column = rng.normal(size=(rows, 1))
    if kind == "missing few":
        column = column.round()
    column[rng.random(rows) < rng.random()] = np.nan
    return column


@st.composite
def fits(draw):
    """A forest, and what it is fitted on."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(2, 120))
    parts = [draw(columns(rng, rows)) for _ in range(draw(st.integers(1, 6)))]
    X = np.asarray(np.hstack(parts), order=draw(st.sampled_from("CF")))
    kind = draw(st.sampled_from(CLASSIFIERS + REGRESSORS))
    if kind in CLASSIFIERS:
        y = rng.integers(0, draw(st.integers(1, 6)), rows)
        y[0] = 0  # which has a weight
        criteria = ["gini", "entropy", "log_loss"]
    else:
        y = rng.integers(-50, 50, rows) * draw(st.sampled_from([1.0, 0.25, 1000.0]))
        criteria = ["squared_error"]
    bootstrap = draw(st.booleans())
    params = {
        "n_estimators": draw(st.integers(1, 3)),
        "criterion": draw(st.sampled_from(criteria)),
        "max_depth": draw(st.sampled_from([None, 1, 2, 5])),
        "min_samples_split": draw(st.sampled_from([2, 5, 0.1])),
        "min_samples_leaf": draw(st.sampled_from([1, 2, 7, 0.05])),
        "min_weight_fraction_leaf": draw(st.sampled_from([0.0, 0.1])),
        "max_features": draw(st.sampled_from([None, "sqrt", 1, 0.5])),
        "min_impurity_decrease": draw(st.sampled_from([0.0, 0.01])),
        "ccp_alpha": draw(st.sampled_from([0.0, 0.01])),
        "bootstrap": bootstrap,
        "max_samples": draw(st.sampled_from([None, 0.5])) if bootstrap else None,
        "oob_score": False,
        "random_state": draw(st.integers(0, 1000)),
    }
    if kind in CLASSIFIERS:
        params["class_weight"] = draw(st.sampled_from([None, {0: 3}]))
    weights = draw(st.sampled_from([None, "whole", "zeros"]))
    if weights is not None:
        weights = rng.integers(int(weights == "whole"), 4, rows).astype(float)
        weights[0] = 1.0
    return kind(**params), X, y, weights


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@given(fits())
def test_equals_scikit_learns_own_fit(given):
    model, X, y, weights = given
    theirs = clone(model).fit(X, y, sample_weight=weights)
    counters.reset()
    ours = forest_fit(model)(X, y, sample_weight=weights)
    assert_same_forest(ours, theirs)
    left_alone = {one.reason for one in counters.snapshot().fallbacks}
    assert left_alone <= {"other trees in this version of scikit-learn"}
    assert not left_alone or parse(sklearn.__version__) < Version("1.9")
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def data(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    X = np.hstack([rng.normal(size=(rows, 3)), np.eye(8)[rng.integers(0, 8, rows)]])
    return X, rng.integers(0, 30, rows)


@pytest.mark.parametrize("kind", CLASSIFIERS + REGRESSORS)
def test_is_what_tasks_call(kind):
    X, y = data()
    y = y % 3
    counters.reset()
    model = kind(n_estimators=4, bootstrap=True, oob_score=True, random_state=0)
    with pytest.warns(UserWarning, match="out-of-bag|OOB"):
        ours = fit(model, pd.DataFrame(X), y)
    with pytest.warns(UserWarning, match="out-of-bag|OOB"):
        theirs = clone(model).fit(pd.DataFrame(X), y)
    assert_same_forest(ours, theirs)
    assert counters.snapshot().hits == {"grow trees of forests": 4}
    assert pickle.loads(pickle.dumps(ours)).predict(pd.DataFrame(X)).tolist() == (
        theirs.predict(pd.DataFrame(X)).tolist()
    )


def test_many_values_and_wide_places():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70_000, 2))
    y = (X[:, 0] > 0.3).astype(int) + (rng.random(70_000) < 0.1)
    model = RandomForestClassifier(n_estimators=1, max_depth=7, random_state=0)
    assert_same_forest(forest_fit(model)(X, y), clone(model).fit(X, y))


def test_grows_on_when_warm():
    X, y = data()
    ours, theirs = (
        RandomForestRegressor(n_estimators=2, warm_start=True, random_state=0) for _ in range(2)
    )
    for count in (2, 5):
        forest_fit(ours.set_params(n_estimators=count))(X, y)
        theirs.set_params(n_estimators=count).fit(X, y)
    assert_same_forest(ours, theirs)


@pytest.mark.parametrize(
    ("model", "y", "reason"),
    [
        (RandomForestRegressor(criterion="poisson"), "counts", "another criterion"),
        (RandomForestRegressor(), "decimals", "rounded"),
        (RandomForestRegressor(), "several", "several targets"),
        (ExtraTreesClassifier(class_weight="balanced"), "classes", "rounded"),
        (ExtraTreesRegressor(monotonic_cst=[1] + [0] * 10), "counts", "constraints"),
    ],
)
def test_leaves_the_rest_to_scikit_learn(model, y, reason):
    X, counts = data()
    y = {
        "counts": counts,
        "decimals": counts / 3,
        "several": np.column_stack([counts, counts]),
        "classes": counts % 7,
    }[y]
    model.set_params(n_estimators=2, random_state=0)
    counters.reset()
    assert_same_forest(forest_fit(model)(X, y), clone(model).fit(X, y))
    assert {reason in one.reason for one in counters.snapshot().fallbacks} == {True}


def test_sparse_rows_are_left_to_scikit_learn():
    X, y = data()
    model = RandomForestRegressor(n_estimators=2, random_state=0)
    counters.reset()
    assert_same_forest(forest_fit(model)(csr_array(X), y), clone(model).fit(csr_array(X), y))
    assert [one.reason for one in counters.snapshot().fallbacks] == ["is sparse"]


def test_leaves_best_first_trees_alone():
    X, y = data()
    model = RandomForestRegressor(n_estimators=2, max_leaf_nodes=5, random_state=0)
    assert_same_forest(forest_fit(model)(X, y), clone(model).fit(X, y))


def test_generators_go_on_where_scikit_learn_leaves_them():
    X, y = data()
    for target in (y, y / 3):
        ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
        forest_fit(RandomForestRegressor(2, random_state=ours))(X, target)
        RandomForestRegressor(2, random_state=theirs).fit(X, target)
        assert ours.randint(1000) == theirs.randint(1000)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_trees_may_grow_beside_each_other(backend):
    X, y = data()
    model = RandomForestClassifier(n_estimators=6, n_jobs=2, random_state=0)
    with joblib.parallel_config(backend):
        ours = forest_fit(model)(X, y)
    assert_same_forest(ours, clone(model).fit(X, y))


def test_several_fits_at_once():
    X, y = data()
    models = [RandomForestRegressor(n_estimators=5, random_state=seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        ours = list(pool.map(lambda model: forest_fit(clone(model))(X, y), models))
    for one, model in zip(ours, models, strict=True):
        assert_same_forest(one, model.fit(X, y))


def test_errors_are_scikit_learns():
    X, y = data()
    X[0, 0] = np.inf
    model = RandomForestRegressor(n_estimators=2)
    with pytest.raises(ValueError, match="infinity") as theirs:
        clone(model).fit(X, y)
    with pytest.raises(ValueError, match="infinity") as ours:
        forest_fit(model)(X, y)
    assert str(ours.value) == str(theirs.value)


def test_subclasses_and_other_versions_fit_as_they_do(monkeypatch):
    class Own(RandomForestRegressor):
        pass

    assert forest_fit(Own()).__func__ is RandomForestRegressor.fit
    monkeypatch.setattr(forests, "_agrees", lambda: False)
    assert forest_fit(RandomForestRegressor()).__func__ is RandomForestRegressor.fit


def test_this_version_agrees():
    assert planting.agrees(BestSplitter, True)
    assert planting.agrees(RandomSplitter, False)
    # scikit-learn 1.8 draws thresholds from other ends where values are missing.
    assert planting.agrees(RandomSplitter, True) == (parse(sklearn.__version__) >= Version("1.9"))
    assert forests._agrees()
