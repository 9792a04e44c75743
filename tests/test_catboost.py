"""CatBoost's estimators, whose fits share nothing: each is its own, on the plan's one thread.

Not among the dependencies of the other tests, since it is large: ``uv sync --group catboost``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd

catboost = pytest.importorskip("catboost", reason="a large library: uv sync --group catboost")


def models(**params):
    quick = {"iterations": 5, "depth": 3, "verbose": False, "allow_writing_files": False, **params}
    return [catboost.CatBoostRegressor(**quick), catboost.CatBoostClassifier(**quick)]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 4)), columns=list("abcd"))
    y = X["a"] * X["b"] + rng.normal(size=120)
    return X, y, (y > 0).astype(int)


@pytest.mark.parametrize("isolate", ["thread", "process"])
@pytest.mark.parametrize("number", [0, 1])
def test_scores_are_its_own(data, number, isolate):
    X, y = data[0], data[1 + number]
    model = models(random_seed=0)[number]
    found = sd.evaluate(
        {"alone": model, "scaled": make_pipeline(StandardScaler(), model)},
        X,
        y,
        cv=3,
        isolate=isolate,
        progress=False,
    )
    assert not found.errors
    alone = models(random_seed=0, thread_count=1)[number]
    assert is_classifier(alone) == bool(number)
    for name, own in {"alone": alone, "scaled": make_pipeline(StandardScaler(), alone)}.items():
        row = found.frame.set_index("candidate").loc[name, ["fold_0", "fold_1", "fold_2"]]
        np.testing.assert_array_equal(row.astype(float), cross_val_score(own, X, y, cv=3))


def test_it_has_one_thread_unless_told(data):
    found = sd.evaluate(
        {"default": models()[0], "told": models(thread_count=2)[0]},
        *data[:2],
        cv=2,
        return_estimator=True,
        progress=False,
    )
    counts = {
        one.name: {model.get_params()["thread_count"] for model in one.estimators}
        for one in found.candidates
    }
    assert counts == {"default": {1}, "told": {2}}


def test_a_search(data):
    grid = {"iterations": [2, 4], "learning_rate": [0.1, 0.3]}
    found = sd.model_selection.GridSearchCV(models(random_seed=0)[0], grid, cv=2).fit(*data[:2])
    assert len(found.cv_results_["params"]) == 4
    assert found.best_estimator_.tree_count_ in (2, 4)


def test_parameters_that_its_constructor_copies(data):
    """Searches fit them nevertheless, since they are set on a clone that is made before."""
    X = data[0].assign(kind=np.tile(["u", "v", "w"], 40))
    model, space = models(random_seed=0, thread_count=1)[0], {"cat_features": [["kind"], [4]]}
    how = {"cv": 3, "error_score": "raise", "refit": False}
    found = sd.model_selection.GridSearchCV(model, space, **how).fit(X, data[1]).cv_results_
    expected = GridSearchCV(model, space, **how).fit(X, data[1]).cv_results_
    np.testing.assert_array_equal(found["mean_test_score"], expected["mean_test_score"])
    frame = sd.evaluate((model, space), X, data[1], cv=3, progress=False).frame
    np.testing.assert_array_equal(
        np.sort(frame["mean"].astype(float)), np.sort(expected["mean_test_score"])
    )


def test_stops_early_on_a_pool(data):
    X, y = data[:2]
    model = models(random_seed=0, iterations=60, thread_count=1)[0]
    params = {"eval_set": catboost.Pool(X[:40], y[:40]), "early_stopping_rounds": 3}
    how = {"cv": 3, "params": params, "return_estimator": True}
    found = sd.model_selection.cross_validate(model, X, y, **how)
    expected = cross_validate(model, X, y, **how)
    np.testing.assert_array_equal(found["test_score"], expected["test_score"])
    counts = [[one.tree_count_ for one in each["estimator"]] for each in (found, expected)]
    assert counts[0] == counts[1]
