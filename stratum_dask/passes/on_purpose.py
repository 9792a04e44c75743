"""Values that a candidate edits in place and reads again afterwards.

    frame -> edit(frame) -> score(frame, after=edit)

Here `score` sees what `edit` did to `frame`, because it runs later. Such a value belongs to its
candidate alone and is never shared, nor are the tasks kept from editing it. Where other candidates
use `frame`, too, this one gets its own:

    frame -> mean(frame)
          -> its own -> edit(its own) -> score(its own, after=edit)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from stratum_dask.edits import editors
from stratum_dask.graph import Graph, GraphNode, Key, Task, TaskRef, dependencies_at
from stratum_dask.ops.sharing import handed_on


def edited_on_purpose(graph: Graph) -> dict[Key, list[Key]]:
    """Return the values that tasks edit before others, which depend on them, read them.

    Parameters
    ----------
    graph : Graph
        With a fingerprinter.

    Returns
    -------
    dict of key to list of keys
        Each such value with the tasks that edit it.
    """
    edited: dict[Key, list[Key]] = {}
    found = graph.once(editors)
    if not found:
        return edited
    topology = graph.topology
    ids, consumers = topology.ids, topology.consumers
    for editor, changed in found.items():
        if not consumers[ids[editor]]:
            continue
        for key in dependencies_at(graph.tasks[editor], changed):
            i = ids.get(key)
            others = [j for j in consumers[i] if j != ids[editor]] if i is not None else []
            if others and topology.dag.reaches(ids[editor], others):
                edited.setdefault(key, []).append(editor)
    return edited


def separate(graph: Graph, edited: dict[Key, list[Key]]) -> Graph:
    """Give candidates that edit a value on purpose one of their own, where others use it.

    Parameters
    ----------
    graph : Graph
    edited : dict of key to list of keys
        As :func:`edited_on_purpose` returns it.

    Returns
    -------
    Graph
        The same object where nobody else uses what is edited.
    """
    topology = graph.topology
    ids, keys = topology.ids, topology.keys
    wanting: dict[int, set[Hashable]] = {}
    for output in graph.outputs:
        for key in output.keys:
            if key in ids:
                wanting.setdefault(ids[key], set()).add(output.candidate)

    def candidates(task: int) -> set[Hashable]:
        found = (task, *topology.dag.reaches(task, list(wanting)))
        return set().union(*(wanting.get(i, ()) for i in found))

    tasks: dict[Key, GraphNode] = {}
    for key, by in edited.items():
        users = {i: candidates(i) for i in topology.consumers[ids[key]]}
        editing = set().union(*(users[ids[editor]] for editor in by))
        seeing = wanting.get(ids[key], set())
        if not seeing.isdisjoint(editing):
            continue  # the user is to see the edit
        # What others need as well does not run after an edit, and stays with them.
        groups = _connected({i: found for i, found in users.items() if found <= editing})
        others = any(not found <= editing for found in (seeing, *users.values()))
        if len(groups) + others < 2:
            continue
        for number, members in enumerate(groups):
            own = graph.invent("own", f"{key}-{number}")
            tasks[own] = Task(own, handed_on, TaskRef(key))
            for member in (keys[i] for i in members):
                node = tasks.get(member, graph.tasks[member])
                tasks[member] = node.substitute({key: own})
    return graph.with_(tasks={**graph.tasks, **tasks}) if tasks else graph


def _connected(tasks: Mapping[int, set[Hashable]]) -> list[list[int]]:
    """Group tasks whose candidates are the same, or share a task with the same."""
    groups: list[tuple[list[int], set[Hashable]]] = []
    for task, found in tasks.items():
        same = [group for group in groups if not group[1].isdisjoint(found)]
        groups = [group for group in groups if group[1].isdisjoint(found)]
        members = [member for group in same for member in group[0]]
        groups.append(([*members, task], found.union(*(group[1] for group in same))))
    return [members for members, _ in groups]
