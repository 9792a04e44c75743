"""Planning and running a batch, with what others have computed already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stratum_dask.config import Options
from stratum_dask.errors import LostValuesError
from stratum_dask.graph import Graph, Key, KnownValues
from stratum_dask.ops.outcomes import Outcome, Surroundings
from stratum_dask.pipeline import Observer, run
from stratum_dask.runtime.compute import Done, compute
from stratum_dask.runtime.threads import Threads
from stratum_dask.scheduler.client import current_workers, live_values, place
from stratum_dask.store.known import stored_values


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
    good - it came from data of a client that is gone, and so did its worker - all is planned and
    run once more without them.

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
    """

    def attempt(known: Sequence[KnownValues]) -> Batch:
        graph = run(
            before.with_(workers=current_workers),
            numerics=chosen.numerics,
            disable=chosen.disable,
            check=chosen.verify,
            observe=observe,
            known=tuple(known),
        )
        wanted = [key for output in graph.outputs for key in output.keys]
        place(graph)
        outcomes = compute(
            graph, wanted, workers=workers, done=done, isolate=chosen.isolate, timeout=timeout
        )
        return Batch(graph, dict(zip(wanted, outcomes, strict=True)))

    stored = stored_values(threads=1)
    try:
        return attempt((*live_values(Surroundings.here(Threads(1)).name), *stored))
    except LostValuesError:
        return attempt(stored)
