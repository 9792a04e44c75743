"""One candidate on one fold as tasks: rows, fit, scores.

X, train -> rows --+-> steps ... -> fit --+-> score          the scorer sees the last step
X, test  -> rows --+-> steps ...  --------+                  and what the others make of X
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from dask.utils import methodcaller
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer
from sklearn.utils import get_tags
from sklearn.utils.validation import _check_method_params

from stratum_dask.frontends import estimators
from stratum_dask.frontends.builder import Builder
from stratum_dask.graph import TaskRef
from stratum_dask.ops import scoring
from stratum_dask.ops.folds import kernel_rows
from stratum_dask.semantics import draws_when_asked, of_library
from stratum_dask.writers import may_write

Params = Mapping[str, Any]


class FoldTasks(NamedTuple):
    """References to what a candidate gives on one fold.

    Attributes
    ----------
    test : TaskRef
        :class:`~stratum_dask.ops.scoring.Scored` on the rows that were left out.
    train : TaskRef or None
        On those that it was fitted on.
    estimator : TaskRef or None
        The fitted estimator.
    """

    test: TaskRef
    train: TaskRef | None
    estimator: TaskRef | None


@dataclass
class Data:
    """What candidates are fitted on, and the tasks that take its rows.

    Attributes
    ----------
    builder : Builder
    X, y : object
        Values or references; `y` may be None.
    seen : object, optional
        A value with the rows of X, where X is a reference.
    """

    builder: Builder
    X: Any
    y: Any
    seen: Any = None

    def __post_init__(self) -> None:
        self._rows = self.X if self.seen is None else self.seen
        self._params: dict[tuple[int, int], tuple[Any, Any, dict[str, Any]]] = {}

    def rows(self, estimator: Any, indices: Any, trained: Any = None) -> tuple[TaskRef, Any]:
        """Add the tasks that take some rows of X and y; of a kernel, columns too."""
        build = self.builder
        X, at = build.data(self.X), build.data(indices)
        if build.once(_takes_kernels, estimator):
            chosen = build.call("rows", kernel_rows, estimator, X, at, build.data(trained))
        else:
            chosen = build.rows(X, at)
        return chosen, build.rows(build.data(self.y), at)

    def params(self, params: Params | None, indices: Any) -> dict[str, Any]:
        """Return the arguments of a fit or scorer for some rows, as references."""
        if not params:
            return {}
        known = self._params.get((id(params), id(indices)))
        if known is None:
            chosen = _check_method_params(self._rows, params=params, indices=indices)
            refs = {name: self._param(value) for name, value in chosen.items()}
            known = self._params[id(params), id(indices)] = (params, indices, refs)
        return known[2]

    def _param(self, value: Any) -> Any:
        small = isinstance(value, str | bytes | bool | int | float | type(None))
        return value if small else self.builder.data(value)


@dataclass(frozen=True)
class Fold:
    """One candidate on one fold.

    Attributes
    ----------
    estimator : estimator
        Unfitted.
    train, test : array of int
        Rows.
    scorer : callable
        From ``check_scoring``.
    fit_params, score_params : mapping
        Further arguments of the fit and the scorer.
    train_scores, keep_estimator : bool
        Whether to score on the training rows too, and to give back the fitted estimator.
    error_score : "raise" or number
        What a scorer that fails gives.
    """

    estimator: Any
    train: Any
    test: Any
    scorer: Any
    fit_params: Params | None = None
    score_params: Params | None = None
    train_scores: bool = False
    keep_estimator: bool = False
    error_score: Any = "raise"


def fold_tasks(data: Data, fold: Fold) -> FoldTasks:
    """Add the tasks of one candidate on one fold."""
    build = data.builder
    # Rows may be said by any list of numbers, which scikit-learn makes an array of.
    train, test = build.once(np.asarray, fold.train), build.once(np.asarray, fold.test)
    X, y = data.rows(fold.estimator, train)
    fitted = estimators.fit(build, fold.estimator, X, y, data.params(fold.fit_params, train))
    plain = _sees_predictions(fold.scorer)
    score = scoring.score if plain and not _calls_users(fold.scorer) else scoring.opaque_score
    method = None
    if plain and not build.once(may_write, fold.estimator):
        method = _asks_for(fold.scorer, _last(fold.estimator, fitted))
    whole = None if plain and not fold.keep_estimator else fitted.estimator(build)
    seen = whole
    if plain:
        seen = fitted.last if method is not None else fitted.alone(build)

    def scored(kind: str, X: TaskRef, y: Any, indices: Any) -> TaskRef:
        model, X = seen, fitted.before_last(build, X) if plain else X
        params = data.params(fold.score_params, indices)
        given = [model, X, y, fold.scorer, fold.error_score]
        if method is not None:  # a task of its own: members of a family predict together
            given += [method, build.call("predict", methodcaller(method), model, X)]
        return build.call(kind, score, *given, **params)

    return FoldTasks(
        scored("score", *data.rows(fold.estimator, test, train), test),
        scored("train_score", X, y, train) if fold.train_scores else None,
        whole if fold.keep_estimator else None,
    )


def predict_task(
    data: Data, estimator: Any, train: Any, test: Any, fit_params: Params | None, method: str
) -> TaskRef:
    """Add the tasks that fit on one part of the rows and predict the other."""
    build = data.builder
    X, y = data.rows(estimator, train)
    fitted = estimators.fit(build, estimator, X, y, data.params(fit_params, train))
    X_test, _ = data.rows(estimator, test, train)
    if hasattr(estimator, method):
        known = of_library(type(_last(estimator, fitted))) is not None
        model = fitted.last if known else fitted.alone(build)
        seen = fitted.before_last(build, X_test)
    else:  # it fails in its own words, not in those of its last step
        model, seen = fitted.estimator(build), X_test
    call = partial(build.call, "predict", scoring.predictions, model, seen, method)
    return call(build.data(data.y)) if method in scoring.BY_CLASS else call()


def _sees_predictions(scorer: Any) -> bool:
    """Tell whether a scorer looks at nothing but what an estimator predicts.

    Then it may be given a pipeline's last step, and what the others make of the rows.
    """
    if isinstance(scorer, _MultimetricScorer):
        return all(map(_sees_predictions, scorer._scorers.values()))
    return isinstance(scorer, _BaseScorer | _PassthroughScorer)


_ASKED = ("predict", "predict_proba", "decision_function")
_SCORE_PREDICTIONS = (RegressorMixin.score, ClassifierMixin.score)


def _asks_for(scorer: Any, last: Any) -> str | None:
    """Return the method that a scorer calls, if it is known to be one and called once."""
    if of_library(type(last)) is None:  # a scorer may see that it is no estimator at all
        return None
    if isinstance(scorer, _MultimetricScorer):
        asked = {_asks_for(one, last) for one in scorer._scorers.values()}
        return asked.pop() if len(asked) == 1 else None
    if isinstance(scorer, _PassthroughScorer):
        return "predict" if getattr(type(last), "score", None) in _SCORE_PREDICTIONS else None
    method = getattr(scorer, "_response_method", None)
    # Without the method, it is the scorer's to say that the estimator has none.
    known = isinstance(method, str) and method in _ASKED and hasattr(last, method)
    return method if known else None


def _last(estimator: Any, fitted: estimators.Fitted) -> Any:
    """Return what predicts: the last step of pipelines that were taken apart."""
    while isinstance(fitted, estimators.Chain):
        estimator, fitted = fitted.template.steps[-1][1], fitted.steps[-1]
    return estimator


def _calls_users(scorer: Any) -> bool:
    if isinstance(scorer, _MultimetricScorer):
        return any(map(_calls_users, scorer._scorers.values()))
    func: Callable[..., Any] | None = getattr(scorer, "_score_func", None)
    return func is not None and of_library(func) is None


def _takes_kernels(estimator: Any) -> bool:
    takes: bool = get_tags(estimator).input_tags.pairwise
    return takes


def is_ordinary(estimator: Any) -> bool:
    """Tell whether a search may fit an estimator apart from all else that it does.

    Not those with callbacks, which expect to be called by the search itself, nor those whose clone
    would be another, or whose class says how to clone them.
    """
    if draws_when_asked(estimator):
        return False
    try:
        get_tags(estimator)
        nested = estimator.get_params(deep=True).values()
    except Exception:  # whatever is wrong with it is scikit-learn's to say
        return False
    return not any(
        isinstance(one, BaseEstimator)
        and (hasattr(one, "_skl_callbacks") or _clones_its_own_way(type(one)))
        for one in (estimator, *nested)
    )


def _clones_its_own_way(kind: type) -> bool:
    own: Any = getattr(kind, "__sklearn_clone__", None)
    return own is not BaseEstimator.__sklearn_clone__ and of_library(own) is None
