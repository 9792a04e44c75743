"""Which estimators may write into the data that they are given.

StandardScaler(copy=False)               asked to
class Mine: def fit(self, X, y): X -= 1  the user's own, by its code
FunctionTransformer(clean)               if `clean` does
"""

from __future__ import annotations

import inspect
import types
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sklearn.base import BaseEstimator
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer

from stratum_dask.bytecode import effects
from stratum_dask.semantics import all_params, asks_to_write, of_library, written

CALLED = (
    "fit",
    "fit_transform",
    "fit_predict",
    "transform",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
)
"""The methods of estimators that are given data."""

_known: WeakKeyDictionary[type, bool] = WeakKeyDictionary()


def looks_like_estimator(value: Any) -> bool:
    """Tell whether a value can be fitted, whatever its class.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> looks_like_estimator(Ridge()), looks_like_estimator(Ridge)
    (True, False)
    """
    kind = type(value)
    return not isinstance(value, type) and (hasattr(kind, "fit") or issubclass(kind, BaseEstimator))


def may_write(estimator: Any) -> bool:
    """Tell whether an estimator, or one inside it, may change its input in place.

    Parameters
    ----------
    estimator : object
        With the parameters it has.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> may_write(Ridge()), may_write(Ridge(copy_X=False))
    (False, True)
    >>> def add_one(X):
    ...     X += 1
    ...     return X
    >>> may_write(FunctionTransformer(add_one)), may_write(FunctionTransformer(lambda X: X + 1))
    (True, False)
    """
    if not hasattr(estimator, "get_params"):
        return True
    inside = all_params(estimator)  # takes long to ask for
    return any(asks_to_write(*item) for item in inside.items()) or any(
        map(_code_writes, (estimator, *inside.values()))
    )


def scorer_may_write(scorer: Any) -> bool:
    """Tell whether a scorer may change the estimator or the rows that it is given.

    Parameters
    ----------
    scorer : callable
        From ``check_scoring``.

    Examples
    --------
    >>> from sklearn.metrics import get_scorer
    >>> def note(estimator, X, y):
    ...     estimator.seen_ = len(X)
    ...     return 0.0
    >>> scorer_may_write(get_scorer("r2")), scorer_may_write(note)
    (False, True)
    """
    if isinstance(scorer, _MultimetricScorer):
        return any(map(scorer_may_write, scorer._scorers.values()))
    if isinstance(scorer, _BaseScorer | _PassthroughScorer) or of_library(scorer) is not None:
        return False
    return not isinstance(scorer, types.FunctionType) or effects(scorer).changes != frozenset()


def _code_writes(value: Any) -> bool:
    if isinstance(value, partial):
        return True
    if isinstance(value, types.FunctionType):
        return of_library(value) is None and effects(value).changes != frozenset()
    if not looks_like_estimator(value):
        return False
    kind = type(value)
    known = _known.get(kind)
    if known is None:
        known = _known[kind] = class_writes(kind)
    return known


def class_writes(kind: type) -> bool:
    """Tell whether a method of a class of the user may change more than a fit its own object.

    What a fit has kept of its data belongs to the object, so no other method may change that.
    """
    for name in CALLED:
        method = written(getattr(kind, name, None))
        # A library may wrap its own methods as well as the user's.
        if method is None or (of_library(method) and of_library(inspect.unwrap(method))):
            continue
        if not isinstance(method, types.FunctionType):
            return True
        changes = effects(method, kind).changes
        own = {*method.__code__.co_varnames[:1]} if name.startswith("fit") else set()
        if changes is None or not changes <= own:
            return True
    return False
