"""scikit-learn's own loop over candidates and folds, run as one merged batch.

Its searches and cross-validations end in ``Parallel(...)(delayed(_fit_and_score)(...) for ...)``.
:class:`Batch` stands in for ``Parallel``: it reads the calls, and answers each with what the call
would have returned. Everything around stays scikit-learn's.
"""

from __future__ import annotations

import inspect
import numbers
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from dask.system import CPU_COUNT
from sklearn import get_config
from sklearn.base import clone
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import _validation
from sklearn.model_selection._validation import _fit_and_predict, _fit_and_score

from stratum_dask.config import options
from stratum_dask.frontends.builder import Builder
from stratum_dask.frontends.folds import Data, Fold, fold_tasks, is_ordinary, predict_task
from stratum_dask.graph import Key, TaskRef
from stratum_dask.ops.fitting import unfitted
from stratum_dask.ops.outcomes import Failure, Outcome
from stratum_dask.ops.whole import WholeCall
from stratum_dask.runtime.batch import run_batch
from stratum_dask.runtime.threads import Threads, with_inner_threads
from stratum_dask.semantics import draws_when_asked, held_by_own_params
from stratum_dask.writers import may_write, scorer_may_write

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
Answer = Callable[[dict[Key, Outcome]], Any]


def delayed(func: Callable[..., Any]) -> Callable[..., Call]:
    """Stand in for scikit-learn's ``delayed``: keep a call to be read."""
    return lambda *args, **kwargs: (func, args, kwargs)


class Batch:
    """Stands in for scikit-learn's ``Parallel``.

    Parameters
    ----------
    n_jobs : int, optional
        How many threads run tasks where there is no cluster; all cores by default, -1 too, and
        -2 is all but one.
    **_ : object
        What only concerns joblib.
    """

    def __init__(self, n_jobs: int | None = None, **_: Any) -> None:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")  # joblib's words
        if n_jobs is not None and n_jobs < 0:
            n_jobs = max(CPU_COUNT + 1 + n_jobs, 1)
        self._workers = n_jobs

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, calls: Iterable[Call]) -> list[Any]:
        """Run all calls, and return what each would have returned."""
        lowering = _Lowering()
        answers = [lowering.answer(i, call) for i, call in enumerate(calls)]
        chosen = options()
        done = run_batch(lowering.builder.graph(), chosen, workers=self._workers)
        return [answer(done.outcomes) for answer in answers]


class _Lowering:
    """Writes down the calls of one batch."""

    def __init__(self) -> None:
        self.builder = Builder()
        self._data: list[Data] = []
        self._estimators: dict[int, _Known] = {}

    def answer(self, number: int, call: Call) -> Answer:
        """Add the tasks of a call, and return what makes its answer of their outcomes."""
        func, args, kwargs = call
        if func is _fit_and_score and not get_config()["array_api_dispatch"]:
            bound = _bound(func, args, kwargs)
            # Callbacks of a search expect to be called while it runs.
            watched = hasattr(bound.get("caller"), "_skl_callbacks")
            estimator = self._estimator(bound["estimator"], bound["parameters"])
            ordinary = not watched and self.builder.once(is_ordinary, estimator)
            if ordinary and not self._shows(bound, estimator):
                return self._score(number, bound, estimator)
        elif func is _fit_and_predict and not get_config()["array_api_dispatch"]:
            bound = _bound(func, args, kwargs)
            if is_ordinary(bound["estimator"]):
                return self._predict(number, bound)
        return self._whole(number, func, args, kwargs)

    def _shows(self, call: dict[str, Any], estimator: Any) -> bool:
        """Tell whether what a call returns shows what it did to the training rows or estimator.

        Scores on the training rows show what a fit did to these, and they and the estimator what a
        scorer did to that.
        """
        train, kept = call["return_train_score"], call["return_estimator"]
        writes: bool = train and self.builder.once(may_write, estimator)
        return writes or ((train or kept) and self.builder.once(scorer_may_write, call["scorer"]))

    def _score(self, number: int, call: dict[str, Any], estimator: Any) -> Answer:
        if not isinstance(call["error_score"], numbers.Number) and call["error_score"] != "raise":
            raise ValueError(
                "error_score must be the string 'raise' or a numeric value. (Hint: if using "
                "'raise', please make sure that it has been spelled correctly.)"
            )
        fold = Fold(
            estimator,
            call["train"],
            call["test"],
            call["scorer"],
            call["fit_params"],
            call["score_params"],
            call["return_train_score"],
            call["return_estimator"],
            call["error_score"],
        )
        tasks = fold_tasks(self._data_of(call["X"], call["y"]), fold)
        self.builder.want(number, [ref for ref in tasks if ref is not None])

        def answer(found: dict[Key, Outcome]) -> dict[str, Any]:
            kept = None if tasks.estimator is None else found[tasks.estimator.key]
            train = None if tasks.train is None else found[tasks.train.key]
            return _fit_and_score_result(call, estimator, found[tasks.test.key], train, kept)

        return answer

    def _predict(self, number: int, call: dict[str, Any]) -> Answer:
        estimator = self._estimator(call["estimator"], None)
        data = self._data_of(call["X"], call["y"])
        train, test, params = call["train"], call["test"], call["fit_params"]
        ref = predict_task(data, estimator, train, test, params, call["method"])
        return self._value(number, ref)

    def _whole(
        self, number: int, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Answer:
        bound = _bound(func, args, kwargs)
        data = {name: self.builder.data(bound.pop(name)) for name in ("X", "y") if name in bound}
        return self._value(number, self.builder.call("call", WholeCall(func, bound), **data))

    def _value(self, number: int, ref: TaskRef) -> Answer:
        self.builder.want(number, [ref])

        def answer(found: dict[Key, Outcome]) -> Any:
            outcome = found[ref.key]
            if outcome.failure is not None:
                outcome.failure.reraise()
            return outcome.value

        return answer

    def _data_of(self, X: Any, y: Any) -> Data:
        for known in self._data:
            if known.X is X and known.y is y:
                return known
        self._data.append(Data(self.builder, X, y))
        return self._data[-1]

    def _estimator(self, estimator: Any, parameters: Any) -> Any:
        """Return the candidate; one object for all its folds if these are given equal clones."""
        if parameters is None:
            return with_inner_threads(estimator, Threads(1))
        seeds = [one for one in held_by_own_params(estimator) if isinstance(one, int)]
        known = self._estimators.get(id(parameters))
        if known is None or known.seeds != seeds:
            made = estimator.set_params(**clone(parameters, safe=False))
            if not draws_when_asked(made):
                made = with_inner_threads(made, Threads(1))
            known = self._estimators[id(parameters)] = _Known(made, parameters, seeds)
        return known.estimator


class _Known(NamedTuple):
    """A candidate of a search: its clone with its parameters, and what may differ in another."""

    estimator: Any
    parameters: Any  # kept, so that their id stays their own
    seeds: list[int]


_signature = cache(inspect.signature)
"""What scikit-learn's functions take; of two, each called for every candidate and fold."""


def _bound(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    bound = _signature(func).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _fit_and_score_result(
    call: dict[str, Any],
    estimator: Any,
    test: Outcome,
    train: Outcome | None,
    kept: Outcome | None,
) -> dict[str, Any]:
    """Return what ``_fit_and_score`` would have returned."""
    failed = next((one.failure for one in (test, train, kept) if one and one.failure), None)
    if failed is not None and (call["error_score"] == "raise" or _is_outside(failed)):
        failed.reraise()
    seconds = test.seconds
    result: dict[str, Any] = {"fit_error": None}
    if failed is not None and not _is_of_scoring(failed):
        result["fit_error"] = failed.traceback
        result["test_scores"] = _error_scores(call)
        if train is not None:
            result["train_scores"] = _error_scores(call)
        fit_time, score_time = seconds, 0.0
    else:
        score_time = test.value.seconds if test.failure is None else 0.0
        fit_time = max(seconds - score_time, 0.0)
        result["test_scores"] = _scores(call, test)
        if train is not None:
            result["train_scores"] = _scores(call, train)
    if call["return_n_test_samples"]:
        test_rows = np.asarray(call["test"])
        result["n_test_samples"] = int(
            test_rows.sum() if test_rows.dtype == bool else len(test_rows)
        )
    if call["return_times"]:
        result["fit_time"], result["score_time"] = fit_time, score_time
    if call["return_parameters"]:
        result["parameters"] = call["parameters"]
    if call["return_estimator"]:
        result["estimator"] = unfitted(estimator) if kept is None or kept.failure else kept.value
    if call["verbose"] > 1:
        _say(call, result, fit_time + score_time)
    return result


def _is_outside(failure: Failure) -> bool:
    """Tell whether scikit-learn lets something through, whatever error_score is.

    It takes the rows of a fold before it tries the fit, and wants to exit if that is asked.
    """
    return failure.task.startswith("rows-") or isinstance(failure.exception, SystemExit)


def _is_of_scoring(failure: Failure) -> bool:
    """Tell whether a step failed on rows to score, where scikit-learn calls it the scorer."""
    return failure.task.startswith((*_BEFORE_SCORES, "score-", "train_score-"))


_BEFORE_SCORES = ("transform-", "predict-")


def _error_scores(call: dict[str, Any]) -> Any:
    scorer, value = call["scorer"], call["error_score"]
    if isinstance(scorer, _MultimetricScorer):
        return dict.fromkeys(scorer._scorers, value)
    return value


def _scores(call: dict[str, Any], outcome: Outcome) -> Any:
    failure = outcome.failure
    if failure is None:
        return outcome.value.scores
    if not failure.task.startswith(_BEFORE_SCORES):
        failure.reraise()  # what scikit-learn raises whatever error_score is
    scores = _error_scores(call)
    for _ in scores if isinstance(scores, dict) else (None,):  # as each scorer would
        warnings.warn(
            "Scoring failed. The score on this train-test partition for these parameters will be "
            f"set to {call['error_score']}. Details: \n{failure.traceback}",
            UserWarning,
            stacklevel=2,
        )
    return scores


def _say(call: dict[str, Any], result: dict[str, Any], seconds: float) -> None:
    """Print the line that scikit-learn prints when a fit ends."""
    progress = ""
    split, candidate = call["split_progress"], call["candidate_progress"]
    if call["verbose"] > 2:
        if split is not None:
            progress = f" {split[0] + 1}/{split[1]}"
        if candidate and call["verbose"] > 9:
            progress += f"; {candidate[0] + 1}/{candidate[1]}"
    parameters = call["parameters"] or {}
    params = ", ".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    if call["verbose"] > 9:
        print(f"[CV{progress}] START {params}".ljust(80, "."))
    message = params + (";" if params else "")
    if call["verbose"] > 2:
        message += _scores_message(result["test_scores"], result.get("train_scores"))
    message += f" total time={_validation.logger.short_format_time(seconds)}"
    start = f"[CV{progress}] END "
    print(start + "." * (80 - len(start) - len(message)) + message)


def _scores_message(test: Any, train: Any) -> str:
    if isinstance(test, dict):
        return "".join(
            f" {name}: ({'' if train is None else f'train={train[name]:.3f}, '}"
            f"test={test[name]:.3f})"
            for name in sorted(test)
        )
    if train is None:
        return f", score={test:.3f}"
    return f", score=(train={train:.3f}, test={test:.3f})"


__all__: Sequence[str] = ("Batch", "delayed")
