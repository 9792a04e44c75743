"""Trees that a kernel grows are those that scikit-learn grows, bit for bit."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.binning import _find_binning_thresholds
from threadpoolctl import threadpool_limits

from stratum_dask import _native
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit
from stratum_dask.ops.thresholds import _thresholds


@pytest.fixture(scope="module")
def assert_grown(assert_same):
    """Compare all that a fit leaves behind, and how it was done."""

    def check(model, X, y, hit=True, **params):
        try:
            expected = clone(model).fit(X, y, **params)
        except ValueError as refused:
            with pytest.raises(ValueError, match=re.escape(str(refused))):
                fit(model, X, y, **params)
            return
        counters.reset()
        assert_same(fit(model, X, y, **params), expected)
        assert counters.snapshot().hits.get("grow trees") == (1 if hit else None)

    return check


@st.composite
def tables(draw):
    """Draw columns of few and of many values, some missing."""
    rows = draw(st.sampled_from([1, 2, 7, 40, 130, 400]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    columns = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["normal", "binary", "few", "constant", "skewed"]))
        column = {
            "normal": lambda: rng.normal(size=rows),
            "binary": lambda: rng.integers(0, 2, rows).astype(float),
            "few": lambda: rng.integers(0, 9, rows).astype(float),
            "constant": lambda: np.full(rows, 3.0),
            "skewed": lambda: np.floor(rng.exponential(2.0, rows) ** 3),
        }[kind]()
        missing = draw(st.sampled_from([0.0, 0.0, 0.1, 0.9, 1.0]))
        columns.append(np.where(rng.random(rows) < missing, np.nan, column))
    return np.column_stack(columns), rng


_GROWTH = st.fixed_dictionaries(
    {
        "max_iter": st.integers(1, 8),
        "max_leaf_nodes": st.sampled_from([None, 2, 3, 8, 31]),
        "max_depth": st.sampled_from([None, None, 1, 2, 5]),
        "min_samples_leaf": st.sampled_from([1, 2, 5, 20]),
        "l2_regularization": st.sampled_from([0.0, 0.3, 10.0]),
        "learning_rate": st.sampled_from([0.1, 1.0]),
        "max_bins": st.sampled_from([255, 255, 16, 2]),
    }
)


@given(table=tables(), growth=_GROWTH, weighted=st.booleans(), data=st.data())
def test_regressors(assert_grown, table, growth, weighted, data):
    X, rng = table
    losses = ["squared_error", "absolute_error", "poisson", "gamma", "quantile"]
    loss = data.draw(st.sampled_from(losses))
    y = rng.normal(size=len(X)) if loss == "squared_error" else rng.integers(1, 6, len(X)) * 1.0
    params = {"sample_weight": rng.random(len(X)) + 0.1} if weighted else {}
    model = HistGradientBoostingRegressor(
        loss=loss, quantile=0.3 if loss == "quantile" else None, random_state=0, **growth
    )
    assert_grown(model, X, y, **params)


@given(table=tables(), growth=_GROWTH, classes=st.integers(2, 4))
def test_classifiers(assert_grown, table, growth, classes):
    X, rng = table
    y = np.resize(np.arange(classes), len(X))
    rng.shuffle(y)
    if len(np.unique(y)) > 1:
        assert_grown(HistGradientBoostingClassifier(random_state=0, **growth), X, y)


def test_leaves_of_equal_gain_are_split_in_the_order_of_heapq(assert_grown):
    # Copies of one block of rows: their gains are equal to the last bit.
    block = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    X = np.column_stack([np.tile(block, (16, 1)), np.repeat(np.arange(16) % 8, 4)])
    y = np.tile([0.0, 1.0, 1.0, 0.0], 16) + X[:, 2] * 8
    for leaves in range(2, 30):
        model = HistGradientBoostingRegressor(
            max_iter=1, max_leaf_nodes=leaves, min_samples_leaf=1, random_state=0
        )
        assert_grown(model, X, y)


def test_early_stopping_and_going_on(assert_grown):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), rng.normal(size=300)
    assert_grown(
        HistGradientBoostingRegressor(early_stopping=True, n_iter_no_change=2, random_state=0), X, y
    )
    model = HistGradientBoostingRegressor(max_iter=3, warm_start=True, random_state=0)
    assert_grown(model, X, y)


def test_frames_with_many_columns(assert_grown):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 300, (500, 70)).astype(float)).add_prefix("c")
    X[X.columns[::3]] %= 2
    assert_grown(
        HistGradientBoostingRegressor(max_iter=5, random_state=0), X, X.sum(axis=1) + X["c1"] ** 2
    )


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"monotonic_cst": [1, 0]}, "monotonic"),
        ({"interaction_cst": [{0}, {1}]}, "interaction"),
        ({"max_features": 0.5}, "draws features"),
        ({"categorical_features": [1]}, "categories"),
    ],
    ids=str,
)
def test_what_is_left_to_scikit_learn(assert_grown, params, reason):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 9, (100, 2)).astype(float), rng.normal(size=100)
    model = HistGradientBoostingRegressor(max_iter=3, random_state=0, **params)
    assert_grown(model, X, y, hit=False)
    assert reason in str(counters.snapshot())


def test_subclasses_and_errors_are_their_own():
    class Own(HistGradientBoostingRegressor):
        def fit(self, X, y):
            self.own_ = True
            return super().fit(X, y)

    X, y = np.arange(50.0)[:, None], np.arange(50.0)
    assert fit(Own(max_iter=2), X, y).own_
    with pytest.raises(ValueError, match="Input y contains NaN"):
        fit(HistGradientBoostingRegressor(), X, y * np.nan)
    with pytest.raises(ValueError, match="The 'max_iter' parameter"):
        fit(HistGradientBoostingRegressor(max_iter=0), X, y)


def test_rows_that_do_not_fit_are_refused():
    bins, has_missing = np.array([2, 3], np.uint32), np.array([0, 1], np.uint8)
    binned = np.array([0, 1, 2, 255], np.uint8)
    rows = _native.BinnedRows(binned, bins, has_missing, 255)
    for wrong in (np.array([0, 2, 2, 255], np.uint8), np.array([255, 1, 2, 255], np.uint8)):
        with pytest.raises(ValueError, match="a bin that its feature has not"):
            _native.BinnedRows(wrong, bins, has_missing, 255)
    with pytest.raises(ValueError, match="lengths"):
        _native.BinnedRows(binned[:3], bins, has_missing, 255)
    with pytest.raises(ValueError, match="lengths of rows differ"):
        rows.grow(
            binned,
            np.ones(2, np.float32),
            np.ones(1, np.float32),
            np.empty(3, np.uint32),
            max_leaf_nodes=None,
            max_depth=None,
            min_samples_leaf=1,
            min_hessian_to_split=1e-3,
            l2_regularization=0.0,
            threads=1,
        )


def test_several_threads(assert_grown):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(4_000, 30)), rng.integers(0, 2, (4_000, 30))])
    with threadpool_limits(3, "openmp"):
        assert_grown(
            HistGradientBoostingRegressor(max_iter=4, random_state=0), X, X[:, 0] + X[:, 31]
        )


@given(
    st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1e308, np.nan, np.inf]), max_size=9),
    st.floats(),
    st.booleans(),
)
def test_borders_between_two_values_are_those_of_the_library(values, other, strided):
    column = np.array([*values, other, *values[:2]])
    column = np.repeat(column, 2)[::2] if strided else column
    with np.errstate(all="ignore"):
        found = [find(column, 255) for find in (_thresholds, _find_binning_thresholds)]
    assert found[0].tobytes() == found[1].tobytes()
    assert found[0].dtype == found[1].dtype
