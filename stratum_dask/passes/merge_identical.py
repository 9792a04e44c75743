"""One task for all tasks that compute the same value.

candidate a:  load("x.csv") -> clean -> fit(alpha=1)           shared:  load -> clean
candidate b:  load("x.csv") -> clean -> fit(alpha=2)    ==>             -> fit(alpha=1)
                                                                        -> fit(alpha=2)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stratum_dask.graph import Alias, Graph, GraphNode, Key, Task, TaskRef, key_split, rewire
from stratum_dask.ops.reading import ReadOnce
from stratum_dask.ops.sharing import own


def merge_identical(graph: Graph) -> Graph:
    """Merge tasks of equal identity, and rename what is shared to a key of this plan.

    A wanted key stays: it gets a copy of the shared value of its own, so that cancelling or
    editing one result leaves its twin alone.

    Parameters
    ----------
    graph : Graph
        With the tokens of all its tasks.

    Returns
    -------
    Graph
        The same object when no two tasks are equal. Linear in tasks and references.
    """
    topology = graph.topology
    keys = topology.keys
    tokens = graph.tokens
    twins: dict[int, list[int]] = {}
    wanted = graph.wanted
    for i, first in enumerate(topology.dag.merge(b"".join([tokens[key] for key in keys]))):
        if first != i and not (keys[i] in wanted and _is_name(graph.tasks[keys[i]])):
            twins.setdefault(first, [first]).append(i)
    if not twins:
        return graph

    renamed: dict[Key, Key] = {}
    shared: dict[Key, list[Key]] = {}
    for first, members in twins.items():
        names = [keys[i] for i in members]
        shared_key = graph.invent(key_split(keys[first]), tokens[keys[first]].hex())
        shared[shared_key] = names
        for name in names:
            renamed[name] = shared_key

    new: dict[Key, GraphNode] = {}
    annotations = dict(graph.annotations)
    for new_key, names in shared.items():
        node = graph.tasks[names[0]].substitute({}, key=new_key)
        new[new_key] = _read_once(graph, names, node)
        together = _together([annotations.pop(name, {}) for name in names])
        if together:
            annotations[new_key] = together
    return rewire(
        graph,
        new=new,
        dropped=renamed,
        renamed=renamed,
        output=_output,
        annotations=annotations,
        tokens={**tokens, **{key: tokens[names[0]] for key, names in shared.items()}},
        merged=_extended(graph.merged, shared),
    )


def _is_name(node: GraphNode) -> bool:
    """Tell whether a wanted task is no second computation but a name of another's value."""
    return type(node) is Alias or (type(node) is Task and node.func is own)


def _output(key: Key, target: Key) -> GraphNode:
    return Task(key, own, TaskRef(target))


def _read_once(graph: Graph, keys: Sequence[Key], node: GraphNode) -> GraphNode:
    """Let a shared task that reads files, or copies of them, look again after reading."""
    reads = graph.fingerprinter.reads
    guards = dict.fromkeys(one for key in keys for one in reads(graph.tasks[key]))
    if not guards or type(node) is not Task or isinstance(node.func, ReadOnce):
        return node
    return Task(node.key, ReadOnce(node.func, tuple(guards)), *node.args, **node.kwargs)


def _together(annotations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the annotations of a shared task: the most urgent and most patient of its own."""
    together: dict[str, Any] = {}
    for one in annotations:
        for name, value in one.items():
            if name in ("priority", "retries") and name in together:
                value = max(value, together[name])
            together[name] = value
    return together


def _extended(
    merged: Mapping[Key, tuple[Key, ...]], shared: Mapping[Key, Sequence[Key]]
) -> dict[Key, tuple[Key, ...]]:
    """Return which of the user's keys each shared task stands for, over several rounds."""
    result = dict(merged)
    for key, names in shared.items():
        result[key] = tuple(one for name in names for one in result.pop(name, (name,)))
    return result
