"""Generators that candidates hold: what is drawn, how often, and from whose state."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.model_selection as theirs
from dask import compute, delayed
from numpy.random import RandomState
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.ensemble import BaggingRegressor, RandomForestRegressor, StackingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ShuffleSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd
import stratum_dask.model_selection as ours

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def numbers():
    X, y = load_diabetes(return_X_y=True)
    return X[:120], y[:120]


def extreme(**how):
    """Return a model that draws from its generator whenever it is asked for its parameters."""
    how.setdefault("random_state", RandomState(0))
    return xgboost.XGBRegressor(n_estimators=3, n_jobs=1, subsample=0.5, **how)


def light():
    how = {"subsample": 0.5, "subsample_freq": 1, "n_jobs": 1, "verbose": -1}
    return lightgbm.LGBMRegressor(n_estimators=3, random_state=RandomState(0), **how)


class Seeded(RegressorMixin, BaseEstimator):
    """Like XGBoost's: a generator becomes a seed when somebody asks for the parameters."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def get_params(self, deep=True):
        state = self.random_state
        return {"random_state": state.randint(99) if hasattr(state, "randint") else state}

    def fit(self, X, y):
        self.seed_ = self.get_params()["random_state"]
        return self

    def predict(self, X):
        return np.full(len(X), float(self.seed_))


MODELS = {
    "forest": lambda: RandomForestRegressor(2, random_state=RandomState(0)),
    "light": light,
    "extreme": extreme,
    "generator": lambda: extreme(random_state=np.random.default_rng(0)),
    "step": lambda: make_pipeline(StandardScaler(), extreme()),
    "inside": lambda: BaggingRegressor(extreme(), 2, random_state=RandomState(1)),
    "side by side": lambda: StackingRegressor(
        [("x", extreme()), ("f", RandomForestRegressor(2, random_state=RandomState(3)))],
        Ridge(),
        cv=KFold(2, shuffle=True, random_state=RandomState(5)),
    ),
    "of the user": lambda: Seeded(RandomState(2)),
}


def drawn(model, numbers):
    """Return what a fit predicts, which tells the state that the model's generators are in."""
    return model.fit(*numbers).predict(numbers[0]).tolist()


def scores_of(results, number=3):
    return results.frame[[f"fold_{i}" for i in range(number)]].to_numpy(dtype=float)


@pytest.mark.parametrize("isolate", ["thread", "process"])
def test_each_candidate_draws_as_alone(numbers, isolate):
    candidates = {
        name: make()
        for name, make in MODELS.items()
        if isolate == "thread" or name != "of the user"
    }
    results = sd.evaluate(candidates, *numbers, cv=3, isolate=isolate)
    assert not results.errors
    for scores, name in zip(scores_of(results), candidates, strict=True):
        expected = cross_validate(MODELS[name](), *numbers, cv=3)["test_score"]
        np.testing.assert_array_equal(scores, expected, err_msg=name)
        assert drawn(candidates[name], numbers) == drawn(MODELS[name](), numbers)


def test_candidates_do_not_draw_from_each_other(numbers):
    state = RandomState(0)
    space = (extreme(random_state=state), {"max_depth": [1, 2]})
    found = sd.evaluate(
        {"a": extreme(random_state=state), "b": extreme(random_state=state), "c": space},
        *numbers,
        cv=3,
    )
    alone = [
        cross_validate(extreme(**how), *numbers, cv=3)["test_score"]
        for how in ({}, {}, {"max_depth": 1}, {"max_depth": 2})
    ]
    np.testing.assert_array_equal(scores_of(found), alone)


@pytest.mark.parametrize("name", MODELS)
def test_drop_ins_draw_as_scikit_learn_does(numbers, name):
    X, y = numbers
    each = []
    for module in (ours, theirs):
        model = MODELS[name]()
        scored = module.cross_validate(model, X, y, cv=3, return_train_score=True)
        cv = ShuffleSplit(2, random_state=RandomState(3))
        found = [*scored["train_score"], *module.cross_val_score(model, X, y, cv=cv)]
        found += module.cross_val_predict(model, X, y, cv=3).tolist()
        each.append(found + drawn(model, numbers))
    np.testing.assert_array_equal(*each)


@pytest.mark.parametrize("name", ["light", "extreme"])
def test_searches_draw_as_scikit_learn_does(numbers, name):
    space = [{"max_depth": [1, 2]}, {"random_state": [RandomState(4), 3]}]
    each = []
    for module in (ours, theirs):
        model = MODELS[name]()
        search = module.GridSearchCV(model, space, cv=3, return_train_score=True).fit(*numbers)
        scores = [v for n, v in search.cv_results_.items() if n.startswith("split")]
        each.append([*scores, search.predict(numbers[0]), drawn(model, numbers)])
    for one, other in zip(*each, strict=True):
        np.testing.assert_array_equal(one, other)


def test_generators_of_splitters(numbers):
    def splitter():
        return ShuffleSplit(3, random_state=RandomState(7))

    expected = cross_validate(Ridge(), *numbers, cv=splitter())["test_score"]
    found = sd.evaluate([Ridge(), make_pipeline(Ridge())], *numbers, cv=splitter())
    np.testing.assert_array_equal(scores_of(found), [expected, expected])


@pytest.mark.parametrize("name", MODELS)
def test_batches_draw_as_plain_dask_does(numbers, name):
    X, y = numbers

    def batch():
        return [delayed(MODELS[name]()).fit(X, y).predict(X)]

    np.testing.assert_array_equal(compute(*sd.optimize(batch())), compute(*batch()))
