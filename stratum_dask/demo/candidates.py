"""The candidates: three ways to make features, times the models that an agent would try.

Each is what an agent would hand in: it reads the files, cleans, joins, makes features, splits,
fits and scores, all by itself. None knows of the others or of stratum_dask, and together they
repeat nearly everything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dask import delayed
from dask.delayed import Delayed
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score, roc_auc_score
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from stratum_dask.demo import features

FOLDS = 3
QUICK = ("ridge 1", "scaled ridge", "tree", "logistic")


@delayed  # type: ignore[untyped-decorator]  # dask is not typed
def split(frame: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split the rows by hand."""
    return list(KFold(FOLDS, shuffle=True, random_state=13).split(frame))


def folds(X: Delayed) -> list[tuple[Delayed, Delayed]]:
    """Return the rows to train and to test on, fold by fold."""
    pairs = split(X)
    return [(pairs[i][0], pairs[i][1]) for i in range(FOLDS)]


@delayed  # type: ignore[untyped-decorator]  # dask is not typed
def fit(model: BaseEstimator, X: pd.DataFrame, y: pd.Series) -> Any:
    """Fit a fresh copy of the model."""
    return clone(model).fit(X, y)


def minutes_late(X: Delayed, y: Delayed, model: BaseEstimator) -> Delayed:
    """Cross-validate by hand, and score how much of the delay is explained."""
    scores = []
    for train, test in folds(X):
        fitted = fit(model, X.iloc[train], y.iloc[train])
        scores.append(delayed(r2_score)(y.iloc[test], fitted.predict(X.iloc[test])))
    return delayed(np.mean)(scores)


def minutes_off(X: Delayed, y: Delayed, model: BaseEstimator) -> Delayed:
    """Fit a slow model on a sample, hold one fold out, and score by how many minutes it errs."""
    train, test = folds(X)[0]
    sample = X.iloc[train].sample(frac=0.25, random_state=0)
    fitted = fit(model, sample, y.loc[sample.index])
    return delayed(mean_absolute_error)(y.iloc[test], fitted.predict(X.iloc[test]))


def is_late(X: Delayed, y: Delayed, model: BaseEstimator) -> Delayed:
    """Score whether a delay of more than a quarter of an hour is foreseen, likewise."""
    late = (y > 15).astype("int8")
    train, test = folds(X)[0]
    sample = X.iloc[train].sample(frac=0.25, random_state=0)
    fitted = fit(model, sample, late.loc[sample.index])
    foreseen = fitted.predict_proba(X.iloc[test])[:, 1]
    return delayed(roc_auc_score)(late.iloc[test], foreseen)


def models(quick: bool = False) -> dict[str, tuple[Any, BaseEstimator]]:
    """Return what is tried with each variant of the features: how it is scored, and the model."""
    alphas = (0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
    trees = HistGradientBoostingRegressor(max_iter=10, max_leaf_nodes=8, random_state=0)
    chosen = {
        "linear": (minutes_late, LinearRegression()),
        **{f"ridge {a:g}": (minutes_late, Ridge(a)) for a in alphas},
        "scaled ridge": (minutes_late, make_pipeline(StandardScaler(), Ridge(10.0))),
        "tree": (minutes_off, DecisionTreeRegressor(max_depth=3, random_state=0)),
        "boosted trees": (minutes_off, trees),
        "naive bayes": (is_late, GaussianNB()),
        "logistic": (is_late, LogisticRegression(solver="newton-cholesky")),
    }
    return {name: chosen[name] for name in QUICK} if quick else chosen


def build(data: Path, rows: int | None = None, *, quick: bool = False) -> dict[str, Delayed]:
    """Write all candidates; nothing runs.

    Parameters
    ----------
    data : Path
        The directory of the CSV files, see :func:`stratum_dask.demo.data.flight_tables`.
    rows : int, optional
        How many flights each candidate reads; all by default.
    quick : bool
        Try a few of the models only.

    Returns
    -------
    dict of str to Delayed
        Candidates by name; each computes to its score.

    Examples
    --------
    >>> len(build(Path("flights")))
    36
    """
    candidates = {}
    for make_features in (features.schedule, features.ratios, features.conditions):
        for name, (score, model) in models(quick).items():
            X, y = make_features(data, rows)
            candidates[f"{make_features.__name__}: {name}"] = score(X, y, model)
    return candidates
