"""Scores and predictions of fitted estimators, by scikit-learn's own code."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from sklearn.model_selection._validation import _enforce_prediction_order, _score

from stratum_dask.ops.metrics import unchecked


class Scored(NamedTuple):
    """What scoring gave.

    Attributes
    ----------
    scores : float or dict of str to float
        One number, or one per scorer.
    seconds : float
        What it took.
    """

    scores: Any
    seconds: float


class Predicted:
    """A fitted estimator that knows one answer already.

    Parameters
    ----------
    estimator : estimator
    method : str
    answer : object
        What its method of that name returns for the only rows that it will be asked about.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> Predicted(DummyRegressor(), "predict", [1.0]).predict([[0]])
    [1.0]
    """

    def __init__(self, estimator: Any, method: str, answer: Any) -> None:
        def known(X: Any) -> Any:
            return answer

        known.__name__ = method
        vars(self).update({"_estimator": estimator, method: known})

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_estimator"], name)

    def __sklearn_tags__(self) -> Any:
        return self._estimator.__sklearn_tags__()

    def score(self, X: Any, y: Any, **params: Any) -> Any:
        """Score by the estimator's own method, on the answer."""
        return type(self._estimator).score(self, X, y, **params)


def score(
    estimator: Any,
    X: Any,
    y: Any,
    scorer: Any,
    error_score: Any = "raise",
    method: str | None = None,
    answer: Any = None,
    /,
    **params: Any,
) -> Scored:
    """Score a fitted estimator as scikit-learn's cross-validation does.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X, y : array-like
        The rows to score it on; `y` may be None.
    scorer : callable
        From ``check_scoring``.
    error_score : "raise" or number
        What a scorer that fails gives.
    method : str, optional
        The only one of the estimator that the scorer calls, if its answer is known.
    answer : object
        That.
    **params
        Further arguments of the scorer.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.metrics import get_scorer
    >>> model = DummyRegressor().fit([[0], [0]], [1.0, 3.0])
    >>> score(model, [[0]], [5.0], get_scorer("neg_mean_squared_error")).scores
    -9.0
    """
    began = time.perf_counter()
    if method is not None:
        estimator = Predicted(estimator, method, answer)
    scores = _score(estimator, X, y, unchecked(scorer), params, error_score)
    return Scored(scores, time.perf_counter() - began)


def opaque_score(*args: Any, **params: Any) -> Scored:
    """Score like :func:`score`, with a scorer or an estimator that may edit what it is given."""
    return score(*args, **params)


BY_CLASS = ("decision_function", "predict_proba", "predict_log_proba")
"""Methods whose columns follow the classes."""


def predictions(estimator: Any, X: Any, method: str, y: Any = None) -> Any:
    """Predict as ``cross_val_predict`` does.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like
    method : str
        Of the estimator.
    y : array, optional
        The whole target with its classes as integers: columns follow these, also for classes
        that the estimator has not seen.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> predictions(DummyRegressor().fit([[0], [0]], [1.0, 3.0]), [[0]], "predict").tolist()
    [2.0]
    """
    found = getattr(estimator, method)(X)
    if method not in BY_CLASS or y is None:
        return found
    if isinstance(found, list):
        return [
            _enforce_prediction_order(
                estimator.classes_[i], columns, n_classes=len(set(y[:, i])), method=method
            )
            for i, columns in enumerate(found)
        ]
    n_classes = len(set(y)) if y.ndim == 1 else y.shape[1]
    return _enforce_prediction_order(estimator.classes_, found, n_classes, method)
