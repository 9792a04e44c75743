"""Lay tasks out so that few values are alive at once."""

from __future__ import annotations

from stratum_dask.graph import Graph


def order_for_memory(graph: Graph) -> Graph:
    """Order the tasks depth first by candidate, finishing first what frees most.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when the tasks are in that order already.
    """
    topology = graph.topology
    order, _ = topology.dag.memory_order(topology.flags(graph.wanted), [1.0] * len(topology.keys))
    if all(i == position for position, i in enumerate(order)):
        return graph
    tasks, keys = graph.tasks, topology.keys
    return graph.with_(tasks={keys[i]: tasks[keys[i]] for i in order})
