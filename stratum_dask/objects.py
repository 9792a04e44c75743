"""Objects of users' own classes, whose methods may do anything whatever they are called."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

from sklearn.base import BaseEstimator

from stratum_dask.graph import DataNode, Graph, Key
from stratum_dask.semantics import declared, name_of, of_library


def users_objects(graph: Graph) -> frozenset[Key]:
    """Return the tasks that hold or make an object of a class that is not understood.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    frozenset of key
        A library's function, operator or method that is given one of these may run its code.
    """
    made = (node.key for func, nodes in graph.calls if _is_users(func) for node in nodes)
    held = (
        key
        for key, node in graph.tasks.items()
        if type(node) is DataNode and _is_users(type(node.value))
    )
    return frozenset((*made, *held))


def _is_users(kind: Any) -> bool:
    """Tell whether something is a class of the user, of which nothing else is known."""
    if not isinstance(kind, type) or kind.__module__ == "builtins":
        return False
    understood = issubclass(kind, BaseEstimator | Enum) or dataclasses.is_dataclass(kind)
    return not (
        understood
        or hasattr(kind, "_fields")
        or kind.__module__.startswith("stratum_dask.")
        or of_library(kind) is not None
        or name_of(kind) is not None
        or declared(kind)
    )
