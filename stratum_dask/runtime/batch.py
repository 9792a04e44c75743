"""Planning and running a batch, with what others have computed already."""

from __future__ import annotations

from typing import NamedTuple

from stratum_dask.config import Options
from stratum_dask.errors import LostValuesError, SchedulerLostError
from stratum_dask.graph import Graph, Key
from stratum_dask.ops.outcomes import NoValue, Outcome, failure_of
from stratum_dask.pipeline import Observer
from stratum_dask.runtime.compute import Done, compute
from stratum_dask.runtime.site import Site

_SCHEDULERS = 10
"""How often to begin again what was lost with the scheduler."""


class Batch(NamedTuple):
    """A batch that was run.

    Attributes
    ----------
    graph : Graph
        As the pipeline left it.
    outcomes : dict of key to Outcome
        Of all that was wanted.
    """

    graph: Graph
    outcomes: dict[Key, Outcome]


def run_batch(
    before: Graph,
    chosen: Options,
    *,
    observe: Observer | None = None,
    workers: int | None = None,
    done: Done | None = None,
    timeout: float | None = None,
) -> Batch:
    """Plan a batch, and compute all that is wanted of it.

    Values that are alive on the cluster are not computed again. When one of them is lost for
    good - it came from data of a client that is gone, and so did its worker - the batch is planned
    once more without them. When the scheduler is lost and another one takes its place, the batch is
    planned again too, to read what was stored until then. What has an outcome stays as it is; where
    there is no scheduler any more, the loss is the failure of the rest.

    Parameters
    ----------
    before : Graph
        As it was written down.
    chosen : Options
    observe : callable, optional
        Told of every pass.
    workers, done, timeout
        See :func:`~stratum_dask.runtime.compute.compute`.

    Returns
    -------
    Batch

    Raises
    ------
    SchedulerLostError
        If the scheduler was lost before the batch could be planned once.
    """
    wanted = [key for output in before.outputs for key in output.keys]
    found: dict[Key, Outcome] = {}
    graph: Graph | None = None
    why: Exception

    def attempt(site: Site) -> Batch:
        nonlocal graph
        graph = site.plan(before, chosen, observe)
        left = [key for key in wanted if key not in found]

        def note(key: Key, outcome: Outcome) -> None:
            if key in asked:
                found[key] = outcome
            if done is not None:
                done(key, outcome)

        asked = frozenset(left)
        site.place(graph)
        outcomes = compute(
            graph, left, workers=workers, done=note, isolate=chosen.isolate, timeout=timeout
        )
        found.update(zip(left, outcomes, strict=True))
        return Batch(graph, {key: found[key] for key in wanted})

    live = True
    for _ in range(_SCHEDULERS):
        try:
            site = Site.outcomes()
            return attempt(site if live else site.without_live())
        except LostValuesError as error:
            live, why = False, error
        except SchedulerLostError as error:
            why = error
            if not error.replaced:
                break
    if graph is None:  # nothing was even planned
        raise why
    gone = failure_of(why, "")
    return Batch(graph, {key: found.get(key) or NoValue(None, gone, {}) for key in wanted})
