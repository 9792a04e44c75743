"""Collections, high-level graphs and dicts -> one flat :class:`Graph`.

[delayed, {"a": dataframe}, hlg]        containers, in any nesting
     |  leaves in order: one Source each (what it is, its keys, its candidate)
     v
Graph(tasks, outputs)  +  sources       outputs[i] belongs to sources[i]
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from dask._expr import Expr
from dask._task_spec import Alias, DataNode, GraphNode, List, Task, TaskRef
from dask.base import dont_optimize, is_dask_collection, optimization_function
from dask.core import flatten
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from stratum_dask.config import is_many
from stratum_dask.errors import ConfigError, KeyCollisionError, MissingKeyError, NotAGraphError
from stratum_dask.graph.big_literals import BigLiterals
from stratum_dask.graph.containers import is_container, leaves
from stratum_dask.graph.known import Key
from stratum_dask.graph.model import ANNOTATION, Graph, Output, Topology
from stratum_dask.graph.nodes import is_future, normalize


class Source(NamedTuple):
    """A leaf of the user's containers: what it was, for giving back the same.

    Attributes
    ----------
    value : object
        The collection, high-level graph or dict itself; for dask DataFrames, optimized.
    keys : list
        Its keys, nested as the collection nests them.
    """

    value: Any
    keys: list[Any]


def lower(graphs: Any, keys: Iterable[Key] | None = None) -> tuple[Graph, list[Source]]:
    """Read a batch into one flat graph.

    Parameters
    ----------
    graphs : collection, HighLevelGraph, dict, or nested list, tuple or dict of these
        The batch. The elements of the outermost container are its candidates.
    keys : iterable of keys, optional
        For high-level graphs and dicts: what is wanted of them. The default is every key on
        which no other depends.

    Returns
    -------
    graph : Graph
    sources : list of Source
        The leaves in order; ``graph.outputs[i]`` belongs to ``sources[i]``.

    Raises
    ------
    NotAGraphError
        If there is a leaf that is none of these.
    KeyCollisionError
        If one key stands for different tasks.
    MissingKeyError
        If a task refers to a key that is neither in the graph nor a Future, or `keys` names one
        that no graph holds.
    ConfigError
        If `keys` are no several keys.
    """
    if keys is not None and not is_many(keys):
        raise ConfigError(f"keys is {keys!r}; it must be a list of keys")
    reader = _Reader(None if keys is None else list(keys))
    children: Iterable[tuple[Hashable, Any]] = [(0, graphs)]
    if is_container(graphs):
        children = graphs.items() if isinstance(graphs, dict) else enumerate(graphs)
    for candidate, child in children:
        for leaf in leaves(child):
            reader.add(leaf, candidate)
    return reader.finish(), reader.sources


def gathered(source: Source) -> tuple[Any, ...]:
    """Return what makes one value of a collection's results: a function, and its arguments.

    Parameters
    ----------
    source : Source
        Of a dask collection.
    """
    finalize, extra = source.value.__dask_postcompute__()
    return (finalize, _references(source.keys), *extra)


def _references(keys: Any) -> Any:
    return List(*map(_references, keys)) if isinstance(keys, list) else TaskRef(keys)


class _Reader:
    """Collects tasks from one leaf after another."""

    def __init__(self, keys: list[Key] | None) -> None:
        self.keys = keys
        self.tasks: dict[Key, GraphNode] = {}
        self.raw: dict[Key, Any] = {}
        self.annotations: dict[Key, Mapping[str, Any]] = {}
        self.futures: set[Key] = set()
        self.layers: dict[str, Any] = {}
        self.sources: list[Source] = []
        self.outputs: list[Output] = []
        self.big_literals = BigLiterals(self.tasks)
        self.partitionwise: set[Key] = set()
        self.expressions: set[str] = set()
        self.of_expressions: set[Key] = set()
        self.deferred: dict[Callable[..., Any], list[int]] = {}

    def add(self, leaf: Any, candidate: Hashable) -> None:
        """Read one leaf."""
        if isinstance(leaf, Delayed):
            self._add_graph(leaf.__dask_graph__())
            keys = leaf.__dask_keys__()
        elif isinstance(leaf, HighLevelGraph):
            self._add_graph(leaf)
            keys = self._keys_of(leaf.to_dict())
        elif not is_dask_collection(leaf):
            if not isinstance(leaf, dict):
                raise NotAGraphError(
                    f"candidate {candidate!r} is of type {type(leaf).__name__}, which is no graph; "
                    "pass dask collections, HighLevelGraphs, dicts of tasks, "
                    "or lists, tuples and dicts of these"
                )
            self._add_graph(leaf)
            keys = self._keys_of(leaf)
        elif hasattr(leaf, "expr"):
            # Dask would hide the calls of a partition in one task each: we fuse them ourselves.
            leaf = leaf.optimize(fuse=False)
            self._add_expression(leaf.expr.lower_completely())
            self.partitionwise |= _partitionwise(leaf.expr)
            keys = leaf.__dask_keys__()
        else:
            # Array, Bag and what is made of them: Dask's own optimization fuses their blocks first,
            # for all collections of a kind together, since alone it would hide what they share.
            optimize = optimization_function(leaf) or dont_optimize
            self.deferred.setdefault(optimize, []).append(len(self.sources))
            keys = leaf.__dask_keys__()
        self.sources.append(Source(leaf, keys))
        self.outputs.append(Output(tuple(flatten(keys)), candidate))

    def finish(self) -> Graph:
        for optimize, members in self.deferred.items():
            sources = [self.sources[i] for i in members]
            merged = HighLevelGraph.merge(*(source.value.__dask_graph__() for source in sources))
            self._add_graph(optimize(merged, list(flatten([source.keys for source in sources]))))
        graph = Graph(
            self.tasks,
            tuple(self.outputs),
            self.annotations,
            partitionwise=frozenset(self.partitionwise),
        )
        return graph.with_(external=self._check_references(graph.topology))

    def _keys_of(self, dsk: Mapping[Key, Any]) -> list[Key]:
        """Return what is wanted of a plain graph."""
        if self.keys is not None:
            chosen = [key for key in self.keys if key in dsk]
            if chosen:
                return chosen
        used: set[Key] = set()
        for key in dsk:
            node = self.tasks.get(key)
            if node is not None:
                used |= node.dependencies
        return [key for key in dsk if key not in used]

    def _add_graph(self, graph: Any) -> None:
        if not isinstance(graph, HighLevelGraph):
            self._add_tasks(graph, None, _Scope(graph.keys))
            return
        scope = _Scope(graph.get_all_external_keys)
        seen = self.layers
        for name, layer in graph.layers.items():
            if seen.get(name) is not layer:
                seen[name] = layer
                mapping = getattr(layer, "mapping", None)
                annotations = getattr(layer, "annotations", None)
                if annotations and ANNOTATION in annotations:  # of an earlier plan
                    annotations = {k: a for k, a in annotations.items() if k != ANNOTATION}
                self._add_tasks(layer if mapping is None else mapping, annotations, scope)

    def _add_expression(self, expr: Any) -> None:
        """Read what others have not brought already: shuffles name their tasks anew each time."""
        if type(expr).__dask_graph__ is not Expr.__dask_graph__:
            self._add_graph(expr.__dask_graph__())
            return
        fresh: dict[Key, Any] = {}
        stack = [expr]
        while stack:
            one = stack.pop()
            if one._name not in self.expressions:
                self.expressions.add(one._name)
                fresh.update(one._layer())
                stack.extend(one.dependencies())
        self.of_expressions |= fresh.keys()
        self._add_tasks(fresh, None, _Scope(self.of_expressions.copy))

    def _add_tasks(
        self,
        mapping: Mapping[Key, Any],
        annotations: Mapping[str, Any] | None,
        scope: Callable[[], set[Key]],
    ) -> None:
        tasks, raw = self.tasks, self.raw
        for key, value in mapping.items():
            if key in tasks or key in raw:
                known = raw[key] if key in raw else tasks[key]
                # Dask may have rewritten the task of one collection, and not that of another.
                if (
                    known is not value
                    and not _same(known, value)
                    and not _same(tasks.get(key), normalize(key, value, scope))
                ):
                    raise KeyCollisionError(
                        f"the key {key!r} stands for two different tasks: {known!r} and "
                        f"{value!r}; rename one of them (dask_key_name= for Delayed)"
                    )
                continue
            node = normalize(key, value, scope)
            if type(node) is Task:
                node = self.big_literals.hoist(node)
            if node is not value:
                raw[key] = value
            if node is None:
                self.futures.add(key)
                continue
            tasks[key] = node
            if annotations:
                self.annotations[key] = {
                    name: a(key) if callable(a) else a for name, a in annotations.items()
                }

    def _check_references(self, topology: Topology) -> frozenset[Key]:
        """Return the keys of the Futures that tasks refer to."""
        tasks, futures = self.tasks, self.futures
        for key in self.keys or ():
            if key not in tasks and key not in futures:
                raise MissingKeyError(f"keys= names {key!r}, which no graph of the batch holds")
        for key in [topology.keys[i] for i in topology.dag.open()]:
            node = tasks[key]
            for dependency in node.dependencies:
                if dependency not in tasks and dependency not in futures:
                    futures.update(ref.key for ref in _deep_references(node) if is_future(ref))
                    if dependency not in futures:
                        raise MissingKeyError(
                            f"the task {key!r} refers to the key {dependency!r}, which the graph "
                            "does not hold and which is no Future; add the task or pass the "
                            "Future itself"
                        )
        for output in self.outputs:
            for key in output.keys:
                if key not in tasks and key not in futures:
                    raise MissingKeyError(
                        f"candidate {output.candidate!r} wants the key {key!r}, which its graph "
                        "does not hold"
                    )
        return frozenset(futures)


class _Scope:
    """The keys that tasks of a graph may refer to; most graphs never ask."""

    __slots__ = ("_find", "_keys")

    def __init__(self, find: Callable[[], Iterable[Key]]) -> None:
        self._find = find
        self._keys: set[Key] | None = None

    def __call__(self) -> set[Key]:
        if self._keys is None:
            self._keys = set(self._find())
        return self._keys


def _partitionwise(expr: Any) -> set[Key]:
    """Return the keys of the tasks that work on one partition each."""
    from dask.dataframe.dask_expr._expr import Blockwise  # takes long to import

    return {
        (one._name, partition)
        for one in expr.walk()
        if isinstance(one, Blockwise)
        for partition in range(one.npartitions)
    }


def _deep_references(node: Any) -> Iterable[TaskRef]:
    if isinstance(node, TaskRef):
        yield node
    elif isinstance(node, Task):
        for arg in (*node.args, *node.kwargs.values()):
            yield from _deep_references(arg)


def _same(old: Any, new: Any) -> bool:
    """Tell whether two entries under one key are the same task."""
    if type(old) is not type(new):
        return False
    if isinstance(old, DataNode) and old.value is new.value:
        return True  # dask makes a new node of one literal for every candidate that uses it
    if isinstance(old, GraphNode):
        return _alike(old, new) or bool(old == new)  # by token, for which Dask pickles both
    if isinstance(old, tuple):
        return len(old) == len(new) and all(map(_same, old, new))
    try:
        return bool(old == new)
    except (TypeError, ValueError):  # arrays and frames have no single truth value
        return False


def _alike(old: Any, new: Any) -> bool:
    """Tell whether two tasks, or arguments of tasks, look the same; False if in doubt."""
    kind = type(old)
    if old is new or kind is not type(new):
        return old is new
    if kind in _COMPARABLE:
        return bool(old == new)
    if isinstance(old, Task):
        return (
            old.func is new.func
            and old.kwargs.keys() == new.kwargs.keys()
            and len(old.args) == len(new.args)
            and all(map(_alike, old.args, new.args))
            and all(_alike(value, new.kwargs[name]) for name, value in old.kwargs.items())
        )
    return False


_COMPARABLE = frozenset({TaskRef, Alias, str, int, bool})
