"""Replacing tasks by others that make the same values from something shared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratum_dask._native import digest
from stratum_dask.graph import Graph, GraphNode, Key, Task, TaskRef, rewire
from stratum_dask.ops.sharing import own


class Replacements:
    """Collects the tasks that take the place of others."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.added: dict[Key, GraphNode] = {}
        self.new: dict[Key, GraphNode] = {}
        self.renamed: dict[Key, Key] = {}
        self.tokens = dict(graph.tokens)
        self.annotations = dict(graph.annotations)
        self.differ: set[Key] = set()

    def shared(self, name: str, users: Sequence[Key], func: Any, *args: Any, **kw: Any) -> TaskRef:
        """Add a task for what several users have in common."""
        token = digest(name.encode() + b"".join(self.graph.tokens[key] for key in users))
        key = self.graph.invent(name, token.hex())
        self.added[key] = Task(key, func, *args, **kw)
        self.tokens[key] = token
        if users[0] in self.graph.annotations:
            self.annotations[key] = self.graph.annotations[users[0]]
        return TaskRef(key)

    def replace(self, key: Key, name: str, other: bytes, func: Any, *args: Any, **kw: Any) -> None:
        """Let another call make a value, or with `other` one that is not quite the same."""
        token = self.graph.tokens[key]
        if other:
            self.differ.add(key)
            token = digest(other + token)
        fresh = self.graph.invent(name, token.hex())
        while fresh in self.new:  # of equal tasks that were not merged
            fresh += "'"
        self.new[fresh] = Task(fresh, func, *args, **kw)
        self.tokens[fresh] = token
        self.renamed[key] = fresh
        if key in self.annotations:
            self.annotations[fresh] = self.annotations.pop(key)

    def applied(self, **changes: Any) -> Graph:
        """Return the graph with all replacements; the same object if there are none."""
        if not self.new:
            return self.graph
        graph, renamed = self.graph, self.renamed
        tokens = self.tokens
        if self.differ:
            # What is computed from them is not the same either: it is identified anew.
            stale = self._downstream()
            gone = stale | self.differ | {renamed[key] for key in stale if key in renamed}
            changed = stale | self.differ
            gone |= {k for k, n in self.added.items() if not changed.isdisjoint(n.dependencies)}
            tokens = {key: token for key, token in tokens.items() if key not in gone}
        return rewire(
            graph.with_(tasks={**self.added, **graph.tasks}),
            new=self.new,
            dropped=renamed,
            renamed=renamed,
            output=_output,
            tokens=tokens,
            annotations=self.annotations,
            merged={renamed.get(key, key): names for key, names in graph.merged.items()},
            **changes,
        )

    def _downstream(self) -> set[Key]:
        """Return all that is computed from values that are not quite the same any more."""
        found: set[Key] = set()
        for key in self.graph.topology.order:
            dependencies = self.graph.tasks[key].dependencies
            if not (found.isdisjoint(dependencies) and self.differ.isdisjoint(dependencies)):
                found.add(key)
        return found


def _output(key: Key, target: Key) -> GraphNode:
    return Task(key, own, TaskRef(target))
