"""Metrics of regressions: the same scores, warnings and errors, whatever they are given."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

import stratum_dask as sd
from stratum_dask.ops.metrics import unchecked


class Known(RegressorMixin, BaseEstimator):
    """A regression whose predictions are known."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, X):
        return self.answer


REGRESSIONS = [
    name for name in get_scorer_names() if unchecked(get_scorer(name)) is not get_scorer(name)
]


def said(scorer, true, predicted):
    """Return the score, or what is raised, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = scorer(Known(predicted), [[0]], true)
            found = type(found), np.float64(found).tobytes()
        except Exception as error:
            found = type(error), str(error)
    return found, [(one.category, str(one.message)) for one in caught]


numbers = st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, 1e300])
columns = st.tuples(
    st.lists(numbers, max_size=40),
    st.sampled_from(["float64", "float32", "int64", "Float64", "object"]),
    st.sampled_from(["array", "series", "list", "column", "strided", "read-only"]),
)


def made(values, dtype, kind):
    if dtype == "int64":
        values = [v if abs(v) < 1e9 else 7.0 for v in values]
    if kind == "series" or dtype == "Float64":
        return pd.Series(values).astype(dtype)
    array = np.array(values, dtype="float64").astype(dtype)
    if kind == "list":
        return array.tolist()
    if kind == "column":
        return array[:, None]
    if kind == "strided":
        return np.repeat(array, 2)[::2]
    if kind == "read-only":
        array.flags.writeable = False
    return array


@given(st.sampled_from(REGRESSIONS), st.integers(0, 40), st.booleans(), columns, columns, st.data())
def test_scores_are_those_of_the_library(name, many, ordinary, true, predicted, data):
    drawn = [true, predicted]
    if ordinary:
        finite = st.lists(st.floats(0.25, 1e6), min_size=many, max_size=many)
        drawn = [(data.draw(finite), *rest) for _, *rest in drawn]
    with np.errstate(all="ignore"):
        true, predicted = (made(*one) for one in drawn)
        expected = said(get_scorer(name), true, predicted)
        assert said(unchecked(get_scorer(name)), true, predicted) == expected


@pytest.mark.parametrize(
    "name",
    [
        "explained_variance",
        "neg_mean_absolute_error",
        "neg_mean_absolute_percentage_error",
        "neg_mean_squared_error",
        "r2",
    ],
)
@pytest.mark.parametrize("width", ["float64", "float32"])
def test_plain_columns_are_looked_at_once(name, width):
    rng = np.random.default_rng(0)
    true, predicted = pd.Series(rng.random(1000)), rng.random(1000).astype(width)
    before = sd.counters().hits.get("metric", 0)
    assert said(unchecked(get_scorer(name)), true, predicted) == said(
        get_scorer(name), true, predicted
    )
    assert sd.counters().hits.get("metric", 0) == before + 1


@pytest.mark.parametrize(
    "scorer",
    [
        get_scorer("accuracy"),
        make_scorer(metrics.mean_squared_error, multioutput="raw_values"),
        make_scorer(lambda true, predicted: 1.0),
        Known.predict,
    ],
)
def test_others_are_left_alone(scorer):
    assert unchecked(scorer) is scorer


def test_weights_go_to_the_library():
    scorer, weights = get_scorer("r2"), [1.0, 2.0, 3.0]
    true, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.5, 3.0])
    found = unchecked(scorer)(Known(predicted), [[0]], true, sample_weight=weights)
    assert found == scorer(Known(predicted), [[0]], true, sample_weight=weights)
    assert sd.counters().fallbacks
