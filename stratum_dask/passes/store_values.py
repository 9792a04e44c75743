"""Let tasks leave their values in a store, where later plans find them."""

from __future__ import annotations

from stratum_dask.families import bin_rows, learn_binned, learn_family, learn_folds, prepare_use
from stratum_dask.graph import Graph, GraphNode, Key, Task, call_of
from stratum_dask.ops.sharing import own
from stratum_dask.ops.stored import load_stored

_NEVER = (own, load_stored, bin_rows, learn_binned, learn_family, learn_folds, prepare_use)
"""Values that are there already, or that only batches with the same family could use."""


def store_values(graph: Graph) -> Graph:
    """Wrap the functions of tasks whose values other plans may ask for.

    What is worth keeping is decided at run time, when it is known what it took. Runs after frames
    were fused, whose inner values nobody sees, and before chains are packed, which keep theirs.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when values are kept nowhere. Linear in tasks and references.
    """
    if not graph.known:
        return graph
    tokens = graph.tokens
    kept: dict[Key, GraphNode] = {}
    for key, node in graph.tasks.items():
        call, token = call_of(node), tokens.get(key)
        if call is None or token is None or token in graph.local or call.func in _NEVER:
            continue
        after = [tokens[one] for one in node.dependencies if one in tokens]
        func = call.func
        for source in graph.known:
            func = source.keep(func, token, after)
        if func is not call.func:
            kept[key] = Task(key, func, *call.args, **call.kwargs)
    return graph.with_(tasks={**graph.tasks, **kept}) if kept else graph
