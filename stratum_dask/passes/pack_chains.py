"""Chains of tasks that only feed each other become one Dask task.

Dask pays about 0.1 ms per task on threads and milliseconds on a cluster, whatever the task does.
"""

from __future__ import annotations

from collections.abc import Sequence

from stratum_dask.graph import Graph, GraphNode, Key, Task, rewire, steps_of
from stratum_dask.ops.packed import Packed
from stratum_dask.semantics import name_of


def pack_chains(graph: Graph) -> Graph:
    """Pack each maximal chain of tasks that only feed each other, and each partition's tasks.

    A task joins a chain that holds all its consumers if it is the only such predecessor: branches
    that could run side by side stay tasks of their own. Those of one partition of a dask DataFrame
    don't: partitions run side by side.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when there is nothing to pack. Linear in tasks and references.
    """
    topology = graph.topology
    tasks, wanted = graph.tasks, topology.flags(graph.visible)
    if graph.partitionwise:
        mask = bytearray(
            type(node) is Task and key in graph.partitionwise for key, node in tasks.items()
        )
        graph = _pack(graph, topology.dag.fusion_groups(mask, graph.colors, wanted))
        topology, wanted = graph.topology, graph.topology.flags(graph.visible)
    mask = bytearray(type(node) is Task for node in graph.tasks.values())
    return _pack(graph, topology.dag.chains(mask, graph.colors, wanted))


def _pack(graph: Graph, groups: Sequence[Sequence[int]]) -> Graph:
    """Make each group one task; its last member's value is the only one seen outside."""
    if not groups:
        return graph
    topology = graph.topology
    new: dict[Key, GraphNode] = {}
    renamed: dict[Key, Key] = {}
    dropped: list[Key] = []
    for members in groups:
        keys = [topology.keys[i] for i in members]
        steps, inputs = steps_of([graph.tasks[key] for key in keys], name_of)
        packed = graph.invent("chain", graph.tokens[keys[-1]].hex())
        new[packed] = Task(packed, Packed(steps, len(inputs)), *inputs)
        renamed[keys[-1]] = packed
        dropped.extend(keys)
    return rewire(graph, new=new, dropped=dropped, renamed=renamed)
