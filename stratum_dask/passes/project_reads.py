"""Read only the columns that are used, where that is provable.

    read_parquet("x") -> getitem("a") -> ...         read_parquet("x", columns=["a", "b"])
                      -> getitem(["a", "b"])    ==>

Provable means: the format stores columns apart (Parquet, Feather), the call names no columns
itself, and every task that uses the frame, directly or through copies and assignments, asks for
columns by literal names. CSV is read whole: which columns are parsed decides there whether
ragged rows, undecodable bytes and mixed types raise, warn or pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from stratum_dask._native import digest
from stratum_dask.graph import Call, Graph, GraphNode, Key, Task, TaskRef, call_of, rewire
from stratum_dask.ops.reading import ColumnRead, ReadOnce
from stratum_dask.semantics import name_of

_READERS = frozenset({"pandas.read_parquet", "pandas.read_feather"})
_HARMLESS = frozenset({"engine", "dtype_backend", "use_threads", "storage_options"})

Columns = frozenset[str] | None
"""The columns of a frame that are used; None means all."""


def project_reads(graph: Graph) -> Graph:
    """Add the used columns to reading calls that read all of them.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when no read can do with less. Linear in tasks and references.
    """
    reads = [
        node.key
        for func, nodes in graph.calls
        if name_of(_reader(func)) in _READERS
        for node in nodes
        if _reads_everything(node)
    ]
    if not reads:
        return graph
    calls = {key: call for key, node in graph.tasks.items() if (call := call_of(node))}
    topology = graph.topology
    used: dict[Key, Columns] = {}
    chosen = frozenset(reads)
    for key in reversed(topology.order):
        # A narrower read is another value; what is copied from it would not be.
        whole = key in (graph.wanted if key in chosen else graph.visible)
        columns: set[str] | None = None if whole else set()
        for i in topology.consumers[topology.ids[key]]:
            if columns is None:
                break
            consumer = topology.keys[i]
            need = _needs(calls.get(consumer), key, used.get(consumer))
            columns = None if need is None else columns | need
        used[key] = None if columns is None else frozenset(columns)
    new: dict[Key, GraphNode] = {}
    renamed: dict[Key, Key] = {}
    tokens = dict(graph.tokens)
    narrow: set[Key] = set()
    for key in reads:
        columns_used = used[key]
        if columns_used is None:
            continue
        call = calls[key]
        names = tuple(sorted(columns_used))
        # Another value than the whole frame, and therefore another identity and name.
        token = digest(tokens[key] + repr(names).encode())
        renamed[key] = part = graph.invent("read-columns", token.hex())
        tokens[part] = token
        reader: Callable[..., Any] = ColumnRead(_reader(call.func), names)
        if isinstance(call.func, ReadOnce):
            reader = ReadOnce(reader, call.func.guards)
        new[part] = Task(part, reader, *call.args, **call.kwargs)
        narrow.add(key)
    if not new:
        return graph
    for key in topology.order:  # what is copied from less is less, too
        call, columns_used = calls.get(key), used.get(key)
        if columns_used is not None and call is not None and key not in renamed:
            first = call.args[0] if call.args else None
            if isinstance(first, TaskRef) and first.key in narrow:
                narrow.add(key)
                tokens[key] = digest(tokens[key] + repr(sorted(columns_used)).encode())
    return rewire(graph, new=new, dropped=renamed, renamed=renamed, tokens=tokens)


def _reader(func: Callable[..., Any]) -> Callable[..., Any]:
    return func.func if isinstance(func, ReadOnce) else func


def _reads_everything(node: Task) -> bool:
    return len(node.args) == 1 and isinstance(node.args[0], str) and node.kwargs.keys() <= _HARMLESS


def _needs(call: Call | None, frame: Key, used: Columns) -> Columns:
    """Return the columns of `frame` that a call needs whose own result is `used` this much."""
    if call is None or not call.args or not _is(call.args[0], frame):
        return None
    op, rest = name_of(call.func), call.args[1:]
    others = (*rest, *call.kwargs.values())
    if any(_is(other, frame) or isinstance(other, GraphNode) for other in others):
        return None
    if op == "operator.getitem" and len(rest) == 1:
        return _labels(rest[0])
    if op == "getattr" and len(rest) == 1 and not hasattr(pd.DataFrame, rest[0]):
        return frozenset([rest[0]])
    if op == ".copy" and used is not None:
        return used
    if op == ".assign" and used is not None and not rest and not _calls(call):
        return used - call.kwargs.keys()
    return None


def _is(argument: object, key: Key) -> bool:
    return isinstance(argument, TaskRef) and argument.key == key


def _calls(call: Call) -> bool:
    """Tell whether an assignment computes columns from the frame by a function."""
    return any(callable(value) for value in call.kwargs.values())


def _labels(item: object) -> Columns:
    if isinstance(item, str):
        return frozenset([item])
    if isinstance(item, list) and item and all(isinstance(label, str) for label in item):
        return frozenset(item)
    return None
