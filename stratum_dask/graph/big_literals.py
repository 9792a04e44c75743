"""Big literals inside tasks become data nodes: hashed once, sent once."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pandas as pd
from dask._task_spec import Alias, DataNode, Dict, GraphNode, List, Task, TaskRef, Tuple
from scipy.sparse import issparse

from stratum_dask.graph.known import Key

BIG_LITERAL = 32 * 1024
"""Literals of at least this many bytes become data nodes of their own."""

_SMALL = frozenset(
    {int, float, bool, complex, type(None), TaskRef, Alias, List, Dict, Task, slice, type}
)
_CONTAINERS: dict[type, Any] = {list: List, tuple: Tuple, dict: Dict}


class BigLiterals:
    """Moves the big literals of tasks into data nodes, one per object.

    Parameters
    ----------
    nodes : dict of key to GraphNode
        Where the data nodes go.
    """

    def __init__(self, nodes: dict[Key, GraphNode]) -> None:
        self.nodes = nodes
        self.references: dict[int, TaskRef] = {}

    def hoist(self, task: Task) -> Task:
        """Return a task that refers to its big literals."""
        for a in (*task.args, *task.kwargs.values()) if task.kwargs else task.args:
            if type(a) not in _SMALL and _is_big(a):
                break
        else:
            return task
        args = [self._literal(a) for a in task.args]
        kwargs = {name: self._literal(a) for name, a in task.kwargs.items()}
        return Task(task.key, task.func, *args, **kwargs)

    def _literal(self, value: Any) -> Any:
        if not _is_big(value):
            return value
        if type(value) in _CONTAINERS and _nbytes(value) < BIG_LITERAL:
            if type(value) is dict:
                return Dict({key: self._literal(item) for key, item in value.items()})
            return _CONTAINERS[type(value)](*map(self._literal, value))
        ref = self.references.get(id(value))
        if ref is None:
            key = f"literal-{type(value).__name__}-{uuid.uuid4().hex}"
            # The node holds the object, so its id stays its own while this collection lives.
            self.nodes[key] = DataNode(key, value)
            ref = self.references[id(value)] = TaskRef(key)
        return ref


def _is_big(value: Any) -> bool:
    """Tell whether a literal is big, or a container of some big literal."""
    if _nbytes(value) >= BIG_LITERAL:
        return True
    if type(value) not in _CONTAINERS:
        return False
    return any(map(_is_big, value.values() if type(value) is dict else value))


def _nbytes(value: Any) -> int:
    """Return about how many bytes a literal holds, in constant time."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        return int(value.size) * 8
    if isinstance(value, list | tuple | set | frozenset | dict):
        return len(value) * 8
    return int(value.data.nbytes) if issparse(value) else 0
