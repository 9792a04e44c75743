"""Preprocessing that one kernel can do is fitted whole, unless its parts are shared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

import stratum_dask as sd
from stratum_dask.frontends.builder import Builder
from stratum_dask.frontends.estimators import fit
from stratum_dask.ops import fitting
from stratum_dask.ops.unions import unite
from stratum_dask.pipeline import run
from tests.ops.test_preprocessing import assert_same_state


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=9_000),
            "b": np.where(rng.random(9_000) < 0.2, np.nan, rng.normal(size=9_000)),
            "c": pd.array(rng.choice(["x", "y", "z"], 9_000), dtype="str"),
        }
    )
    return X, X["a"] * 2 + (X["c"] == "x")


def prepared(scaler, encoder, **how):
    numbers = make_pipeline(SimpleImputer(strategy="median"), scaler)
    return ColumnTransformer([("n", numbers, ["a", "b"]), ("s", encoder, ["c"])], **how)


def planned(*transformers, want_parts=False, **options):
    """How often each function of the frontends is called, and what is fitted whole."""
    builder = Builder()
    X, y = builder.data(pd.DataFrame({"a": [1.0]})), builder.data([1.0])
    for number, transformer in enumerate(transformers):
        fitted = fit(builder, make_pipeline(transformer, Ridge()), X, y, {})
        builder.want(number, [fitted.estimator(builder)])
    if want_parts:
        some = next(key for key, node in builder.tasks.items() if "columns" in str(key))
        builder.want("part", [type(X)(some)])
    graph = run(builder.graph(), disable=["select_native", "pack_chains", "fuse_frames"],
                check=True, **options)  # fmt: skip
    calls = dict(graph.calls)
    wholes = [
        node for node in calls.get(fitting.fit_transform, [])
        if isinstance(node.args[0], ColumnTransformer)
    ]  # fmt: skip
    return len(calls.get(unite, [])), len(wholes)


def test_what_is_native_and_not_shared_is_whole():
    one = prepared(StandardScaler(), OneHotEncoder())
    assert planned(one) == (0, 1)
    assert planned(one, one) == (0, 1)
    other = ColumnTransformer([("n", MinMaxScaler(), ["a"]), ("s", OrdinalEncoder(), ["c"])])
    assert planned(one, other) == (0, 2)


def test_what_shares_parts_or_is_not_native_comes_apart():
    one = prepared(StandardScaler(), OneHotEncoder())
    assert planned(one, prepared(StandardScaler(), OrdinalEncoder())) == (2, 0)
    assert planned(one, prepared(MinMaxScaler(), OneHotEncoder())) == (2, 0)
    assert planned(prepared(FunctionTransformer(np.abs), OneHotEncoder())) == (1, 0)
    assert planned(one, want_parts=True) == (1, 0)


def test_scores_and_estimators_are_the_same(table):
    X, y = table
    candidates = {
        "alone": make_pipeline(prepared(MinMaxScaler(), OrdinalEncoder()), Ridge()),
        "dense": make_pipeline(prepared(StandardScaler(), OneHotEncoder(), sparse_threshold=0),
                               Ridge()),
    }  # fmt: skip
    for names in (["alone"], ["alone", "dense"]):
        chosen = {name: candidates[name] for name in names}
        results = sd.evaluate(chosen, X, y, cv=KFold(3), return_estimator=True)
        for row, (name, candidate) in zip(results.candidates, chosen.items(), strict=True):
            expected = cross_validate(candidate, X, y, cv=KFold(3), return_estimator=True)
            assert row.name == name
            assert row.scores["score"] == expected["test_score"].tolist()
            for one, other in zip(row.estimators, expected["estimator"], strict=True):
                assert_same_state(one, other)
