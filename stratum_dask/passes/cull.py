"""Drop the tasks that no output needs."""

from __future__ import annotations

from itertools import compress

from stratum_dask.graph import Graph


def cull(graph: Graph) -> Graph:
    """Return the graph without tasks that no output needs.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when every task is needed. Linear in tasks and references.
    """
    topology = graph.topology
    wanted = [topology.ids[key] for key in graph.wanted if key in topology.ids]
    needed = topology.dag.cull(wanted)
    if all(needed):
        return graph
    return graph.with_(tasks=dict(compress(graph.tasks.items(), needed)))
