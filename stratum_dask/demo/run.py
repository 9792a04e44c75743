"""Runs the batch plain and optimized, and compares every score, bit by bit."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
from dask.callbacks import Callback
from dask.delayed import Delayed
from dask.system import CPU_COUNT
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from stratum_dask.api import optimize
from stratum_dask.errors import StratumError
from stratum_dask.explanation import Explanation, Work
from stratum_dask.graph import Graph, lower
from stratum_dask.ops import counters
from stratum_dask.pipeline import run as run_pipeline
from stratum_dask.recording import Recorder


class ScoresDifferError(StratumError):
    """A candidate scored differently in the optimized batch than alone."""


@dataclass(frozen=True)
class Comparison:
    """What running a batch both ways showed.

    Attributes
    ----------
    plain_seconds : float
        Wall time of ``dask.compute`` on the candidates as they were written.
    planning_seconds, running_seconds : float
        Wall time of ``stratum_dask.optimize``, and of ``dask.compute`` on what it returned.
    plain_tasks, optimized_tasks : int
        Tasks that Dask ran.
    peak_bytes : int
        The most memory that the process held.
    scores : dict of str to float
        The same both ways.
    native : Counters
        Frame operations that ran natively, and those that pandas ran, with reasons.
    """

    plain_seconds: float
    planning_seconds: float
    running_seconds: float
    plain_tasks: int
    optimized_tasks: int
    peak_bytes: int
    scores: dict[str, float]
    native: counters.Counters

    @property
    def optimized_seconds(self) -> float:
        """Wall time of planning and running."""
        return self.planning_seconds + self.running_seconds

    @property
    def speedup(self) -> float:
        """How many times faster the optimized batch was, planning included."""
        return self.plain_seconds / self.optimized_seconds


def compare(candidates: Mapping[str, Delayed], console: Console) -> Comparison:
    """Run a batch optimized and plain, on the same threads.

    Parameters
    ----------
    candidates : mapping of str to Delayed
        Each computes to a score.
    console : rich.console.Console
        Where the progress bars go.

    Raises
    ------
    ScoresDifferError
        If the bits of a score differ.
    """
    counters.reset()
    with _threads():
        began = time.perf_counter()
        optimized = optimize(dict(candidates))
        planning = time.perf_counter() - began
        running, optimized_tasks, ours = _compute(optimized, "optimized", console)
        native = counters.snapshot()
        plain, plain_tasks, theirs = _compute(candidates, "plain Dask", console)
    check_equal(theirs, ours)
    return Comparison(
        plain_seconds=plain,
        planning_seconds=planning,
        running_seconds=running,
        plain_tasks=plain_tasks,
        optimized_tasks=optimized_tasks,
        peak_bytes=_peak_bytes(),
        scores={name: float(score) for name, score in ours.items()},
        native=native,
    )


def check_equal(plain: Mapping[str, Any], optimized: Mapping[str, Any]) -> None:
    """Compare scores bit by bit.

    Raises
    ------
    ScoresDifferError
        Naming the candidates.

    Examples
    --------
    >>> check_equal({"a": 0.1}, {"a": 0.1})
    >>> check_equal({"a": 0.3}, {"a": 0.1 + 0.2})
    Traceback (most recent call last):
    stratum_dask.demo.run.ScoresDifferError: 1 of 1 scores differ: a is 0.3 plain, ...
    """
    different = [
        f"{name} is {float(score)!r} plain, {float(optimized[name])!r} optimized"
        for name, score in plain.items()
        if np.float64(score).tobytes() != np.float64(optimized[name]).tobytes()
    ]
    if different:
        raise ScoresDifferError(
            f"{len(different)} of {len(plain)} scores differ: {'; '.join(different)}. "
            "This is a bug of stratum_dask, please report it"
        )


def plan(candidates: Mapping[str, Delayed]) -> tuple[Explanation, Graph]:
    """Return what the optimizer decides about a batch, and the graph that results."""
    graph, _ = lower(dict(candidates), None)
    recorder = Recorder()
    optimized = run_pipeline(graph, observe=recorder)
    work = Work.estimated(graph, optimized)
    return recorder.explain(graph, optimized, work, counters.Counters()), optimized


@contextmanager
def _threads() -> Iterator[None]:
    """Run tasks on one thread per core, each with one BLAS and OpenMP thread.

    Their number changes bits and costs time, so it is the same for both sides. OpenMP keeps it
    per thread, hence the initializer.
    """
    with (
        threadpool_limits(limits=1),
        ThreadPoolExecutor(CPU_COUNT, initializer=threadpool_limits, initargs=(1,)) as pool,
        dask.config.set(scheduler="threads", pool=pool),
    ):
        yield


def _compute(
    candidates: Mapping[str, Delayed], title: str, console: Console
) -> tuple[float, int, dict[str, Any]]:
    """Compute a batch under a progress bar; return seconds, tasks and results."""
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, _Bar(progress, title) as bar:
        began = time.perf_counter()
        results = dask.compute(*candidates.values())
        seconds = time.perf_counter() - began
    return seconds, bar.tasks, dict(zip(candidates, results, strict=True))


class _Bar(Callback):  # type: ignore[misc]  # dask is not typed
    """Advances a progress bar with every task that Dask finishes."""

    def __init__(self, progress: Progress, title: str) -> None:
        super().__init__()
        self.tasks = 0
        self._progress = progress
        self._bar = progress.add_task(title, total=None)

    def _start(self, dsk: Mapping[Any, Any]) -> None:
        self.tasks = len(dsk)
        self._progress.update(self._bar, total=self.tasks)

    def _posttask(self, *_: Any) -> None:
        self._progress.advance(self._bar)


def _peak_bytes() -> int:
    """Return the process's largest resident set so far; 0 where it is not known."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def warm_up(candidates: Iterable[Delayed]) -> None:
    """Run candidates once for what happens only once: imports, and threads that start."""
    with _threads():
        dask.compute(*candidates)
