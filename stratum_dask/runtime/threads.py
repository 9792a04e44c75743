"""Workers x inner threads = cores: who limits BLAS and OpenMP, and when.

A limit costs milliseconds to set, and that of BLAS holds for the whole process: it is set once
per run here, and once per thread for OpenMP, which counts by thread. Never per task.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

_local = threading.local()
_lock = threading.Lock()
_runs: list[Any] = []
_original: list[Any] = []

_ALL_CORES = {"lightgbm": "n_jobs", "xgboost": "n_jobs", "catboost": "thread_count"}
"""Libraries that take all cores unless told, and the parameter that tells them."""

INVARIANT = {
    "sklearn.ExtraTreesClassifier": "n_jobs",
    "sklearn.ExtraTreesRegressor": "n_jobs",
    "sklearn.HistGradientBoostingClassifier": "openmp",
    "sklearn.HistGradientBoostingRegressor": "openmp",
    "sklearn.RandomForestClassifier": "n_jobs",
    "sklearn.RandomForestRegressor": "n_jobs",
}
"""Estimators whose fits have the same bits whatever the number of threads, by how they take it.

Each tree of a forest is grown by one thread, from its own seed; each histogram is added up by one
thread, in the order of the rows. All others keep the one thread of the plan: LightGBM, XGBoost and
what calls BLAS (linear models, PCA, k nearest neighbours by brute force) add up in blocks that
depend on the number of threads, and so does the prediction of a forest. LightGBM and XGBoost often
agree nevertheless, since sums of few numbers of like size are exact.
"""

_WORTH = 200_000
"""Numbers from which on it takes much longer to compute with them than to set a limit."""


class Threads(NamedTuple):
    """How many threads a task may use inside.

    Attributes
    ----------
    inner : int
    """

    inner: int = 1

    def limit_here(self) -> None:
        """Limit the calling thread, if it is not limited so already."""
        if getattr(_local, "inner", None) != self.inner:
            threadpool_limits(limits=self.inner)
            _local.inner = self.inner


@contextmanager
def limited(threads: Threads) -> Iterator[None]:
    """Limit this process while a batch runs; runs may overlap, the last one restores.

    Examples
    --------
    >>> with limited(Threads(1)):
    ...     pass
    """
    before = getattr(_local, "inner", None)
    with _lock:
        if not _runs:
            _original.append(threadpool_limits(limits=threads.inner))
            _local.inner = threads.inner
        _runs.append(threads)
    try:
        yield
    finally:
        _local.inner = before
        with _lock:
            _runs.remove(threads)
            if not _runs:
                _original.pop().restore_original_limits()


@contextmanager
def in_task(idle: int = 1) -> Iterator[None]:
    """Mark the calling thread as one that runs a task, beside which some cores may be idle.

    Parameters
    ----------
    idle : int
        Cores that the task may use, its own included.
    """
    before = is_in_task(), getattr(_local, "idle", 1)
    _local.task, _local.idle = True, idle
    try:
        yield
    finally:
        _local.task, _local.idle = before


@contextmanager
def idle_cores(estimator: Any, X: Any) -> Iterator[None]:
    """Let a fit use cores that are idle, if that changes none of its bits.

    Parameters
    ----------
    estimator : estimator
        About to be fitted in place, on X; its parameters are afterwards what they were.
    X : array-like

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> forest = RandomForestRegressor(3, random_state=0)
    >>> X = np.zeros((100_000, 2))
    >>> with in_task(idle=2), idle_cores(forest, X):
    ...     print(forest.n_jobs)
    2
    >>> print(forest.n_jobs)
    None
    """
    cores = cores_here(getattr(X, "size", 0))
    kind = type(estimator)
    how = INVARIANT.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
    if cores < 2 or how is None or estimator.verbose:
        yield
    elif how == "n_jobs":
        if estimator.n_jobs is not None:
            yield
            return
        estimator.n_jobs = cores
        try:
            yield
        finally:
            estimator.n_jobs = None
    else:
        # OpenMP's limit is one of the calling thread, unlike that of BLAS.
        with threadpool_limits(cores, user_api="openmp"):
            yield
        estimator._bin_mapper.n_threads = getattr(_local, "inner", 1)


def cores_here(numbers: int) -> int:
    """Return how many cores the calling thread may use for what has the same bits on any of them.

    Parameters
    ----------
    numbers : int
        How many have to be computed; for few it is not worth to start threads.

    Examples
    --------
    >>> with in_task(idle=2):
    ...     print(cores_here(100), cores_here(1_000_000))
    1 2
    """
    return getattr(_local, "idle", 1) if numbers >= _WORTH else 1


def is_in_task() -> bool:
    """Tell whether the calling thread runs a task: a batch inside it must not start threads."""
    return getattr(_local, "task", False)


def with_inner_threads(estimator: Any, threads: Threads) -> Any:
    """Set the number of threads where the user left it to a library that would take all cores.

    Parameters
    ----------
    estimator : estimator
        Changed in place; estimators inside it, too. scikit-learn's own ``n_jobs=None`` means one
        already, and what the user set is kept.
    threads : Threads

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> with_inner_threads(LinearRegression(), Threads(1))
    LinearRegression()
    """
    if not hasattr(estimator, "get_params"):
        return estimator
    try:
        params = estimator.get_params(deep=True)
    except TypeError:  # a class among its steps: what is wrong is its fit to say
        return estimator
    inside = [one for one in params.values() if _is_estimator(one)]
    for one in (estimator, *inside):
        name = _ALL_CORES.get(type(one).__module__.partition(".")[0])
        if name is not None and one.get_params(deep=False).get(name) is None:
            one.set_params(**{name: threads.inner})
    return estimator


def _is_estimator(value: Any) -> bool:
    return isinstance(value, BaseEstimator) or (
        hasattr(value, "get_params") and not isinstance(value, type)
    )
