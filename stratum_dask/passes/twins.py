"""Equal values of which a candidate edits one and reads the other.

    load -> a --+-> edit(a, b)          load -> a ----------+-> edit(a, its own b)
    load -> b --+                            -> its own b --+

Merged, `a` and `b` would be one object, and what `edit` does to the one would be seen in the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from stratum_dask.edits import editors
from stratum_dask.graph import Graph, GraphNode, Key, Task, TaskRef, dependencies_at
from stratum_dask.ops.sharing import own


def keep_twins(graph: Graph, tokens: Mapping[Key, bytes]) -> Graph:
    """Let tasks that may edit one of two equal values have copies of the others.

    Parameters
    ----------
    graph : Graph
        With a fingerprinter.
    tokens : mapping of key to bytes
        The identities of all tasks.

    Returns
    -------
    Graph
        The same object where nobody is given equal values under several names and may edit them.
        Linear in tasks and references, and in the graph for each task that is.
    """
    edits = graph.once(editors)
    if not edits:
        return graph
    keys, dag = graph.topology.keys, graph.topology.dag
    doubled: dict[int, list[Key]] = {}
    for user, twin in dag.doubled(b"".join([tokens[key] for key in keys])):
        doubled.setdefault(user, []).append(keys[twin])
    editing = [graph.topology.ids[key] for key in edits] if doubled else []
    tasks: dict[Key, GraphNode] = {}
    for user, twins in doubled.items():
        node = graph.tasks[keys[user]]
        touched = set[Key]()
        if node.key in edits:
            touched |= dependencies_at(node, edits[node.key])
        if dag.reaches(user, editing):
            touched |= set(graph.fingerprinter.passed_on(node.key))
        found = {tokens[key] for key in touched if key in tokens}
        copies = {
            key: graph.invent("own", f"{key}-{user}") for key in twins if tokens[key] in found
        }
        if copies:
            tasks.update({new: Task(new, own, TaskRef(key)) for key, new in copies.items()})
            tasks[node.key] = node.substitute(copies, key=node.key)
    return graph.with_(tasks={**graph.tasks, **tasks}) if tasks else graph
