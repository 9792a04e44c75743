"""scikit-learn's searches and cross-validations, with shared work: drop-in replacements.

Same parameters, results, warnings and errors: these are scikit-learn's own classes and functions,
except for the loop over candidates and folds, which runs as one merged batch.

>>> from sklearn.datasets import load_diabetes
>>> from sklearn.linear_model import Ridge
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> X, y = load_diabetes(return_X_y=True)
>>> pipeline = make_pipeline(StandardScaler(), Ridge())
>>> search = GridSearchCV(pipeline, {"ridge__alpha": [1.0, 10.0, 100.0]}).fit(X, y)
>>> search.best_params_
{'ridge__alpha': 1.0}

Here the scaler is fitted once per fold, not once per fold and value of alpha.

`n_jobs` is the number of threads that run tasks; the default is all cores. With a
``distributed.Client`` its workers run them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import sklearn.model_selection as original
from sklearn.model_selection import _search_successive_halving as halving
from sklearn.model_selection._search import BaseSearchCV

from stratum_dask.frontends.sklearn_calls import Batch, delayed
from stratum_dask.ops.rebound import with_globals

__all__ = [
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
]

F = TypeVar("F", bound=Callable[..., Any])


def _ours(func: F, **names: Any) -> F:
    made: F = with_globals(func, Parallel=Batch, delayed=delayed, **names)
    made.__module__ = __name__
    return made


class _Search(BaseSearchCV):  # type: ignore[misc]  # scikit-learn is not typed
    """A search of scikit-learn whose candidates and folds run as one batch."""

    fit = with_globals(BaseSearchCV.fit, Parallel=Batch, delayed=delayed)


class GridSearchCV(original.GridSearchCV, _Search):  # type: ignore[misc]
    """``sklearn.model_selection.GridSearchCV`` with shared work; see there."""


class RandomizedSearchCV(original.RandomizedSearchCV, _Search):  # type: ignore[misc]
    """``sklearn.model_selection.RandomizedSearchCV`` with shared work; see there."""


class HalvingGridSearchCV(halving.HalvingGridSearchCV, _Search):  # type: ignore[misc]
    """``sklearn.model_selection.HalvingGridSearchCV`` with shared work; see there."""


class HalvingRandomSearchCV(halving.HalvingRandomSearchCV, _Search):  # type: ignore[misc]
    """``sklearn.model_selection.HalvingRandomSearchCV`` with shared work; see there."""


cross_validate = _ours(original.cross_validate)
cross_val_score = _ours(original.cross_val_score, cross_validate=cross_validate)
cross_val_predict = _ours(original.cross_val_predict)
