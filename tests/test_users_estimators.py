"""Estimators as users write them: with helpers, bases, static methods and calls of ``super()``."""

from __future__ import annotations

from typing import ClassVar

import dask
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, check_random_state, check_X_y

import stratum_dask as sd
from stratum_dask.writers import may_write

X = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [1.0, 3.0, 2.0, 5.0]})
y = np.arange(4.0)


class Features(TransformerMixin, BaseEstimator):
    def __init__(self, degree=2):
        super().__init__()
        self.degree = degree

    def fit(self, X, y=None):
        self.columns_ = list(X.columns)
        self.medians_ = self._medians(X)
        return self

    def transform(self, X):
        return self._power(X.fillna(self.medians_))[self._names()]

    def _medians(self, X):
        return X[self.columns_].median()

    def _power(self, X):
        return X.assign(power=X["a"] ** self.degree)

    def _names(self):
        return [*self.columns_, "power"]


class Shifted(Features):
    def __init__(self, degree=2, by=1):
        super(Shifted, self).__init__(degree=degree)  # noqa: UP008
        self.by = by

    def _power(self, X):
        X = super()._power(X)
        return X.assign(power=X["power"] + self.by)


class Clipped(TransformerMixin, BaseEstimator):
    def __init__(self, quantile=0.1):
        self.quantile = quantile

    def fit(self, X, y=None):
        X = self._check(X)
        self.low_, self.high_ = np.nanquantile(X, [self.quantile, 1 - self.quantile], axis=0)
        return self

    def transform(self, X):
        check_is_fitted(self, "low_")
        return np.clip(self._check(X), self.low_, self.high_)

    @property
    def spread(self):
        return self.high_ - self.low_

    @staticmethod
    def _check(X):
        return np.asarray(X, dtype=float)

    def get_feature_names_out(self, input_features=None):
        return np.asarray(input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class Mean(RegressorMixin, BaseEstimator):
    def __init__(self, base=None, random_state=0):
        self.base = base
        self.random_state = random_state

    def fit(self, X, y):
        X, y = check_X_y(X, y)
        noise = check_random_state(self.random_state).normal(size=len(y))
        forest = RandomForestRegressor(n_estimators=3, random_state=self.random_state)
        self.models_ = [self._fitted(self.base, X, y + noise), forest.fit(X, y)]
        return self

    def predict(self, X):
        return np.mean([model.predict(np.asarray(X)) for model in self.models_], axis=0)

    def _fitted(self, model, X, y):
        return clone(model).fit(X, y)


class Doubled(StandardScaler):
    def fit(self, X, y=None):
        super().fit(X)
        self.rows_ = len(X)
        return self

    def transform(self, X):
        return super().transform(X) * 2


MODELS = [
    lambda: Features(3),
    lambda: Shifted(3, by=2),
    lambda: Clipped(),
    lambda: Doubled(),
    lambda: Mean(Ridge()),
    lambda: make_pipeline(Features(3), StandardScaler(), Ridge()),
]
TASKS = [
    lambda: delayed(Features)(degree=3),
    lambda: delayed(Mean)(Ridge(), random_state=3),
    lambda: delayed(lambda degree: make_pipeline(Shifted(degree), Ridge()))(3),
    lambda: delayed(lambda: Mean(Ridge(), random_state=1))(),
]


def used(model, X, y):
    fitted = model.fit(X, y)
    last = fitted.predict if hasattr(type(fitted), "predict") else fitted.transform
    return np.asarray(last(X))


@pytest.mark.parametrize("make", [*(lambda make=make: delayed(make()) for make in MODELS), *TASKS])
def test_they_are_shared_and_equal(make):
    values = [delayed(used)(make(), X, y) for _ in range(2)]
    explained = sd.explain(values)
    assert not explained.why_not
    assert explained.merged
    for value in dask.compute(*sd.optimize(values), scheduler="sync"):
        np.testing.assert_array_equal(value, values[0].compute(scheduler="sync"))


def variant(base, **members):
    return type("Variant", (base,), {"__module__": __name__, **members})


def noisy(self, X):
    return X.assign(power=np.random.rand(len(X)))


def logged(self):
    open("log.txt", "a").close()
    return ["a"]


class Counted(Features):
    seen: ClassVar[list[int]] = []

    def fit(self, X, y=None):
        self.seen.append(1)
        return super().fit(X)


class Seeded(Features):
    def fit(self, X, y=None, random_state=None):
        self.seed_ = np.random.default_rng(random_state).random()
        return super().fit(X)


class Settable(Features):
    @property
    def level(self):
        return np.random.rand()

    def transform(self, X):
        return super().transform(X).assign(level=self.level)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (variant(Features, _power=noisy)(), "numpy.random.rand"),
        (variant(Shifted, _power=noisy)(), "numpy.random.rand"),
        (variant(Features, _names=logged)(), "builtins.open"),
        (variant(Features, _names=staticmethod(np.random.rand))(), "not known to be pure"),
        (Counted(), "global or closure value Counted.seen"),
        (Seeded(), "takes a seed"),
        (Settable(), "numpy.random.rand"),
        (Mean(Ridge(), random_state=None), "without an int random_state"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_a_helper_does_its_class_does(model, reason):
    fits = [delayed(model).fit(X, y) for _ in range(2)]
    assert any(reason in why for why in sd.explain(fits).why_not.values())


@pytest.mark.parametrize(
    "make",
    [
        lambda: delayed(Mean)(Ridge(), None),
        lambda: delayed(Mean)(Ridge(), random_state=None),
        lambda: delayed(lambda: Mean(Ridge(), None))(),
        lambda: delayed(lambda seed: Mean(Ridge(), random_state=seed))(None),
    ],
)
def test_classes_without_a_seed_are_fitted_anew(make):
    one, two = dask.compute(*sd.optimize([delayed(used)(make(), X, y) for _ in range(2)]))
    assert not np.array_equal(one, two)


class Editing(Features):
    def transform(self, X):
        self._edit(X)
        return X

    def _edit(self, X):
        X["a"] = 0.0


class Keeping(Features):
    def fit(self, X, y=None):
        self.kept_ = X
        return self

    def transform(self, X):
        self._edit()
        return X

    def _edit(self):
        self.kept_ += 1


@pytest.mark.parametrize(
    ("model", "writes"),
    [(Clipped(), False), (Doubled(), False), (Editing(), True), (Keeping(), True)],
    ids=lambda value: type(value).__name__,
)
def test_helpers_that_edit_what_they_are_given(model, writes):
    assert may_write(model) == writes
    frame = delayed(lambda: X.copy())()
    candidates = [delayed(clone(model)).fit(frame).transform(frame), frame.sum()]
    alone = [candidate.compute(scheduler="sync") for candidate in candidates]
    together = dask.compute(*sd.optimize(candidates), scheduler="sync")
    assert [repr(each) for each in together] == [repr(each) for each in alone]
