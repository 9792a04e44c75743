"""Preprocessing that one kernel can do stays one call, unless others share its parts.

X -> columns -> fit_transform --+-> unite -> ...      ==>      X -> fit_transform -> ...
  -> columns -> fit_transform --+
"""

from __future__ import annotations

from collections.abc import Callable

from stratum_dask.graph import Graph, GraphNode, Key, Task, TaskRef, rewire
from stratum_dask.ops import fitting
from stratum_dask.ops.unions import columns, unite
from stratum_dask.passes.cull import cull

#: What fits parts apart, and nothing else.
_OF_PARTS: tuple[Callable[..., object], ...] = (
    *(columns, unite, fitting.assemble, fitting.fit_transform),
    *(fitting.fitted_of, fitting.transformed_of),
)


def keep_whole(graph: Graph) -> Graph:
    """Fit a transformer as a whole if it runs natively and nobody else uses its parts.

    Taken apart, every part but the first of a pipeline gets an array, and the results are put side
    by side: several passes over the rows where the kernel of the whole needs one. Parts that others
    use are done once: of a few thousand rows, that saves more.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when nothing is put together. Linear in tasks and references.
    """
    united = [node for func, nodes in graph.calls if func is unite for node in nodes]
    if not united:
        return graph
    # Imported here: whoever has such a task has paid for importing scikit-learn.
    from stratum_dask.ops.direct.preprocessing import is_native

    new: dict[Key, GraphNode] = {}
    renamed: dict[Key, Key] = {}
    for node in united:
        template, X, y = node.args[:3]
        data = {ref.key for ref in (X, y) if isinstance(ref, TaskRef)}
        if is_native(template) and _alone(graph, node, data):
            kind = f"fit_transform-{type(template).__name__}"
            whole = graph.invent(kind, graph.tokens[node.key].hex())
            new[whole] = Task(whole, fitting.fit_transform, template, X, y)
            renamed[node.key] = whole
    if not new:
        return graph
    merged = {renamed.get(key, key): names for key, names in graph.merged.items()}
    return cull(rewire(graph, new=new, dropped=renamed, renamed=renamed, merged=merged))


def _alone(graph: Graph, united: Task, data: set[Key]) -> bool:
    """Tell whether nobody else uses what is fitted between the data and a task."""
    topology = graph.topology
    fitted: set[Key] = {united.key}
    todo = [key for key in united.dependencies if key not in data]
    while todo:
        key = todo.pop()
        node = graph.tasks.get(key)
        if (
            node is None
            or type(node) is not Task
            or node.func not in _OF_PARTS
            or key in graph.visible
        ):
            return False
        # Picking columns costs nothing by itself.
        if node.func is not columns and key not in fitted:
            fitted.add(key)
            todo += [other for other in node.dependencies if other not in data]
    return all(
        topology.keys[user] in fitted
        for key in fitted - {united.key}
        for user in topology.consumers[topology.ids[key]]
    )
