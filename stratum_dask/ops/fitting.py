"""What the tasks of a fit call: functions that leave their arguments as they are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone

from stratum_dask.runtime.threads import idle_cores


def fit(estimator: Any, X: Any, y: Any = None, /, **params: Any) -> Any:
    """Fit a clone of an estimator.

    Parameters
    ----------
    estimator : estimator
        Unfitted; stays as it is.
    X, y : array-like
        As the estimator takes them.
    **params
        Further arguments of its ``fit``.

    Returns
    -------
    estimator
        The fitted clone.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> fit(Ridge(alpha=0.0), [[1.0], [2.0]], [1.0, 2.0]).coef_.round(6).tolist()
    [1.0]
    """
    fresh, params = ready(estimator, params)
    # A fit that needs no target is not given one: some refuse even None. What it returns does
    # not count.
    with idle_cores(fresh, X):
        if y is None:
            fit_method(fresh)(X, **params)
        else:
            fit_method(fresh)(X, y, **params)
    return fresh


def fit_method(estimator: Any) -> Callable[..., Any]:
    """Return the ``fit`` of an estimator, or one of the same results that takes less time."""
    name = type(estimator).__name__
    # These take long to import.
    if name.startswith("HistGradientBoosting"):
        from stratum_dask.ops.growing import growing_fit

        return growing_fit(estimator)
    if name.startswith(("RandomForest", "ExtraTrees")):
        from stratum_dask.ops.forests import forest_fit

        return forest_fit(estimator)
    if name in ("XGBRegressor", "XGBClassifier"):
        from stratum_dask.ops.rounds import boosting_fit

        return boosting_fit(estimator)
    return estimator.fit  # type: ignore[no-any-return]


def ready(estimator: Any, params: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a clone to fit, and arguments of its ``fit`` in which it may keep its state."""
    given = {
        name: copy.deepcopy(value) if name.rpartition("__")[2] in _BEGINNINGS else _own(value)
        for name, value in params.items()
    }
    return unfitted(estimator), given


def unfitted(estimator: Any) -> Any:
    """Return a clone of an estimator; if it cannot be cloned, a copy.

    Searches set parameters on a clone and fit that: its constructor, which would refuse or change
    them (CatBoost's copies lists), never sees them.
    """
    try:
        return clone(estimator)
    except (RuntimeError, TypeError):
        return copy.deepcopy(estimator)


def fit_transform(transformer: Any, X: Any, y: Any = None, /, **params: Any) -> tuple[Any, Any]:
    """Fit a clone of a transformer, and transform what it was fitted on.

    The two belong together: for some transformers (``TargetEncoder``) they are not the same as a
    fit and a transform after it.

    Parameters
    ----------
    transformer : estimator
        Unfitted; stays as it is.
    X, y : array-like
    **params
        Further arguments of its ``fit``.

    Returns
    -------
    fitted : estimator
    transformed : array-like

    Examples
    --------
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> fit_transform(MinMaxScaler(), [[1.0], [3.0]])[1].tolist()
    [[0.0], [1.0]]
    """
    fresh, params = ready(transformer, params)
    if hasattr(fresh, "fit_transform"):
        return fresh, fresh.fit_transform(X, y, **params)
    return fresh, fresh.fit(X, y, **params).transform(X)


_DATA = (str, bytes, int, float, bool, type(None), np.ndarray, pd.DataFrame, pd.Series, pd.Index)


_BEGINNINGS = ("coef_init", "intercept_init")
"""Arguments of fits that go on from there, in the same memory."""


def _own(value: Any) -> Any:
    """Return what a fit may keep its state in: callbacks are told of one fit only.

    Data is left as it is: fits do not change it, and copies would take time and memory.
    """
    if isinstance(value, _DATA) or issparse(value):
        return value
    if type(value) in (list, tuple):
        return type(value)(map(_own, value))
    if type(value) is object:  # without a state, and known by nothing but its identity
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # of any type: what a library keeps elsewhere is one for all fits
        return value


def fitted_of(pair: tuple[Any, Any]) -> Any:
    """Return the fitted transformer of what :func:`fit_transform` returned."""
    return pair[0]


def transformed_of(pair: tuple[Any, Any]) -> Any:
    """Return the transformed values of what :func:`fit_transform` returned."""
    return pair[1]


def transform(fitted: Any, X: Any) -> Any:
    """Apply a fitted transformer."""
    return fitted.transform(X)


def assemble(template: Any, *steps: Any) -> Any:
    """Return a fitted pipeline of steps that are fitted already.

    Parameters
    ----------
    template : Pipeline
        Unfitted; gives names and settings.
    *steps : estimator or "passthrough" or None
        Fitted, one per step of `template`.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> model = fit(Ridge(alpha=0.0), [[1.0], [2.0]], [1.0, 2.0])
    >>> assemble(make_pipeline("passthrough", Ridge()), "passthrough", model).predict([[3.0]])
    array([3.])
    """
    fresh = unfitted(template)
    names = [name for name, _ in template.steps]
    fresh.steps = list(zip(names, steps, strict=True))
    return fresh


def alone(template: Any, fitted: Any) -> Any:
    """Return a pipeline of one fitted step, to look at and predict with; it is not copied.

    Parameters
    ----------
    template : Pipeline
        Unfitted, of one step.
    fitted : estimator

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> model = fit(Ridge(alpha=0.0), [[1.0], [2.0]], [1.0, 2.0])
    >>> alone(make_pipeline(Ridge()), model).predict([[3.0]])
    array([3.])
    """
    made = copy.copy(template)
    made.steps = [(template.steps[0][0], fitted)]
    return made
