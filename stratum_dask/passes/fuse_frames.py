"""Groups of frame operations become single tasks that run as native kernels.

delay = df["arr_delay"]; filled = delay.fillna(delay.median()); log = np.log1p(filled)

getitem -> median -> fillna -> log1p      ==>      frames(getitem, median, fillna, log1p)
"""

from __future__ import annotations

from stratum_dask.graph import DataNode, Graph, GraphNode, Key, Task, rewire, steps_of
from stratum_dask.ops.frames import FUSABLE, FusedFrame, fusable
from stratum_dask.semantics import name_of


def fuse_frames(graph: Graph) -> Graph:
    """Fuse each maximal convex group of frame operations with one result.

    A value that a task outside the group needs is the result of a group of its own: it exists
    anyway, so nothing is gained by computing it twice. A group beside which nothing can run
    gets all cores.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when nothing fuses. Linear in tasks and references.
    """
    chosen = [
        node.key
        for func, nodes in graph.calls
        if (name := name_of(func)) in FUSABLE
        for node in nodes
        if fusable(name, node.args, node.kwargs)
    ]
    if not chosen:
        return graph
    topology = graph.topology
    visible = topology.flags(graph.visible)
    groups = topology.dag.fusion_groups(topology.flags(chosen), graph.colors, visible)
    if not groups:
        return graph
    new: dict[Key, GraphNode] = {}
    renamed: dict[Key, Key] = {}
    dropped: list[Key] = []
    for members in groups:
        keys = [topology.keys[i] for i in members]
        steps, inputs = steps_of([graph.tasks[key] for key in keys], name_of)
        fused = graph.invent("frames", graph.tokens[keys[-1]].hex())
        new[fused] = Task(fused, FusedFrame(steps, len(inputs)), *inputs)
        renamed[keys[-1]] = fused
        dropped.extend(keys)
    return _use_idle_cores(rewire(graph, new=new, dropped=dropped, renamed=renamed))


def _use_idle_cores(graph: Graph) -> Graph:
    """Let kernels use all cores in the tasks beside which no other can run."""
    topology = graph.topology
    free = bytearray(isinstance(node, DataNode) for node in graph.tasks.values())
    alone = {topology.keys[i] for i in topology.dag.bottlenecks(free)}
    for func, nodes in graph.calls:
        if isinstance(func, FusedFrame) and nodes[0].key in alone:
            func.threads = None
    return graph
