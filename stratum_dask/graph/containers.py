"""The nested lists, tuples and dicts in which users pass their graphs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dask._task_spec import GraphNode
from dask.base import is_dask_collection
from dask.highlevelgraph import HighLevelGraph


def leaves(value: Any) -> Iterable[Any]:
    """Yield the graphs inside nested containers, in order."""
    if is_container(value):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def rebuild(value: Any, results: Iterable[Any]) -> Any:
    """Return `value` with its leaves replaced by `results`, in order."""
    if not is_container(value):
        return next(iter(results))
    results = iter(results)
    if isinstance(value, dict):
        return type(value)((key, rebuild(item, results)) for key, item in value.items())
    items = [rebuild(item, results) for item in value]
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def is_container(value: Any) -> bool:
    """Tell whether a value holds graphs: a list, a tuple, or a dict of candidates."""
    if isinstance(value, list | tuple):
        return True
    return type(value) is dict and _names_candidates(value)


def _names_candidates(value: dict[Any, Any]) -> bool:
    """Tell a dict of candidates from a graph: the first entry that is a task or a graph decides."""
    for item in value.values():
        if _is_task(item):
            return False
        if _holds_graph(item):
            return True
    return False


def _holds_graph(value: Any) -> bool:
    """Tell whether a dict's value shows that the dict names candidates and is no graph."""
    if is_dask_collection(value) or isinstance(value, HighLevelGraph):
        return True
    if isinstance(value, GraphNode):
        return False
    if isinstance(value, list | tuple):
        return any(_holds_graph(item) for item in value)
    return type(value) is dict and any(
        _is_task(item) or _holds_graph(item) for item in value.values()
    )


def _is_task(value: Any) -> bool:
    return isinstance(value, GraphNode) or (
        type(value) is tuple and len(value) > 0 and callable(value[0])
    )
