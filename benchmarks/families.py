"""Sharing inside fits: one batch per family, with and without the pass that shares them.

Both sides merge what is identical, so that the ratio is the families' own. Each runs on one
thread; results are compared, bits where the family is exact. Linear models are also fitted alone,
without taking rows and predicting, and models whose trees kernels grow as their libraries fit
them without us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from typing import Any

import dask
import numpy as np
from dask.delayed import Delayed, delayed
from sklearn.base import clone, is_classifier
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import Lasso, Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from benchmarks import search
from benchmarks.harness import Row, compare, timed
from stratum_dask.families import cut_fold, learn_folds
from stratum_dask.ops.fitting import fit
from stratum_dask.ops.folds import rows as take

COLUMNS = 48
FOLDS = 5


def run(full: bool = False) -> list[Row]:
    """Return one row per family."""
    scale = 16 if full else 1
    X, y = rows(16_800 * scale)
    small = slice(0, 4_000 * (4 if full else 1))
    sweep = partial(grid, folds=FOLDS)
    alphas = np.logspace(-2, 4, 20)
    ks = (3, 5, 10, 20, 50, 100)
    cases: dict[str, tuple[Any, Callable[..., list[Delayed]], Iterable[Any], str]] = {
        "Ridge, 20 alphas x 5 folds": (X, sweep, map(Ridge, alphas), "close"),
        "Lasso, 20 alphas x 5 folds": (X, sweep, map(Lasso, np.logspace(-3, 0, 20)), "close"),
        "KNN, 6 k, predicting": (X[small], grid, map(neighbours, ks), "exact"),
        "KNN, 6 k, trees of 12 columns": (X[small, :12], grid, map(neighbours, ks), "exact"),
        "RandomForest 10/30/100": (X[small], grid, sizes(RandomForestRegressor), "exact"),
        "ExtraTrees 10/30/100": (X[small], grid, sizes(ExtraTreesRegressor), "exact"),
        "GradientBoosting 25/50/100": (X[small], grid, stages(), "exact"),
        "HistGradientBoosting 25/50/100": (X, grid, iterations(), "exact"),
        "PCA 4/8/16/32, full": (X, components, (4, 8, 16, 32), "exact"),
    }
    cases |= boosters(X)
    alone = {
        "Ridge, fits alone, 20 alphas x 5 folds": list(map(Ridge, alphas)),
        "Lasso, fits alone, 20 alphas x 5 folds": list(map(Lasso, np.logspace(-3, 0, 20))),
        "RidgeCV, fits alone, 2 sweeps of 20 alphas x 5 folds": [
            RidgeCV(alphas),
            RidgeCV(10 * alphas),
        ],
    }
    with threadpool_limits(1):
        return [
            measure(name, partial(batch, data, y[: len(data)], list(models)), numerics, full)
            for name, (data, batch, models, numerics) in cases.items()
        ] + [
            *(fits_alone(name, models, X, y) for name, models in alone.items()),
            *(
                grown(f"{name}, {where}", model, *data)
                for name, model in planted().items()
                for where, data in flights().items()
            ),
        ]


def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return continuous columns, and what depends on some of them with noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, COLUMNS)) * rng.uniform(0.5, 20, size=COLUMNS)
    return X, X @ rng.normal(size=COLUMNS) + 30 * np.sin(X[:, 0]) + rng.normal(size=n)


def neighbours(k: int) -> KNeighborsRegressor:
    return KNeighborsRegressor(k)


def sizes(kind: Any) -> list[Any]:
    return [kind(n, random_state=0, max_features=0.3) for n in (10, 30, 100)]


def stages() -> list[Any]:
    return [GradientBoostingRegressor(n_estimators=n, random_state=0) for n in (25, 50, 100)]


def iterations() -> list[Any]:
    return [HistGradientBoostingRegressor(max_iter=n, random_state=0) for n in (25, 50, 100)]


def boosters(X: np.ndarray) -> dict[str, Any]:
    """Return the cases of the libraries that are installed."""
    found: dict[str, Any] = {}
    try:
        from lightgbm import LGBMRegressor
    except ImportError:
        pass
    else:
        models = [
            LGBMRegressor(n_estimators=n, random_state=0, n_jobs=1, verbose=-1) for n in ROUNDS
        ]
        found["LightGBM 25/50/100"] = (X, grid, models, "exact")
    try:
        from xgboost import XGBRegressor
    except ImportError:
        pass
    else:
        models = [XGBRegressor(n_estimators=n, random_state=0, n_jobs=1) for n in ROUNDS]
        found["XGBoost 25/50/100"] = (X, grid, models, "exact")
    return found


ROUNDS = (25, 50, 100)


def grid(X: np.ndarray, y: np.ndarray, models: list[Any], folds: int = 1) -> list[Delayed]:
    """Return a score per model and fold; each candidate takes its own rows."""
    data, target = delayed(X), delayed(y)

    def candidate(model: Any, fold: int) -> Delayed:
        train, test = (delayed(folds_of)(target)[fold][part] for part in (0, 1))
        fitted = delayed(model).fit(data[train], target[train])
        return delayed(r2_score)(target[test], fitted.predict(data[test]))

    return [candidate(model, fold) for model in models for fold in range(folds)]


def folds_of(y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows to train and to test on, fold by fold."""
    return list(KFold(FOLDS, shuffle=True, random_state=0).split(y))


def components(X: np.ndarray, y: np.ndarray, numbers: list[int]) -> list[Delayed]:
    """Return what remains of the variance with each number of components."""
    data = delayed(X)
    fits = [delayed(PCA(n, svd_solver="full")).fit(data) for n in numbers]
    return [one.explained_variance_ratio_.sum() for one in fits]


def fits_alone(case: str, models: list[Any], X: np.ndarray, y: np.ndarray) -> Row:
    """Time all fits on all folds, by their sums and by themselves; the rows are there already."""
    folds = [train for train, _ in folds_of(y)]
    data = [(X[fold], y[fold]) for fold in folds]

    def shared() -> list[Any]:
        learned = learn_folds("linear models", models, take, X, y, *folds)
        return [
            cut_fold("linear models", learned, number, model, take, X, y, fold)
            for number, fold in enumerate(folds)
            for model in models
        ]

    def own() -> list[Any]:
        return [fit(model, *rows) for rows in data for model in models]

    scores = [
        [one.score(*data[at // len(models)]) for at, one in enumerate(fits())]
        for fits in (own, shared)
    ]
    return row(case, compare({"shared": shared, "own": own}, 3), scores, "close")


def flights() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return flights in two forms, one of them with a column for each category."""
    X, y = search.data(20_000)
    one_hot, _, numbers = search.preprocessings()
    wide, narrow = one_hot.fit_transform(X), numbers.fit_transform(X)
    return {
        "4,000 rows, 119 columns": (wide[:4_000], y[:4_000]),
        "4,000 rows, 11 columns": (narrow[:4_000], y[:4_000]),
        "20,000 rows, 119 columns": (wide, y),
        "20,000 rows, 11 columns": (narrow, y),
    }


def planted() -> dict[str, Any]:
    """Return models whose trees kernels grow."""
    found: dict[str, Any] = {
        "histogram boosting, 40 trees": HistGradientBoostingRegressor(max_iter=40, random_state=0),
        "random forest, 20 trees": RandomForestRegressor(20, max_features=0.3, random_state=0),
        "random forest of classes": RandomForestClassifier(20, random_state=0),
        "extra trees, 20 trees": ExtraTreesRegressor(20, random_state=0),
    }
    if find_spec("xgboost"):
        from xgboost import XGBRegressor

        for depth in (3, 7):
            model = XGBRegressor(max_depth=depth, random_state=0, n_jobs=1)
            found[f"XGBoost, 100 trees of depth {depth}"] = model
    return found


def grown(case: str, model: Any, X: np.ndarray, y: np.ndarray) -> Row:
    """Time one fit whose trees a kernel grows, and its library's own."""
    if is_classifier(model):
        y = (y > 15).astype(int)  # late, as airlines count it
    calls = {"own": lambda: clone(model).fit(X, y), "shared": lambda: fit(model, X, y)}
    predicted = [call().predict(X) for call in calls.values()]
    return row(case, compare(calls, 5), predicted, "exact")


def measure(case: str, batch: Callable[[], list[Delayed]], numerics: str, full: bool) -> Row:
    """Time a batch with and without sharing inside fits, and compare the scores."""

    def compute(*disable: str) -> tuple[Any, ...]:
        planned = sd.optimize(batch(), numerics=numerics, disable=disable)
        return dask.compute(*planned, scheduler="sync")

    own, shared = compute("share_families"), compute()
    seconds = compare(
        {"shared": compute, "own": partial(compute, "share_families")}, 1 if full else 3
    )
    each = [timed(partial(dask.compute, one, scheduler="sync"))[0] for one in batch()]
    most = sum(each) / max(each) if numerics == "exact" else ""
    return row(case, seconds, (own, shared), numerics, most)


def row(
    case: str, seconds: dict[str, float], results: Any, numerics: str, most: float | str = ""
) -> Row:
    """Return a line of the table: seconds of own and of shared fits, and how far they are apart."""
    return {
        "case": case,
        "own fits s": seconds["own"],
        "shared s": seconds["shared"],
        "ratio": seconds["own"] / seconds["shared"],
        "sum / max": most,
        "difference": float(np.abs(np.subtract(*results)).max()),
        "numerics": numerics,
    }
