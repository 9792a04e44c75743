"""Give tasks to workers, so that big values stay where their users are."""

from __future__ import annotations

from stratum_dask.forecast import Expected
from stratum_dask.graph import Graph

_FEW = 8
"""Tasks that no placement helps."""
_MEASURED = 0.5
"""Guesses are not worth placing by: this share of the work must have been measured before."""
_WORTH = 0.02
"""Values must take this share of the least possible time to move, to be worth placing."""
_WORTH_ORDERING = 0.05
"""The longest chain must take this share of it, or no order is much better than another."""
_RESTRICTIONS = ("workers", "resources")


def place_on_workers(graph: Graph) -> Graph:
    """Name a worker for each task, and an order, if that is expected to move less or be sooner.

    Several placements, the longest remaining chain first without a placement, and Dask's own way
    are simulated with what tasks and values of their kind have taken before; see
    :meth:`stratum_dask._native.Cluster.place`. The scheduler's plugin is told; tasks run elsewhere
    if their worker is gone, or the plan is late.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object without a cluster whose scheduler has the plugin, where tasks are restricted
        by the user, where costs are not known, where moving values takes next to no time and no
        chain is long, and where Dask does no worse by itself.
    """
    if len(graph.tasks) < _FEW or any(
        name in notes for notes in graph.annotations.values() for name in _RESTRICTIONS
    ):
        return graph
    workers = graph.workers()
    if workers is None:
        return graph
    expected = Expected.of(graph)
    if expected.known < _MEASURED:
        return graph
    floor = expected.floor(workers)
    chain = sum(expected.seconds[i] for i in expected.chain)
    moving = expected.moving_all(workers) if len(workers.names) > 1 else 0.0
    if moving < _WORTH * floor and chain < _WORTH_ORDERING * floor:
        return graph
    found = expected.place(workers)
    if found.is_stock:
        return graph
    return graph.with_(placement=found.placement(expected.outline.keys))
