"""Values that a candidate edits in place and reads again afterwards.

    frame -> edit(frame) -> score(frame, after=edit)

Here `score` sees what `edit` did to `frame`, because it runs later. Such a value belongs to its
candidate alone and is never shared, nor are the tasks kept from editing it. Where other candidates
use `frame`, too, this one gets its own:

    frame -> mean(frame)
          -> its own -> edit(its own) -> score(its own, after=edit)
"""

from __future__ import annotations

from collections.abc import Iterable

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
    found = editors(graph)
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
    if len({output.candidate for output in graph.outputs}) < 2:
        return graph
    users = _Users(graph)
    tasks: dict[Key, GraphNode] = {}
    for key, by in edited.items():
        groups, others = users.of(key, by)
        if len(groups) + others < 2:
            continue
        for number, members in enumerate(groups):
            own = graph.invent("own", f"{key}-{number}")
            tasks[own] = Task(own, handed_on, TaskRef(key))
            for member in members:
                node = tasks.get(member, graph.tasks[member])
                tasks[member] = node.substitute({key: own})
    return graph.with_(tasks={**graph.tasks, **tasks}) if tasks else graph


class _Users:
    """Answers which candidates use a value, and through which tasks."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._wanted: dict[object, set[Key]] = {}
        for output in graph.outputs:
            self._wanted.setdefault(output.candidate, set()).update(output.keys)
        self._needed = [self._ancestors(keys) for keys in self._wanted.values()]

    def _ancestors(self, keys: Iterable[Key]) -> set[Key]:
        found: set[Key] = set()
        ahead = [key for key in keys if key in self._graph.tasks]
        while ahead:
            key = ahead.pop()
            if key not in found:
                found.add(key)
                ahead += [d for d in self._graph.tasks[key].dependencies if d in self._graph.tasks]
        return found

    def of(self, key: Key, editors: list[Key]) -> tuple[list[set[Key]], bool]:
        """Return the tasks that use a value, by groups of candidates that edit it together.

        Also whether other candidates use it. What one of them needs stays with them: it does not
        run after an edit.
        """
        topology = self._graph.topology
        users = {topology.keys[i] for i in topology.consumers[topology.ids[key]]}
        groups: list[set[Key]] = []
        theirs: set[Key] = set()
        others = False
        for wanted, needed in zip(self._wanted.values(), self._needed, strict=True):
            if needed.isdisjoint(editors):
                theirs |= users & needed
                others |= key in needed
            elif key in wanted:
                return [], False  # the user is to see the edit
            else:
                group = users & needed
                for same in [one for one in groups if not one.isdisjoint(group)]:
                    groups.remove(same)
                    group |= same
                groups.append(group)
        return [group - theirs for group in groups], others
