"""Letting tasks that read files make sure that they read what they were identified by."""

from __future__ import annotations

from collections.abc import Sequence

from stratum_dask.graph import Graph, GraphNode, Key, Task
from stratum_dask.ops.reading import ReadOnce


def read_once(graph: Graph, keys: Sequence[Key], node: GraphNode) -> GraphNode:
    """Let a shared task that reads files, or copies of them, look again after reading."""
    reads = graph.fingerprinter.reads
    guards = dict.fromkeys(one for key in keys for one in reads(graph.tasks[key]))
    if not guards or type(node) is not Task or isinstance(node.func, ReadOnce):
        return node
    return Task(node.key, ReadOnce(node.func, tuple(guards)), *node.args, **node.kwargs)
