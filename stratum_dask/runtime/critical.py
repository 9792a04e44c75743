"""What to start next on threads: mostly what Dask would, else what the whole batch waits for.

Dask starts what was made ready last, so that few values are alive at once, and a long fit may come
last, with all other threads idle. A chain of tasks that takes longer than all that is left takes
when spread over the threads decides when the batch ends (R. Graham, Bounds on Multiprocessing
Timing Anomalies, 1969): it is started before anything else. Until then the order is Dask's.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from dask.callbacks import Callback

from stratum_dask.graph import Graph, Key


class CriticalFirst(Callback):  # type: ignore[misc]  # dask is not typed
    """Moves tasks that begin a critical chain to the end of the stack that threads take from.

    Parameters
    ----------
    graph : Graph
        As it will be run.
    seconds : mapping of key to float
        What each task is expected to take.
    workers : int
        Threads that run tasks.
    """

    def __init__(self, graph: Graph, seconds: Mapping[Key, float], workers: int) -> None:
        super().__init__()
        self._workers = workers
        self._seconds = seconds
        self._left = sum(seconds.values())
        self._chain = chains(graph, seconds)
        self._ready: list[tuple[float, int, Key]] = []
        self._number = 0

    def _start_state(self, dsk: Any, state: dict[str, Any]) -> None:
        self._note(state["ready"])
        self._arrange(state)

    def _pretask(self, key: Key, dsk: Any, state: dict[str, Any]) -> None:
        self._left -= self._seconds.get(key, 0.0)

    def _posttask(self, key: Key, value: Any, dsk: Any, state: dict[str, Any], worker: Any) -> None:
        waiting = state["waiting"]
        self._note(user for user in state["dependents"][key] if user not in waiting)
        self._arrange(state)

    def _note(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._number += 1  # keys of different types cannot be compared
            heapq.heappush(self._ready, (-self._chain.get(key, 0.0), self._number, key))

    def _arrange(self, state: dict[str, Any]) -> None:
        """Put the longest chains last, if they are critical: that is where tasks are taken."""
        stack, idle = state["ready"], self._workers - len(state["running"])
        limit = max(self._left / self._workers, 1e-9)
        critical: list[tuple[float, int, Key]] = []
        while self._ready and len(critical) < idle:
            chain, _, key = self._ready[0]
            if key in state["running"] or key in state["finished"]:
                heapq.heappop(self._ready)  # it was started in Dask's order
            elif -chain >= limit:
                critical.append(heapq.heappop(self._ready))
            else:
                break
        for entry in reversed(critical):
            key = entry[2]
            stack.remove(key)
            stack.append(key)
            heapq.heappush(self._ready, entry)


def chains(graph: Graph, seconds: Mapping[Key, float]) -> dict[Key, float]:
    """Return for each task what it takes with the longest chain of tasks that follow from it.

    Parameters
    ----------
    graph : Graph
    seconds : mapping of key to float
        What is not there takes no time.

    Examples
    --------
    >>> from stratum_dask.graph import Task, TaskRef
    >>> tasks = {"a": Task("a", abs, -1), "b": Task("b", abs, TaskRef("a"))}
    >>> chains(Graph(tasks, ()), {"a": 1.0, "b": 2.0})
    {'b': 2.0, 'a': 3.0}
    """
    found: dict[Key, float] = {}
    after: dict[Key, float] = {}
    for key in reversed(graph.topology.order):
        took = found[key] = seconds.get(key, 0.0) + after.get(key, 0.0)
        for dependency in graph.tasks[key].dependencies:
            after[dependency] = max(after.get(dependency, 0.0), took)
    return found
