"""Run a planned batch on the current cluster, or else on threads of this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any, cast

import dask
from dask.base import get_scheduler
from dask.callbacks import Callback
from dask.system import CPU_COUNT

from stratum_dask.errors import ConfigError
from stratum_dask.graph import (
    Alias,
    Graph,
    GraphNode,
    Key,
    Task,
    call_of,
    is_reference,
    key_split,
)
from stratum_dask.ops.outcomes import Attempt, Outcome, Surroundings, spent_by
from stratum_dask.ops.packed import Packed
from stratum_dask.ops.watch import Watch, Watched
from stratum_dask.runtime.cluster import compute_on
from stratum_dask.runtime.costs import estimate, learn, open_book
from stratum_dask.runtime.critical import CriticalFirst
from stratum_dask.runtime.mapping import mapped
from stratum_dask.runtime.threads import Threads, is_in_task, limited
from stratum_dask.scheduler.client import LiveValues
from stratum_dask.scheduler.connection import threads_of

Done = Callable[[Key, Outcome], None]

_TRIES = 3
"""How many workers of a cluster may die with a task: one more, and Dask ends what waits there."""

_TRIES_ISOLATED = 2
"""The same of processes of our own, which nobody else ends."""

_FEW = 10
"""Tasks per core that are ready from which on no core will be idle soon."""

_SHORT = 0.1
"""The share of a task's seconds below which another beside it does not count."""

_WORTH_NOTING = 0.1
"""Seconds of work from which on it is worth milliseconds to note what each task took."""


def compute(
    graph: Graph,
    keys: Sequence[Key],
    *,
    workers: int | None = None,
    done: Done | None = None,
    isolate: str = "thread",
    timeout: float | None = None,
) -> list[Outcome]:
    """Compute the values of `keys`; no failure stops what does not depend on it.

    Parameters
    ----------
    graph : Graph
        As the pipeline left it.
    keys : sequence of keys
        Wanted ones.
    workers : int, optional
        Threads to use where there is no cluster; all cores by default.
    done : callable, optional
        Called with the key and the outcome of every wanted task that finishes.
    isolate : {"thread", "process"}
        Where tasks run if there is no cluster: processes contain crashes and endless loops.
    timeout : float, optional
        Seconds that a wanted task may take, with all that it depends on; isolated ones only.

    Returns
    -------
    list of Outcome
    """
    names: dict[Key, list[Key]] = {}
    planned = graph
    if not graph.shares_live:  # else others ask for results under these very names
        graph, names = _unnamed(graph, keys)
    asked = list(names) if names else list(keys)

    def tell(key: Key, outcome: Outcome) -> None:
        for name in names.get(key, (key,)):
            cast(Done, done)(name, outcome)

    outcomes = _run(graph, planned, asked, workers, tell if done else None, isolate, timeout)
    spent = spent_by(outcomes)
    if sum(one.seconds for one in spent.values()) > _WORTH_NOTING:
        learn(open_book(), planned, spent)
    found = {
        name: outcome
        for key, outcome in zip(asked, outcomes, strict=True)
        for name in names.get(key, (key,))
    }
    return [found[key] for key in keys]


def _unnamed(graph: Graph, keys: Sequence[Key]) -> tuple[Graph, dict[Key, list[Key]]]:
    """Take away tasks that do nothing but give wanted values their names, and return the names.

    Each would cost as much as a task that computes something.
    """
    topology = graph.topology
    aliases = {
        key: node.target
        for key in keys
        if isinstance(node := graph.tasks.get(key), Alias)
        and node.target in graph.tasks
        and not topology.consumers[topology.ids[key]]
    }
    names: dict[Key, list[Key]] = {}
    for key in dict.fromkeys(keys):
        names.setdefault(aliases.get(key, key), []).append(key)
    if not aliases:
        return graph, names
    outputs = tuple(
        one._replace(keys=tuple(aliases.get(key, key) for key in one.keys)) for one in graph.outputs
    )
    tasks = {key: node for key, node in graph.tasks.items() if key not in aliases}
    return graph.with_(tasks=tasks, outputs=outputs), names


def _run(
    graph: Graph,
    planned: Graph,
    keys: Sequence[Key],
    workers: int | None,
    done: Done | None,
    isolate: str,
    timeout: float | None,
) -> list[Outcome]:
    threads = Threads(1)
    dsk = attempts(graph, Surroundings.here(threads))
    scheduler = None if is_in_task() else get_scheduler()
    client = getattr(scheduler, "__self__", None)
    if client is not None or (isolate == "process" and not is_in_task()):
        return _run_on_workers(graph, dsk, keys, client, workers, done, isolate, timeout)
    many = 1 if is_in_task() else (workers or dask.config.get("num_workers", None) or CPU_COUNT)
    # Threads that enter and leave `catch_warnings` in turns would leave each other's filters.
    with limited(threads), warnings.catch_warnings(), _Watch(done):
        if scheduler is not None:
            return list(scheduler(dsk, list(keys)))
        if many == 1:
            return list(dask.get(dsk, list(keys)))
        seconds = {key: cost.seconds for key, cost in estimate(planned).items()}
        pooled = ThreadPoolExecutor(many, thread_name_prefix="stratum")
        with CriticalFirst(graph, seconds, many), _IdleCores(many, seconds), pooled as pool:
            return list(dask.threaded.get(dsk, list(keys), pool=pool))


def _run_on_workers(
    graph: Graph,
    dsk: dict[Key, GraphNode],
    keys: Sequence[Key],
    client: Any,
    workers: int | None,
    done: Done | None,
    isolate: str,
    timeout: float | None,
) -> list[Outcome]:
    """Compute on the workers of a client, or on isolated processes if there is none."""
    from stratum_dask.runtime import processes  # takes long to import

    own = client is None
    if own:
        client = processes.isolated_client(workers)
    threads = threads_of(client)
    memory = processes.memory_of_each(len(threads)) if own else None
    with ExitStack() as stack:
        if own:
            stack.enter_context(processes.ended_with(client))
            dsk = stack.enter_context(mapped(client, dsk, keys))
        else:  # whose workers may be threads of this process
            stack.enter_context(limited(Threads(1)))
            stack.enter_context(warnings.catch_warnings())
        for source in graph.known:
            if isinstance(source, LiveValues):
                source.announce(graph)
        recorded = all(one == 1 for one in threads) and bool(threads or isolate == "process")
        if recorded:
            folder = stack.enter_context(TemporaryDirectory(prefix="stratum-"))
            tries = _TRIES_ISOLATED if own else _TRIES
            dsk = _watched(dsk, _owners(graph), Watch(folder, tries, timeout, memory))
        elif timeout is not None:
            raise ConfigError(
                "timeout= ends the process of a task that takes too long, but the workers of the "
                "current Client run several tasks in one process; start them with "
                "threads_per_worker=1"
            )
        owners = partial(_owners, graph)
        return compute_on(client, dsk, keys, done, graph.plan, owners, recorded)


def _watched(
    dsk: dict[Key, GraphNode], owners: Mapping[Key, str], watch: Watch
) -> dict[Key, GraphNode]:
    return {
        key: Task(key, Watched(call.func, watch, owners.get(key, "")), *call.args, **call.kwargs)
        if (call := call_of(node)) is not None and isinstance(call.func, Attempt)
        else node
        for key, node in dsk.items()
    }


def _owners(graph: Graph) -> dict[Key, str]:
    """Return the candidate of each task that only one candidate needs."""
    several = ""
    owners: dict[Key, str] = {}

    def belongs(key: Key, owner: str) -> None:
        owners[key] = owner if owners.get(key, owner) == owner else several

    for output in graph.outputs:
        for key in output.keys:
            belongs(key, repr(output.candidate))
    for key in reversed(graph.topology.order):
        for dependency in graph.tasks[key].dependencies:
            belongs(dependency, owners.get(key, several))
    return owners


def attempts(graph: Graph, surroundings: Surroundings) -> dict[Key, GraphNode]:
    """Let every task of a graph take and return outcomes."""
    tasks: dict[Key, GraphNode] = {}
    for key, node in graph.tasks.items():
        call = call_of(node)
        if call is not None:
            deep = any(
                isinstance(argument, GraphNode) and not is_reference(argument)
                for argument in (*call.args, *call.kwargs.values())
            )
            func = Attempt(call.func, _name(key, call.func), surroundings, deep)
            node = Task(key, func, *call.args, **call.kwargs)
        tasks[key] = node
    return tasks


def _name(key: Key, func: Any) -> str:
    """Name a task for people: a chain by what it consists of."""
    if not isinstance(func, Packed):
        return str(key)
    return f"{'+'.join(key_split(step.label) for step in func.steps)} ({key})"


class _Watch(Callback):  # type: ignore[misc]  # dask is not typed
    """Tells of every task that finishes."""

    def __init__(self, done: Done | None) -> None:
        super().__init__()
        self._done = done

    def _posttask(self, key: Key, value: Any, *_: Any) -> None:
        if self._done is not None and isinstance(value, Outcome):
            self._done(key, value)


class _IdleCores(Callback):  # type: ignore[misc]  # dask is not typed
    """Tells tasks how many cores are theirs, where fewer long ones can run than there are cores."""

    def __init__(self, cores: int, seconds: Mapping[Key, float]) -> None:
        super().__init__()
        self._cores, self._seconds = cores, seconds

    def _pretask(self, key: Key, dsk: Mapping[Key, GraphNode], state: Mapping[str, Any]) -> None:
        call, ready, running = call_of(dsk[key]), state["ready"], state["running"]
        if call is None or not isinstance(call.func, Attempt) or len(ready) > _FEW * self._cores:
            return
        worth = _SHORT * self._seconds.get(key, 0.0)
        beside = [one for one in (*ready, *running) if self._seconds.get(one, 0.0) > worth]
        call.func.idle = max(self._cores // max(len(beside), 1), 1)
