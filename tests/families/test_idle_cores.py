"""Idle cores: used by fits whose bits do not depend on the number of threads, and by no others."""

from __future__ import annotations

import threading

import dask
import numpy as np
import pytest
from sklearn import ensemble
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import ShuffleSplit, cross_validate
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from stratum_dask.families import bin_rows, fit_binned
from stratum_dask.ops.fitting import fit
from stratum_dask.runtime import threads
from stratum_dask.runtime.threads import INVARIANT, Threads, idle_cores, in_task

QUICK = {
    "openmp": {"max_iter": 8, "random_state": 0, "max_leaf_nodes": 15},
    "n_jobs": {"n_estimators": 7, "random_state": 0, "max_depth": 8, "max_features": 0.5},
}


def make(name, **params):
    return getattr(ensemble, name.partition(".")[2])(**{**QUICK[INVARIANT[name]], **params})


@pytest.fixture(autouse=True)
def _any_size(monkeypatch):
    monkeypatch.setattr(threads, "_WORTH", 0)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 8))
    X[:, 3] = X[:, 3].round(1)
    noise = rng.normal(size=len(X))
    return X, X[:, 0] * X[:, 1] + noise, (X[:, 0] > noise).astype(int) + (X[:, 1] > 1)


def fitted_with(cores, model, X, y, **params):
    """Fit as a task would that may use some cores; OpenMP has its one thread before and after."""
    found = []

    def run():
        Threads(1).limit_here()
        with in_task(cores):
            found.append(fit(model, X, y, **params))

    with threadpool_limits(1):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    return found[0]


@pytest.mark.parametrize("name", INVARIANT)
@pytest.mark.parametrize("way", ["plain", "weighted", "missing", "F"])
def test_fits_have_the_same_bits(assert_same, data, name, way):
    X, y = data[0].copy(), data[2] if "Classifier" in name else data[1]
    params = {"sample_weight": np.linspace(0.1, 2, len(y))} if way == "weighted" else {}
    if way == "missing":
        X[::7, 2] = np.nan
    X = np.asfortranarray(X) if way == "F" else X
    own = fitted_with(1, make(name), X, y, **params)
    for cores in (2, 3):
        assert_same(fitted_with(cores, make(name), X, y, **params), own)


def test_early_stopping_too(assert_same, data):
    model = make("sklearn.HistGradientBoostingRegressor", early_stopping=True, max_features=0.5)
    own, other = (fitted_with(cores, model, *data[:2]) for cores in (1, 3))
    assert_same(other, own)


def test_on_binned_rows(assert_same, data):
    X, y = data[:2]
    model, family = (
        make("sklearn.HistGradientBoostingRegressor"),
        "histogram gradient boosting",
    )
    with threadpool_limits(1):
        Threads(1).limit_here()
        own = fit(model, X, y)
        with in_task(3):
            rows = bin_rows(family, model, X, y)
            fast = fit_binned(family, rows, model, X, y)
        assert_same(fast, own)
        assert_same(fit_binned(family, rows, model, X, y), own)


def test_who_gets_them(monkeypatch):
    X = np.zeros((10, 2))
    forest = ensemble.RandomForestRegressor
    with in_task(4):
        for model, n_jobs in [
            (forest(), 4),
            (forest(n_jobs=1), 1),
            (forest(verbose=1), None),
            (ensemble.GradientBoostingRegressor(), None),
            (ensemble.IsolationForest(), None),
        ]:
            with idle_cores(model, X):
                assert getattr(model, "n_jobs", None) == n_jobs
    with idle_cores(forest(), X) as _:
        pass
    monkeypatch.setattr(threads, "_WORTH", 21)
    small = forest()
    with in_task(4), idle_cores(small, X):
        assert small.n_jobs is None


def test_a_failed_fit_leaves_its_parameters():
    forest = ensemble.RandomForestRegressor()
    with pytest.raises(ZeroDivisionError), in_task(4), idle_cores(forest, np.zeros((2, 2))):
        raise ZeroDivisionError
    assert forest.n_jobs is None


@pytest.mark.parametrize("name", INVARIANT)
def test_in_evaluate(monkeypatch, data, name):
    used = []

    def noted(estimator, X):
        used.append(getattr(threads._local, "idle", 1))
        return idle_cores(estimator, X)

    monkeypatch.setattr("stratum_dask.ops.fitting.idle_cores", noted)
    X, y = data[0], data[2] if "Classifier" in name else data[1]
    cv = ShuffleSplit(1, random_state=0)
    with dask.config.set({"num_workers": 3, "stratum.costs.path": False}):
        found = sd.evaluate(make(name), X, y, cv=cv, progress=False, return_estimator=True)
        wide = sd.evaluate((Ridge(), {"alpha": range(1, 9)}), X, y, cv=cv, progress=False)
    assert not found.errors and not wide.errors
    assert used[0] == 3  # alone
    assert sorted(used[1:])[:6] == [1] * 6  # of eight, the last may find idle cores
    with threadpool_limits(1):
        own = cross_validate(make(name), X, y, cv=cv)
    assert found.frame["mean"].tolist() == own["test_score"].tolist()


class Nested(RegressorMixin, BaseEstimator):
    """Not one of the table, though it fits one."""

    def fit(self, X, y):
        self.model_ = ensemble.RandomForestRegressor(3, random_state=0).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


def test_others_stay_as_they_are(data):
    with in_task(4), idle_cores(model := Nested(), data[0]):
        assert vars(model) == {}
