"""Single calls that may have a native form of their own try it when they run.

fit_transform(estimator, frame)      ==>      Native(fit_transform)(estimator, frame)
median(column)                       ==>      Alone(median)(column)
read_csv(path)                       ==>      ReadCsv(read_csv)(path)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stratum_dask.graph import Graph, GraphNode, Key, Task
from stratum_dask.ops.csv import ReadCsv
from stratum_dask.ops.direct import DIRECT_OPS, ESTIMATOR_OPS, Native
from stratum_dask.ops.frames import ALONE, Alone
from stratum_dask.ops.reading import ReadOnce
from stratum_dask.ops.sharing import Protected
from stratum_dask.semantics import name_of

#: Reading an attribute costs nothing; its native form only keeps a fused task together.
_NATIVE = (DIRECT_OPS | ESTIMATOR_OPS) - {"getattr"}


def select_native(graph: Graph) -> Graph:
    """Wrap the functions of tasks that no fused task took.

    Which form runs is decided by the real arguments. A function that edits its arguments gets its
    own copies as before: the native form edits these.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when no task has a native form. Linear in tasks.
    """
    chosen: dict[Key, GraphNode] = {}
    for func, nodes in graph.calls:
        native = _native(func)
        if native is not None:
            for node in nodes:
                chosen[node.key] = Task(node.key, native, *node.args, **node.kwargs)
    return graph.with_(tasks={**graph.tasks, **chosen}) if chosen else graph


def _native(func: Callable[..., Any]) -> Callable[..., Any] | None:
    if type(func) is Protected:
        inner = _native(func.func)
        return None if inner is None else Protected(inner, func.positions, func.result, func.deep)
    if type(func) is ReadOnce:
        inner = _native(func.func)
        return None if inner is None else ReadOnce(inner, func.guards)
    name = name_of(func)
    if name == "pandas.read_csv":
        return ReadCsv(name, func)
    if name in ALONE:
        return Alone(name, func)
    return Native(name, func) if name in _NATIVE else None
