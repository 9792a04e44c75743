"""Cross-validate a batch of candidates, with all that they share done once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from numbers import Complex, Real
from typing import Any, NamedTuple

import numpy as np
from dask.system import CPU_COUNT
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from stratum_dask.config import options
from stratum_dask.errors import ConfigError
from stratum_dask.explanation import Work
from stratum_dask.frontends.builder import Builder
from stratum_dask.frontends.candidates import Candidate, expand, on_folds
from stratum_dask.frontends.folds import Data, Fold, FoldTasks, fold_tasks
from stratum_dask.frontends.inputs import read_inputs
from stratum_dask.graph import Key
from stratum_dask.ops.counters import total
from stratum_dask.ops.outcomes import Failure, NoValue, Outcome, failure_of, seconds_of
from stratum_dask.recording import Recorder
from stratum_dask.results import CandidateResult, Results
from stratum_dask.runtime.batch import run_batch
from stratum_dask.runtime.progress import Progress


def evaluate(
    candidates: Any,
    X: Any,
    y: Any = None,
    cv: Any = 5,
    scoring: Any = None,
    groups: Any = None,
    *,
    fit_params: Mapping[str, Any] | None = None,
    numerics: str | None = None,
    seed: int | None = None,
    isolate: str | None = None,
    timeout: float | None = None,
    return_estimator: bool = False,
    on_error: str = "keep",
    progress: bool | None = None,
) -> Results:
    """Cross-validate many candidates as one batch; every score is what it would be alone.

    Parameters
    ----------
    candidates : estimator, callable, tuple, or a dict, list or iterable of these
        A callable returns an estimator. A tuple is an estimator, or such a callable, and the
        search space to try with it: a dict of lists or a list of such dicts, or, with the number
        of draws as a third item, a dict of distributions.
    X : array, DataFrame, sparse matrix, list, dask collection, or path
        A path or URL of a CSV, Parquet or Feather file, which tasks read as pandas does. What is
        a dask collection is computed by tasks of the batch, once for all candidates.
    y : array, Series, dask collection, or str, optional
        A str is the name of a column of X, which then is no part of X any more.
    cv : int, splitter, or iterable of pairs of arrays of row numbers
        As scikit-learn takes it: an int means stratified folds for classifiers. All candidates
        are evaluated on the same folds.
    scoring : str, callable, list, tuple or dict, optional
        As scikit-learn takes it; the default is each estimator's own ``score``.
    groups : array, Series, dask collection, or str, optional
        For the splitter; a str as for `y`.
    fit_params : mapping, optional
        Further arguments of ``fit``, such as ``sample_weight``, or ``step__sample_weight`` for
        pipelines; what has one entry per row is split with the rows. With scikit-learn's metadata
        routing they go to the fits and scorers that request them.
    numerics : {"exact", "close"}, optional
        Default ``stratum.numerics``.
    seed : int, optional
        Gives every part of a candidate that draws randomness and has no ``random_state`` one
        that follows from this, so that it can be shared and repeated.
    isolate : {"thread", "process"}, optional
        Where tasks run if there is no cluster; default ``stratum.isolate``, "thread". Processes
        contain what ends a process or never ends. They are kept for the next call.
    timeout : float, optional
        Seconds that a candidate may take on one fold, shared work included. Needs processes, and
        turns them on. A candidate that is ended on one fold is not tried on others.
    return_estimator : bool
        Keep the estimators fitted on the folds.
    on_error : {"keep", "raise"}
        Keep a failure as its candidate's outcome, or end the batch and raise the first.
    progress : bool, optional
        Whether to show a bar; by default in terminals and notebooks.

    Returns
    -------
    Results

    Raises
    ------
    ConfigError
        If an argument has a value that is not allowed.

    Notes
    -----
    Runs on the workers of the current ``distributed.Client`` if there is one, else on threads of
    this process, one per core, with one BLAS and OpenMP thread each. On threads a candidate that
    ends its process (a crash in native code, a lack of memory) or never ends takes the batch with
    it; ``isolate="process"`` contains it. In scripts this needs ``if __name__ == "__main__":``,
    since the processes import the main module.

    Python's filters for warnings belong to the whole process, unless it is built without a global
    lock or started with ``-X context_aware_warnings=1 -X thread_inherit_context=1`` (from Python
    3.14 on): while tasks on several threads change them in turns, a warning can get lost or be seen
    twice. One thread (``dask.config.set(num_workers=1)``) keeps them as they are.

    Examples
    --------
    >>> import stratum_dask as sd
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso, Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> results = sd.evaluate({"lasso": Lasso(), "ridge": (Ridge(), {"alpha": [0.1, 1]})}, X, y)
    >>> results.best
    'ridge: alpha=0.1'
    >>> results.frame["mean"].round(3).tolist()
    [0.338, 0.48, 0.41]
    """
    began = time.perf_counter()
    if on_error not in ("keep", "raise"):
        raise ConfigError(f"on_error is {on_error!r}; choose 'keep' or 'raise'")
    if timeout is not None and not (isinstance(timeout, Real) and timeout > 0):
        raise ConfigError(f"timeout is {timeout!r}; give seconds, more than 0")
    chosen = options(numerics, isolate="process" if timeout is not None else isolate)
    if isinstance(scoring, str):
        get_scorer(scoring)  # a name that is none is no candidate's fault
    builder = Builder()
    given = read_inputs(builder, X, y, groups, cv)
    splits = _Splits(cv, given.seen_X, given.seen_y, given.groups)
    if splits.number == 0:
        raise ConfigError("cv gives no folds; pass at least one pair of row numbers")
    data = Data(builder, given.X, given.y, given.seen_X)
    plans = [
        _plan(data, one, splits, scoring, fit_params, seed, return_estimator)
        for one in expand(candidates, seed)
    ]
    if on_error == "raise":
        for plan in plans:
            if plan.failure is not None:
                plan.failure.reraise()
    recorder = Recorder()
    before = data.builder.graph()
    with Progress({plan.name: [t.test.key for t in plan.tasks] for plan in plans}, progress) as bar:

        def done(key: Key, outcome: Outcome) -> None:
            bar(key, outcome)
            if on_error == "raise" and outcome.failure is not None:
                outcome.failure.reraise()

        graph, found = run_batch(before, chosen, observe=recorder, done=done, timeout=timeout)
    outcomes = list(found.values())
    scorers = _names(plans, found)
    calls = total({task: c for one in outcomes for task, c in one.calls.items()}.values())
    each = tuple(_result(plan, found, scorers, splits.number) for plan in plans)
    written, unique = sum(one.seconds for one in each), seconds_of(outcomes)
    return Results(
        candidates=each,
        scorers=scorers,
        n_folds=splits.number,
        seconds=time.perf_counter() - began,
        explanation=recorder.explain(before, graph, Work(written, unique, CPU_COUNT), calls),
    )


class _Splits:
    """The folds, drawn once for all candidates: one set for classifiers, one for others."""

    def __init__(self, cv: Any, X: Any, y: Any, groups: Any) -> None:
        self._data = X, y, groups
        # An iterator can be read only once, and a splitter without a seed splits anew each time.
        self._cv = cv if cv is None or isinstance(cv, int | np.integer) else check_cv(cv, y)
        self._found: dict[bool, list[tuple[Any, Any]]] = {}
        self.number: int = check_cv(self._cv, y).get_n_splits(X, y, groups)

    def kind(self, estimator: Any) -> bool:
        """Tell whether an estimator's folds are those of classifiers."""
        by_kind = self._cv is None or isinstance(self._cv, int | np.integer)
        return by_kind and bool(is_classifier(estimator))

    def of(self, kind: bool) -> list[tuple[Any, Any]]:
        """Return the folds of classifiers, or of others."""
        if kind not in self._found:
            X, y, groups = self._data
            self._found[kind] = list(check_cv(self._cv, y, classifier=kind).split(X, y, groups))
        return self._found[kind]


class _Plan(NamedTuple):
    """A candidate's name and tasks, or why there are none."""

    name: Any
    tasks: list[FoldTasks]
    failure: Failure | None


def _plan(
    data: Data,
    candidate: Candidate,
    splits: _Splits,
    scoring: Any,
    fit_params: Mapping[str, Any] | None,
    seed: int | None,
    return_estimator: bool,
) -> _Plan:
    if candidate.failure is not None:
        return _Plan(candidate.name, [], candidate.failure)
    estimator = candidate.estimator
    try:
        kind = splits.kind(estimator)
    except Exception as error:  # it is no estimator to scikit-learn
        return _Plan(candidate.name, [], failure_of(error, f"plan {candidate.name}"))
    folds = splits.of(kind)  # which do not fail by a candidate's fault
    try:
        each = on_folds(estimator, len(folds), seed)
        scorer = check_scoring(estimator, scoring)
        fits, scores = _routed(estimator, scorer, fit_params)
        tasks = [
            fold_tasks(
                data,
                Fold(fitted, train, test, scorer, fits, scores, keep_estimator=return_estimator),
            )
            for fitted, (train, test) in zip(each, folds, strict=True)
        ]
    except Exception as error:
        return _Plan(candidate.name, [], failure_of(error, f"plan {candidate.name}"))
    for one in tasks:
        data.builder.want(candidate.name, [ref for ref in one if ref is not None])
    return _Plan(candidate.name, tasks, None)


def _routed(
    estimator: Any, scorer: Any, params: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Return what the fit and what the scorer is given, as scikit-learn's configuration says."""
    if not params or not get_config()["enable_metadata_routing"]:
        return params, None
    router = MetadataRouter(owner="evaluate")
    router.add(estimator=estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    router.add(scorer=scorer, method_mapping=MethodMapping().add(caller="fit", callee="score"))
    routed = process_routing(router, "fit", **params)
    return routed.estimator.fit, routed.scorer.score


def _names(plans: Iterable[_Plan], found: Mapping[Key, Outcome]) -> tuple[str, ...]:
    """Return the names of the scorers, as the scores tell; each candidate's own may be others."""
    names: dict[str, None] = {}
    for plan in plans:
        for tasks in plan.tasks:
            outcome = found[tasks.test.key]
            if outcome.failure is None:
                names.update(dict.fromkeys(_by_name(outcome)))
    return tuple(names) or ("score",)


def _result(
    plan: _Plan, found: Mapping[Key, Outcome], scorers: tuple[str, ...], folds: int
) -> CandidateResult:
    if plan.failure is not None:
        nothing = {name: [np.nan] * folds for name in scorers}
        return CandidateResult(plan.name, nothing, 0.0, [plan.failure] * folds, [])
    outcomes = [_real(found[tasks.test.key]) for tasks in plan.tasks]
    kept = [found[t.estimator.key] for t in plan.tasks if t.estimator is not None]
    return CandidateResult(
        plan.name,
        {name: [_score(one, name) for one in outcomes] for name in scorers},
        seconds_of([*outcomes, *kept]),
        [one.failure for one in outcomes],
        [one.value for one in kept],
    )


def _score(outcome: Outcome, scorer: str) -> float:
    if outcome.failure is not None:
        return float("nan")
    return float(_by_name(outcome).get(scorer, np.nan))


def _by_name(outcome: Outcome) -> dict[str, Any]:
    scores = outcome.value.scores
    return scores if isinstance(scores, dict) else {"score": scores}


def _real(outcome: Outcome) -> Outcome:
    """Return an outcome that is a failure if a score is a number that cannot be compared."""
    if outcome.failure is None:
        for name, value in _by_name(outcome).items():
            if isinstance(value, Complex) and not isinstance(value, Real):
                error = TypeError(f"scorer {name!r} returned {value!r}, which is no real number")
                return NoValue(None, failure_of(error, "score"), outcome.spent)
    return outcome
