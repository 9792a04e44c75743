"""Dask collections, high-level graphs and dicts <-> one flat graph.

The only package that touches Dask's private modules.
"""

from stratum_dask.graph.containers import leaves, rebuild
from stratum_dask.graph.emit import emit, merged_graph
from stratum_dask.graph.known import Found, Key, Known, KnownValues
from stratum_dask.graph.lower import Source, gathered, lower
from stratum_dask.graph.model import (
    ANNOTATION,
    NO_GROUP,
    Graph,
    Output,
    Topology,
    candidates_of,
    rewire,
)
from stratum_dask.graph.nodes import (
    NODE_TYPES,
    Alias,
    Call,
    DataNode,
    GraphNode,
    NodeTypes,
    Task,
    TaskRef,
    call_of,
    dependencies_at,
    is_future,
    is_reference,
    key_split,
    nested_calls,
    steps_of,
)
from stratum_dask.graph.workers import Placement, Workers

__all__ = [
    "ANNOTATION",
    "NODE_TYPES",
    "NO_GROUP",
    "Alias",
    "Call",
    "DataNode",
    "Found",
    "Graph",
    "GraphNode",
    "Key",
    "Known",
    "KnownValues",
    "NodeTypes",
    "Output",
    "Placement",
    "Source",
    "Task",
    "TaskRef",
    "Topology",
    "Workers",
    "call_of",
    "candidates_of",
    "dependencies_at",
    "emit",
    "gathered",
    "is_future",
    "is_reference",
    "key_split",
    "leaves",
    "lower",
    "merged_graph",
    "nested_calls",
    "rebuild",
    "rewire",
    "steps_of",
]
