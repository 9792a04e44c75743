"""scikit-learn's metrics of regressions, on numbers of which one look shows that they are plain.

Of the time that a metric takes on thousands of numbers, nine tenths go to finding out what it was
given: tables of which library, their types, which float they have in common. Two columns of finite
float64 pass all of that as they are, so its own code runs on them without.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics._scorer import _Scorer

from stratum_dask.ops import counters
from stratum_dask.ops.rebound import with_globals

_OP = "metric"
_MODULE = "sklearn.metrics._regression"
_CHECK = "_check_reg_targets_with_floating_dtype"


def unchecked(scorer: Any) -> Any:
    """Return a scorer of the same scores, which looks once at plain numbers.

    Parameters
    ----------
    scorer : callable
        From ``check_scoring``; other ones than those of scikit-learn's regressions are returned.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.metrics import get_scorer
    >>> model = DummyRegressor().fit([[0], [0]], [1.0, 3.0])
    >>> unchecked(get_scorer("neg_mean_squared_error"))(model, [[0], [0]], np.array([5.0, 2.0]))
    -4.5
    """
    if type(scorer) is not _Scorer or scorer._kwargs:
        return scorer
    quick = _quick(scorer._score_func)
    if quick is None:
        return scorer
    made = copy.copy(scorer)
    made._score_func = quick
    return made


@functools.lru_cache(maxsize=64)
def _quick(metric: Any) -> Callable[..., Any] | None:
    """Return a metric that leaves out the checks where it can."""
    inner = getattr(metric, "__wrapped__", None)
    if getattr(metric, "__module__", None) != _MODULE or inner is None:
        return None
    if _CHECK not in inner.__code__.co_names:
        return None
    on_plain = with_globals(inner, **{_CHECK: _as_checked})

    @functools.wraps(metric)
    def quick(y_true: Any, y_pred: Any, **kwargs: Any) -> Any:
        true, predicted = _plain(y_true), _plain(_widened(y_pred))
        if true is None or predicted is None or len(true) != len(predicted) or kwargs:
            reason = "is not given two columns of finite numbers alone"
            counters.fallback(_OP, (y_true, y_pred), reason)
            return metric(y_true, y_pred, **kwargs)
        counters.hit(_OP)
        return on_plain(true, predicted)

    return quick


def _plain(column: Any) -> np.ndarray | None:
    """Return a column as the checks leave it, or nothing if they have more to do."""
    if type(column) is pd.Series and column.dtype == np.float64:
        column = column.to_numpy()
    if type(column) is not np.ndarray or column.ndim != 1 or len(column) < 2:
        return None  # of one number some metrics warn
    if column.dtype != np.float64 or not column.flags.c_contiguous:
        return None
    return column if np.isfinite(column).all() else None


def _widened(column: Any) -> Any:
    """Return a column as it is compared with one of float64."""
    if type(column) is np.ndarray and column.dtype == np.float32:
        return column.astype(np.float64)
    return column


def _as_checked(
    y_true: Any, y_pred: Any, sample_weight: Any, multioutput: Any, xp: Any = None
) -> tuple[Any, ...]:
    """Return what scikit-learn's check returns of plain columns."""
    return "continuous", y_true.reshape(-1, 1), y_pred.reshape(-1, 1), sample_weight, multioutput
