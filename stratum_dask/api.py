"""The functions that users call."""

from __future__ import annotations

import gc
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from dask.highlevelgraph import HighLevelGraph

from stratum_dask.config import options
from stratum_dask.explanation import Explanation, Work
from stratum_dask.graph import Workers, emit, lower, merged_graph, rebuild
from stratum_dask.ops.counters import Counters
from stratum_dask.ops.direct import ESTIMATOR_OPS
from stratum_dask.pipeline import run
from stratum_dask.recording import Recorder
from stratum_dask.runtime.counting import counters
from stratum_dask.runtime.site import Site

T = TypeVar("T")


def optimize(
    graphs: T,
    *,
    numerics: str | None = None,
    disable: Iterable[str] | None = None,
    keys: Iterable[Hashable] | None = None,
) -> T:
    """Merge, fuse and pack a batch of graphs; give back the same collections.

    Parameters
    ----------
    graphs : collection, HighLevelGraph, dict, or nested list, tuple or dict of these
        The candidates: Delayed, dask DataFrame, Array or Bag, high-level graphs, or plain dicts
        of tasks (legacy tuples included). Not modified.
    numerics : {"exact", "close"}, optional
        Default ``stratum.numerics``. With "exact" every result has the bits that its candidate
        alone would have got.
    disable : iterable of str, optional
        Names of passes to leave out; default ``stratum.disable``.
    keys : iterable of keys, optional
        For high-level graphs and dicts: what is wanted of them. The default is every key on
        which no other depends.

    Returns
    -------
    same as `graphs`
        Equivalent collections with their own keys. Each alone carries only the tasks that it
        needs; computed together, shared tasks run once.

    Raises
    ------
    NotAGraphError, CycleError, MissingKeyError, KeyCollisionError, ConfigError
        See :mod:`stratum_dask.errors`.

    Notes
    -----
    Time is linear in tasks and references. Exceptions of the users' functions are raised when
    the results are computed.

    Examples
    --------
    >>> import dask, stratum_dask as sd
    >>> @dask.delayed
    ... def load(n):
    ...     return list(range(n))
    >>> batch = [dask.delayed(sum)(load(4)), dask.delayed(max)(load(4))]
    >>> dask.compute(*sd.optimize(batch))
    (6, 3)
    """
    chosen = options(numerics, disable)
    with _no_garbage_collection():
        graph, sources = lower(graphs, keys)
        site = Site.plain()
        optimized = site.plan(graph, chosen)
        site.announce(optimized)
        site.place(optimized)
        result: T = rebuild(graphs, iter(emit(optimized, sources)))
    return result


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Pause the cyclic collector: what a plan allocates lives on, scanned in vain."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # To the oldest generation at once, or the next allocation would scan it all.
            gc.freeze()
            gc.unfreeze()
        gc.enable()


def explain(
    graphs: Any,
    *,
    numerics: str | None = None,
    disable: Iterable[str] | None = None,
    keys: Iterable[Hashable] | None = None,
    schedule: bool = False,
    workers: int | None = None,
) -> Explanation:
    """Say what :func:`optimize` would do with a batch, and why it keeps tasks apart.

    The other parameters are those of :func:`optimize`; nothing is computed.

    Parameters
    ----------
    schedule : bool
        Also simulate how the batch would run: makespan, floor, longest chain, idle time, memory
        and bytes moved as text, and a Gantt picture in HTML.
    workers : int, optional
        On how many workers, with one thread and a machine each. The default are those of the
        current cluster, or else this process with a thread per core. Implies `schedule`.

    Returns
    -------
    Explanation
        ``str()`` gives text, ``.to_frame()`` one row per pass, and notebooks show HTML. Beside the
        operations that may run natively it tells how often each has, and has not and why, since
        this process and its workers were started.

    Examples
    --------
    >>> import dask, stratum_dask as sd
    >>> batch = [dask.delayed(len)("abc") for _ in range(3)]
    >>> sd.explain(batch).tasks_before
    3
    >>> sd.explain(batch, workers=2).forecast.schedule.moved
    0.0
    """
    chosen = options(numerics, disable)
    alike = None if workers is None else Workers.alike(workers)
    graph, _ = lower(graphs, keys)
    site = replace(Site.plain().without_live(), chosen=alike)
    recorder = Recorder()
    optimized = site.plan(graph, chosen, recorder)
    work = Work.estimated(graph, optimized)
    explained = recorder.explain(graph, optimized, work, Counters())
    # Parts of estimators are counted under their own names.
    names = explained.native.keys()
    told = names | ESTIMATOR_OPS if names & ESTIMATOR_OPS else names
    explained = replace(explained, calls=counters().of(told))
    return explained.scheduled() if schedule or alike is not None else explained


def delayed_optimize(dsk: Mapping[Hashable, Any], keys: Any, **kwargs: Any) -> HighLevelGraph:
    """Optimize every plain ``dask.compute`` of Delayed objects.

    Made for Dask's configuration; on a cluster Dask runs it on the scheduler, where files of the
    client may not exist: what cannot be read there is not merged.

    Parameters
    ----------
    dsk : HighLevelGraph or dict
    keys : key or nested list of keys
        What is computed.

    Examples
    --------
    >>> import dask, stratum_dask as sd
    >>> with dask.config.set(delayed_optimize=sd.delayed_optimize):
    ...     dask.delayed(len)("abc").compute()
    3
    """
    chosen = options()
    batch, _ = lower(dsk if isinstance(dsk, HighLevelGraph) else dict(dsk), _flat(keys))
    optimized = run(batch, numerics=chosen.numerics, disable=chosen.disable, check=chosen.verify)
    return merged_graph(optimized)


def _flat(keys: Any) -> list[Hashable]:
    if isinstance(keys, list | set):
        return [key for item in keys for key in _flat(item)]
    return [keys]
