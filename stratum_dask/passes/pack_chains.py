"""Chains of tasks that only feed each other become one Dask task.

Dask pays about 0.1 ms per task on threads and milliseconds on a cluster, whatever the task does.
"""

from __future__ import annotations

from stratum_dask.graph import Graph, GraphNode, Key, Task, rewire, steps_of
from stratum_dask.ops.packed import Packed
from stratum_dask.semantics import name_of


def pack_chains(graph: Graph) -> Graph:
    """Pack each maximal chain of single-consumer tasks.

    A task joins its only consumer if it is that consumer's only such predecessor: branches that
    could run side by side stay tasks of their own.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when there is no chain. Linear in tasks and references.
    """
    topology = graph.topology
    mask = bytearray(type(node) is Task for node in graph.tasks.values())
    chains = topology.dag.chains(mask, graph.colors, topology.flags(graph.wanted))
    if not chains:
        return graph
    new: dict[Key, GraphNode] = {}
    renamed: dict[Key, Key] = {}
    dropped: list[Key] = []
    for members in chains:
        keys = [topology.keys[i] for i in members]
        steps, inputs = steps_of([graph.tasks[key] for key in keys], name_of)
        packed = graph.invent("chain", graph.tokens[keys[-1]].hex())
        new[packed] = Task(packed, Packed(steps, len(inputs)), *inputs)
        renamed[keys[-1]] = packed
        dropped.extend(keys)
    return rewire(graph, new=new, dropped=dropped, renamed=renamed)
