"""A batch a fifth of which is broken in every way, in worker processes.

Every healthy candidate must return the score that it has alone, every broken one a typed error;
the time is that of the batch against that of its healthy part.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
from typing import Any

import dask
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from benchmarks.harness import Row, timed

EXPECTED = {
    "exception": "ValueError",
    "warning": "RuntimeWarning",
    "exit": "SystemExit",
    "crash": "ProcessDied",
    "memory": "MemoryError",
    "loop": "TimeoutError",
}
"""What each way of being broken is called in the result."""
FOLDS = 5


class Broken(RegressorMixin, BaseEstimator):
    """Fails when fitted, in one of many ways."""

    def __init__(self, how: str = "exception") -> None:
        self.how = how

    def fit(self, X: Any, y: Any) -> Broken:
        """Fail."""
        if self.how == "exception":
            raise ValueError("the columns have the wrong names")
        if self.how == "warning":
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        if self.how == "exit":
            sys.exit(1)
        if self.how == "crash":
            ctypes.string_at(0)
        if self.how == "memory":
            held = []
            while True:
                held.append(np.zeros(1 << 26))
        while self.how == "loop":
            pass
        return self

    def predict(self, X: Any) -> Any:
        """Never get here."""
        return np.zeros(len(X))


def healthy(number: int) -> dict[str, Any]:
    """Return candidates that work, each of about the same length."""
    return {
        f"forest {i}": make_pipeline(
            StandardScaler(), RandomForestRegressor(20, max_features=0.3, random_state=i)
        )
        if i % 4
        else make_pipeline(StandardScaler(), Ridge(1.0 + i))
        for i in range(number)
    }


def run(full: bool = False) -> list[Row]:
    """Return one row for the batch."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000 if full else 6_000, 20))
    y = X @ rng.normal(size=20) + rng.normal(size=len(X))
    well = healthy(4 * len(EXPECTED))
    ill = {how: Broken(how) for how in EXPECTED}
    names = rng.permutation([*well, *ill]).tolist()
    mixed = {name: {**well, **ill}[name] for name in names}
    how: dict[str, Any] = {"cv": FOLDS, "isolate": "process", "timeout": 5.0, "progress": False}
    # Enough for any of the healthy; what takes more must not take the machine's.
    with dask.config.set({"stratum.memory": "3 GiB", "stratum.costs.path": False}):
        sd.evaluate({"warm": Ridge()}, X[:100], y[:100], **how)
        healthy_seconds, _ = timed(lambda: sd.evaluate(well, X, y, **how))
        seconds, found = timed(lambda: sd.evaluate(mixed, X, y, **how))
    columns = [f"fold_{i}" for i in range(FOLDS)]
    scores = found.frame.set_index("candidate")[columns]
    with threadpool_limits(1):
        equal = all(
            np.array_equal(scores.loc[name], cross_val_score(model, X, y, cv=FOLDS))
            for name, model in well.items()
        )
    named = {name: failure.error for name, failure in found.errors.items()}
    lines = sum(__file__ in one.line for one in found.errors.values())
    return [
        {
            "case": f"{len(ill)} of {len(mixed)} candidates broken, {FOLDS} folds",
            "healthy part s": healthy_seconds,
            "batch s": seconds,
            "ratio": seconds / healthy_seconds,
            "healthy scores equal": equal,
            "errors as expected": named == EXPECTED,
            "with the user's line": lines,
        }
    ]
