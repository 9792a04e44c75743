"""PolynomialFeatures: scikit-learn's own bits, order and errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from stratum_dask.ops import counters
from stratum_dask.ops.direct.table import call_parts
from tests.ops.oracle import every_length
from tests.ops.test_preprocessing import assert_same_matrix
from tests.ops.test_standing_in import check

BOTH = {"fit_transform", "transform"}


@pytest.fixture(autouse=True, scope="module")
def _small_data_too():
    with pytest.MonkeyPatch.context() as patch:
        every_length(patch, 0)
        yield


@st.composite
def tables(draw, columns):
    rows = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.normal(0, 10.0 ** draw(st.integers(-3, 3)), (rows, columns))
    kind = draw(st.sampled_from(["C", "F", "strided", "frame", "mixed", "f4", "ints", "bool"]))
    if kind == "frame":
        return pd.DataFrame(values, columns=[f"c{i}" for i in range(columns)])
    if kind == "mixed":
        frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(columns)])
        return frame.astype({"c0": "int64", f"c{columns - 1}": "float32"})
    if kind == "strided":
        return np.repeat(values, 2, axis=0)[::2]
    dtype = {"f4": "float32", "ints": "int16", "bool": bool}.get(kind, "float64")
    return np.array(values, dtype, order="F" if kind == "F" else "C")


@given(st.data())
def test_products(data):
    columns = data.draw(st.integers(1, 4))
    expander = PolynomialFeatures(
        degree=data.draw(st.sampled_from([1, 2, 2, 3, 4, (0, 2), (1, 3)])),
        interaction_only=data.draw(st.booleans()),
        include_bias=data.draw(st.booleans()),
    )
    assert check(expander, data.draw(tables(columns)), data.draw(tables(columns))) == BOTH


@pytest.mark.parametrize(
    ("parameters", "change"),
    [
        ({"order": "F"}, None),
        ({"degree": 0}, None),
        ({"degree": 0, "include_bias": False}, None),
        ({"degree": (2, 3)}, None),
        ({"degree": -1}, None),
        ({}, lambda X: X.astype("float16")),
        ({}, lambda X: X * 1e200),
        ({}, lambda X: X[:0]),
        ({}, lambda X: np.where(X > 1, np.nan, X)),
        ({}, lambda X: np.where(X > 1, np.inf, X)),
        ({}, lambda X: X.astype(str)),
        ({}, lambda X: X.tolist()),
        ({}, lambda X: X[0]),
        ({}, lambda X: X[:, :2]),
    ],
)
def test_what_is_left_to_scikit_learn(parameters, change):
    X = np.random.default_rng(0).normal(size=(30, 3))
    other = X if change is None else change(X)
    assert "transform" not in check(PolynomialFeatures(**parameters), X, other) or change
    check(PolynomialFeatures(**parameters), other, X)


def test_exceptions_that_numpy_is_told_to_ignore_or_raise():
    X, small = np.full((5, 2), 1e200), np.full((5, 2), 1e-200)
    with np.errstate(over="ignore"):
        assert check(PolynomialFeatures(), X, small) == BOTH
    with np.errstate(all="raise"):
        check(PolynomialFeatures(), X, X)
        check(PolynomialFeatures(), small, X)


def test_set_output_is_left_to_scikit_learn():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    expander = PolynomialFeatures().set_output(transform="pandas")
    assert check(expander, frame, frame) == set()


def test_a_step_of_a_pipeline():
    X = np.random.default_rng(0).normal(size=(5_000, 3))
    X[::7, 0] = np.nan
    chain = make_pipeline(SimpleImputer(), StandardScaler(), PolynomialFeatures())
    counters.reset()
    made = call_parts(".fit_transform", (chain, X), {})
    assert counters.snapshot().hits[".fit_transform"]
    assert_same_matrix(made, chain.fit_transform(X))
