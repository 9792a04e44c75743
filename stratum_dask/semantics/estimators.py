"""What the parameters of an estimator say of its fits: randomness, and writing into the input."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from stratum_dask.semantics.table import NO_RANDOMNESS


def uses_randomness(estimator: Any) -> bool:
    """Tell whether fitting an estimator, or splitting with a splitter, draws without a seed.

    Parameters
    ----------
    estimator : object
        With the parameters it has; estimators inside it count.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn.linear_model import Ridge
    >>> uses_randomness(Ridge()), uses_randomness(RandomForestRegressor())
    (False, True)
    >>> uses_randomness(RandomForestRegressor(random_state=0))
    False
    """
    params = (
        estimator.get_params(deep=False) if hasattr(estimator, "get_params") else vars(estimator)
    )
    if "random_state" in params and not isinstance(params["random_state"], int | np.integer):
        condition = NO_RANDOMNESS.get(type(estimator).__name__)
        if params["random_state"] is not None or condition is None or not condition(params):
            return True
    return any(map(_holds_random, params.values()))


def may_draw(kind: type, keywords: Iterable[str] | None = None) -> bool:
    """Tell whether an object of a class may draw randomness if it is made without a seed.

    Parameters
    ----------
    kind : type
    keywords : iterable of str, optional
        What it is made with, positions apart; None if that is not known.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> may_draw(LinearRegression), may_draw(RandomForestRegressor, ["n_estimators"])
    (False, True)
    >>> may_draw(Ridge, ["alpha"]), may_draw(Ridge, ["solver"]), may_draw(Ridge)
    (False, True, True)
    """
    if not _has_seed(kind):
        return False
    if keywords is None or not _DECIDING.isdisjoint(keywords):
        return True
    try:
        return uses_randomness(kind())
    except TypeError:  # has required arguments, as meta-estimators do
        return True


_DECIDING = frozenset({"shuffle", "solver", "selection", "svd_solver", "probability"})


@cache
def _has_seed(kind: type) -> bool:
    try:
        return "random_state" in inspect.signature(kind).parameters
    except ValueError:  # written in C, without a signature
        return False


def writes_inputs(estimator: Any) -> bool:
    """Tell whether an estimator was asked to work in the memory of its input.

    Parameters
    ----------
    estimator : object
        With the parameters it has; estimators inside it count.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> writes_inputs(Ridge()), writes_inputs(Ridge(copy_X=False))
    (False, True)
    """
    return any(asks_to_write(*item) for item in estimator.get_params(deep=True).items())


def asks_to_write(parameter: object, value: object) -> bool:
    """Tell whether a parameter of this name and value lets an estimator write into its input.

    Examples
    --------
    >>> asks_to_write("scaler__copy", False), asks_to_write("copy", True)
    (True, False)
    """
    if not isinstance(parameter, str) or value is None:
        return False
    name = parameter.rpartition("__")[2]
    if name.startswith("copy"):
        return value is not True
    return name.startswith("overwrite") and value is not False


def _holds_random(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_random, value))
    if isinstance(value, BaseEstimator):
        return uses_randomness(value)
    return False
