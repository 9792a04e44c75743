"""Small batches: every candidate gets what it would have got alone, with Dask and without us."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools

import dask
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from sklearn.base import BaseEstimator
from sklearn.linear_model import SGDRegressor
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

import stratum_dask as sd

X = np.arange(12.0).reshape(6, 2)
y = X[:, 0] * 2 + 1

BATCHES = []
"""Functions that return a new batch: as many candidates as they did before, and equal ones."""
ANEW = []
"""Functions that return a candidate whose value is another one each time that it is computed."""


def shown(value):
    if isinstance(value, pd.DataFrame | pd.Series):
        return repr((value.to_dict(), list(value.index)))
    return repr(value)


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: batch.__name__)
def test_each_gets_what_it_would_alone(batch, scheduler):
    alone = [shown(batch()[i].compute(scheduler="sync")) for i in range(len(batch()))]
    together = dask.compute(*sd.optimize(batch()), scheduler=scheduler)
    assert list(map(shown, together)) == alone


@pytest.mark.parametrize("candidate", ANEW, ids=lambda candidate: candidate.__name__)
def test_what_is_made_anew_each_time_is_never_shared(candidate):
    one, two = dask.compute(*sd.optimize([candidate(), candidate()]), scheduler="sync")
    assert shown(one) != shown(two)


def predictions(model):
    return delayed(lambda model, X: model.fit(X).predict(X))(model, X)


# -- functions and classes that look like others -------------------------------------------------


@BATCHES.append
def functions_that_wrap_one_of_a_library():
    def scaled(by):
        @functools.wraps(mean_squared_error)
        def score(*args):
            return float(mean_squared_error(*args)) * by

        return score

    def called(score):
        return lambda *args: score(*args)

    scores = [scaled(1), scaled(2), called(scaled(1)), called(scaled(2))]
    return [delayed(score)(y, y + 1) for score in scores]


@BATCHES.append
def callables_that_equal_one_of_a_library():
    class Twin:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return x * self.by

        def __eq__(self, other):
            return True

        def __hash__(self):
            return hash(np.log1p)

    return [delayed(np.log1p)(2.0), *(delayed(Twin(by))(2.0) for by in (1, 2))]


@BATCHES.append
def methods_that_are_wrapped():
    def times(by):
        def wrap(method):
            @functools.wraps(method)
            def wrapped(self, X):
                return method(self, X) * by

            return wrapped

        return wrap

    def model(by):
        class Model(BaseEstimator):
            def fit(self, X, y=None):
                return self

            @times(by)
            def predict(self, X):
                return X[:, 0] + 1

        return Model()

    return [predictions(model(by)) for by in (1, 2)]


@ANEW.append
def wrapped_method_that_draws():
    def noisy(method):
        @functools.wraps(method)
        def wrapped(self, X):
            return np.random.rand()

        return wrapped

    class Model(BaseEstimator):
        def fit(self, X, y=None):
            return self

        @noisy
        def predict(self, X):
            return 0

    return predictions(Model())


@BATCHES.append
def setters_of_properties():
    def model(by):
        class Model(BaseEstimator):
            @property
            def value(self):
                return self._value

            @value.setter
            def value(self, value):
                self._value = value * by

            def fit(self, X, y=None):
                self.value = 5
                return self

            def predict(self, X):
                return self.value

        return Model()

    return [predictions(model(by)) for by in (1, 2)]


@ANEW.append
def property_that_draws():
    class Model(BaseEstimator):
        @property
        def noise(self):
            return np.random.rand()

        def fit(self, X, y=None):
            self.noise_ = self.noise
            return self

        def predict(self, X):
            return self.noise_

    return predictions(Model())


@ANEW.append
def attribute_that_draws():
    class Model(BaseEstimator):
        def __getattr__(self, name):
            if name != "noise":
                raise AttributeError(name)
            return np.random.rand()

        def fit(self, X, y=None):
            return self

        def predict(self, X):
            return self.noise

    return predictions(Model())


@BATCHES.append
def classes_of_classes():
    def model(by):
        class Kind(type(BaseEstimator)):
            @property
            def by(cls):
                return by

        class Model(BaseEstimator, metaclass=Kind):
            def fit(self, X, y=None):
                return self

            def predict(self, X):
                return type(self).by

        return Model()

    return [predictions(model(by)) for by in (1, 2)]


# -- records that hold more than their fields ----------------------------------------------------


@BATCHES.append
def attributes_of_named_tuples():
    class Point(collections.namedtuple("Point", "x")):
        pass

    def point(z):
        made = Point(1)
        made.z = z
        return delayed(made, traverse=False)

    return [delayed(lambda point: point.z)(point(z)) for z in (1, 2)]


@BATCHES.append
def attributes_of_enums():
    def member(z):
        class Kind(enum.Enum):
            ONE = 1

        Kind.ONE.z = z
        return Kind.ONE

    return [delayed(lambda member: member.z)(member(z)) for z in (1, 2)]


@BATCHES.append
def slots_of_dataclasses():
    class Base:
        __slots__ = ("z",)

    @dataclasses.dataclass
    class Point(Base):
        x: int = 1

    def point(z):
        made = Point()
        made.z = z
        return delayed(made, traverse=False)

    return [delayed(lambda point: point.z)(point(z)) for z in (1, 2)]


# -- what can be told of a function --------------------------------------------------------------


@BATCHES.append
def names_of_functions():
    def named(name):
        def func(x):
            return x.sum()

        func.__name__ = name
        return func

    frame = pd.DataFrame({"x": [1, 2, 3]})
    funcs = [named("one"), named("two")]
    return [
        *(delayed(frame).agg([func]) for func in funcs),
        *(delayed(lambda frame, func=func: frame.agg([func]))(frame) for func in funcs),
    ]


@BATCHES.append
def annotations_of_functions():
    def annotated(by):
        def func(x):
            return func.__annotations__["x"]

        func.__annotations__["x"] = by
        return func

    return [delayed(annotated(by))(1) for by in ("one", "two")]


# -- values that are kept where others can reach them --------------------------------------------


def edited(load):
    def edit(value, by):
        value[0] = by
        return list(value)

    return [delayed(edit)(delayed(load)(), by) for by in (1, 2)] + [delayed(list)(delayed(load)())]


@BATCHES.append
def cached_values():
    return edited(functools.lru_cache(lambda: np.zeros(3)))


@BATCHES.append
def values_in_a_dict():
    cache = {}

    def load():
        if "it" not in cache:
            cache["it"] = [0, 0]
        return cache["it"]

    return edited(load)


@BATCHES.append
def values_of_an_object():
    class Store:
        def __init__(self):
            self.data = np.zeros(3)

        def load(self):
            return self.data

    return edited(Store().load)


@BATCHES.append
def values_of_closures_and_views_of_them():
    data = np.zeros(3)
    return edited(lambda: data) + edited(lambda: data[:2])


@BATCHES.append
def default_arguments():
    def load(items=[0]):  # noqa: B006
        return items

    return edited(load)


# -- models without a seed, held by something else ---------------------------------------------


def unseeded():
    return SGDRegressor(max_iter=3, tol=None)


HOLDERS = {
    "made by name": lambda: delayed(dict)(m=delayed(unseeded)())["m"],
    "item": lambda: delayed(lambda: {"m": unseeded()})()["m"],
    "get": lambda: delayed(lambda: {"m": unseeded()})().get("m"),
    "values": lambda: delayed(list)(delayed(lambda: {"m": unseeded()})().values())[0],
    "function": lambda: delayed(lambda held: held["m"])(delayed(lambda: {"m": unseeded()})()),
    "list": lambda: delayed(lambda model: [model])(delayed(unseeded)())[0],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_models_that_something_holds_are_fitted_anew(holder):
    model = HOLDERS[holder]()
    many = np.arange(100.0).reshape(50, 2) / 100  # so that no two draws are equal
    fits = [delayed(lambda fitted: fitted.coef_)(model.fit(many, many[:, 0])) for _ in range(2)]
    one, two = dask.compute(*sd.optimize(fits), scheduler="sync")
    assert shown(one) != shown(two)


def test_data_that_were_drawn_once_are_split_once():
    data = delayed(lambda: np.random.rand(9, 2))()
    splits = [
        delayed(train_test_split)(delayed(lambda held: held[:8])(data), random_state=0)[0]
        for _ in range(2)
    ]
    assert "merged" in str(sd.explain(splits))
    assert len(sd.explain(splits).why_not) == 1


# -- equal values of which one is edited ---------------------------------------------------------


def edit_first(one, other):
    one[0] = 9
    return list(other)


def edit_first_of(pair):
    return edit_first(*pair)


def zeros():
    return np.zeros(3)


@BATCHES.append
def equal_values_that_were_made_apart():
    one, other, same, frame, twin = (
        *(delayed(zeros)() for _ in range(3)),
        *(delayed(pd.DataFrame)({0: [1, 2]}) for _ in range(2)),
    )
    pairs = [delayed(lambda one, other: (one, other))(*two) for two in ((one, other), (same, same))]
    return [
        delayed(edit_first)(one, other),
        delayed(edit_first)(same, same),
        delayed(lambda one, other: (edit_first(one, other), other[0].sum()))(frame, twin),
        *map(delayed(edit_first_of), (*pairs, [one, other], [same, same])),
    ]


@BATCHES.append
def literals_that_are_one_or_two():
    items, array = [1, 2], np.zeros(3)
    return [
        delayed(edit_first)(items, items),
        delayed(edit_first)(items, [1, 2]),
        delayed(edit_first)(array, array),
        delayed(edit_first)(np.zeros(3), np.zeros(3)),
        delayed(edit_first)(array, array[:]),
    ]


@BATCHES.append
def iterators_of_objects():
    class Store:
        def rows(self):
            return iter([[0], [1]])

    def edit(rows):
        return [row.append(1) or row for row in rows]

    return [delayed(edit)(delayed(Store().rows)()) for _ in range(2)]


# -- the clock -----------------------------------------------------------------------------------


CLOCKS = {
    "list": lambda: delayed(pd.to_datetime)(["now"]),
    "series": lambda: delayed(pd.to_datetime)(pd.Series(["2024-02-29", "now"])),
    "column": lambda: delayed(pd.DataFrame)({"x": ["now"]}).astype({"x": "datetime64[ns]"}),
    "array": lambda: delayed(np.array)(["today"], dtype="M8[us]"),
    "in a function": lambda: delayed(lambda: pd.to_datetime(("today", "now")))(),
    "to a function": lambda: delayed(lambda text: pd.to_datetime(text))(["now"]),
    "given on": lambda: delayed(pd.to_datetime)(delayed(["now"])),
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_the_clock_is_looked_at_by_everyone(clock):
    explained = sd.explain([CLOCKS[clock]() for _ in range(2)])
    assert any("clock" in why for why in explained.why_not.values())
    assert not explained.merged


def test_columns_may_be_called_today():
    frame = pd.DataFrame({"today": [1, 2]})
    sums = [delayed(lambda frame: frame["today"].sum())(delayed(frame)) for _ in range(2)]
    assert not sd.explain(sums).why_not


# -- objects of users' classes, with methods named like a library's -------------------------------


class Counter:
    count = 0

    def get(self):
        self.count += 1
        return self.count

    def __add__(self, other):
        self.count += other
        return self.count


@BATCHES.append
def methods_and_operators_of_objects():
    written, made = delayed(Counter()), delayed(Counter)()
    return [
        *(written.get(), written.get(), written + 1, written + 1, written + 2),
        *(made.get(), made.get(), delayed(Counter)().get()),
    ]


@ANEW.append
def methods_that_draw():
    class Noise:
        def mean(self):
            return np.random.rand()

    return delayed(Noise()).mean()
