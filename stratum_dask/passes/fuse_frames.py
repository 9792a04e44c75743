"""Groups of frame operations become single tasks that run as native kernels.

delay = df["arr_delay"]; filled = delay.fillna(delay.median()); log = np.log1p(filled)

getitem -> median -> fillna -> log1p      ==>      frames(getitem, median, fillna, log1p)
"""

from __future__ import annotations

from stratum_dask.graph import Graph, GraphNode, Key, Task, call_of, rewire, steps_of
from stratum_dask.ops.frames import FusedFrame, fusable
from stratum_dask.semantics import name_of


def fuse_frames(graph: Graph) -> Graph:
    """Fuse each maximal convex group of frame operations with one result.

    A value that a task outside the group needs is the result of a group of its own: it exists
    anyway, so nothing is gained by computing it twice.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when nothing fuses. Linear in tasks and references.
    """
    topology = graph.topology
    mask = bytearray(
        (call := call_of(node)) is not None
        and (name := name_of(call.func)) is not None
        and fusable(name, call.args, call.kwargs)
        for node in graph.tasks.values()
    )
    if not any(mask):
        return graph
    groups = topology.dag.fusion_groups(mask, graph.colors, topology.flags(graph.wanted))
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
    return rewire(graph, new=new, dropped=dropped, renamed=renamed)
