"""What the parameters of an estimator say of its fits: randomness, and writing into the input."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from stratum_dask.semantics.declared import declared
from stratum_dask.semantics.names import of_library
from stratum_dask.semantics.table import NO_RANDOMNESS


def is_users_estimator(kind: Any) -> bool:
    """Tell whether something is a class of estimators that the user wrote, and declared nothing of.

    Examples
    --------
    >>> class Mine(BaseEstimator): ...
    >>> from sklearn.linear_model import Ridge
    >>> is_users_estimator(Mine), is_users_estimator(Mine()), is_users_estimator(Ridge)
    (True, False, False)
    """
    return (
        isinstance(kind, type)
        and issubclass(kind, BaseEstimator)
        and of_library(kind) is None
        and declared(kind) is None
    )


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
    if draws_when_asked(estimator):
        return True
    params = (
        estimator.get_params(deep=False) if hasattr(estimator, "get_params") else vars(estimator)
    )
    if "random_state" in params and not isinstance(params["random_state"], int | np.integer):
        kind = type(estimator)
        condition = NO_RANDOMNESS.get(kind.__name__) if of_library(kind) else None
        if params["random_state"] is not None or condition is None or not condition(params):
            return True
    if any(_tries_randomness(estimator, params[name]) for name in _GRIDS if name in params):
        return True
    return any(map(_holds_random, params.values()))


_GRIDS = ("param_grid", "param_distributions")
"""What searches set their estimator's parameters to, one after another."""


def _tries_randomness(search: Any, grid: Any) -> bool:
    if isinstance(grid, list | tuple):
        return any(_tries_randomness(search, one) for one in grid)
    if not isinstance(grid, dict):
        return True
    seeds = [v for name, v in all_params(search).items() if name.endswith("random_state")]
    seeded = all(isinstance(seed, int | np.integer) for seed in seeds)
    for name, values in grid.items():
        if decides_randomness(name) and not seeded:
            return True
        if str(name).endswith("random_state") and not (
            isinstance(values, list | tuple)
            and all(isinstance(one, int | np.integer) for one in values)
        ):
            return True
    return False


def sets_randomness(params: Mapping[str, Any]) -> bool:
    """Tell whether an estimator may draw randomness once these parameters are set.

    Examples
    --------
    >>> sets_randomness({"ridge__alpha": 2}), sets_randomness({"ridge__solver": "sag"})
    (False, True)
    >>> sets_randomness({"random_state": 0}), sets_randomness({"random_state": None})
    (False, True)
    """
    return any(
        decides_randomness(name)
        or (name.endswith("random_state") and not isinstance(value, int | np.integer))
        for name, value in params.items()
    )


def decides_randomness(name: object) -> bool:
    """Tell whether a parameter of this name decides whether an estimator draws randomness."""
    return str(name).rpartition("__")[2] in _DECIDING


def draws_when_asked(estimator: Any) -> bool:
    """Tell whether asking an estimator for its parameters may draw from a generator it holds.

    Then no two clones are alike: XGBoost makes a seed of a generator whenever it is asked.

    Parameters
    ----------
    estimator : object
        With what it holds; estimators inside it count. They are not asked.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> draws_when_asked(RandomForestRegressor(random_state=np.random.RandomState(0)))
    False
    """
    return any(isinstance(one, _GENERATORS) for one in held_by_own_params(estimator))


_GENERATORS = (np.random.RandomState, np.random.Generator)


def held_by_own_params(estimator: Any) -> Iterator[Any]:
    """Yield what an estimator holds if not scikit-learn answers for its parameters.

    Parameters
    ----------
    estimator : object
        Estimators inside it count.
    """
    kind = type(estimator)
    if isinstance(estimator, list | tuple):
        for one in estimator:
            yield from held_by_own_params(one)
    elif hasattr(kind, "get_params") and not isinstance(estimator, type):
        held = getattr(estimator, "__dict__", {}).values()
        if not getattr(kind.get_params, "__module__", "").startswith("sklearn."):
            yield from held
        for one in held:
            yield from held_by_own_params(one)


def all_params(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator and of those inside it; nothing is drawn from it.

    Parameters
    ----------
    estimator : estimator
    """
    asked = copy.deepcopy(estimator) if draws_when_asked(estimator) else estimator
    params: dict[str, Any] = asked.get_params(deep=True)
    for kind in {type(one) for one in (asked, *params.values()) if hasattr(one, "get_params")}:
        remember_signatures(kind)
    return params


def remember_signatures(kind: type) -> None:
    """Keep what constructors take, if a library wrote them, where Python looks first (PEP 362).

    scikit-learn asks for the signature whenever it asks an estimator for its parameters or clones
    it, several times per candidate and fold; that is most of what either takes.

    Parameters
    ----------
    kind : type
        A class of estimators; its bases count.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> remember_signatures(Ridge)
    >>> inspect.signature(Ridge.__init__) is inspect.signature(Ridge.__init__)
    True
    """
    for one in kind.__mro__:
        made = vars(one).get("__init__")
        if not isinstance(made, FunctionType) or hasattr(made, "__signature__"):
            continue
        if of_library(made) is not None:
            vars(made)["__signature__"] = inspect.signature(made)


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
    if of_library(kind) is None:  # whose constructor is the user's code
        default = inspect.signature(kind).parameters["random_state"].default
        return "random_state" in keywords or not isinstance(default, int)
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
    return any(asks_to_write(*item) for item in all_params(estimator).items())


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
    if isinstance(value, dict):
        return any(map(_holds_random, value.values()))
    if isinstance(value, BaseEstimator) or type(value).__module__ == _SPLITTERS:
        return not isinstance(value, type) and uses_randomness(value)
    return False


_SPLITTERS = "sklearn.model_selection._split"
