"""Planning and running a batch, with what others have computed already."""

from __future__ import annotations

from typing import NamedTuple

from stratum_dask.config import Options
from stratum_dask.errors import LostValuesError
from stratum_dask.graph import Graph, Key
from stratum_dask.ops.outcomes import Outcome
from stratum_dask.pipeline import Observer
from stratum_dask.runtime.compute import Done, compute
from stratum_dask.runtime.site import Site


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

    def attempt(site: Site) -> Batch:
        graph = site.plan(before, chosen, observe)
        wanted = [key for output in graph.outputs for key in output.keys]
        site.place(graph)
        outcomes = compute(
            graph, wanted, workers=workers, done=done, isolate=chosen.isolate, timeout=timeout
        )
        return Batch(graph, dict(zip(wanted, outcomes, strict=True)))

    site = Site.outcomes()
    try:
        return attempt(site)
    except LostValuesError:
        return attempt(site.without_live())
