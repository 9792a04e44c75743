"""Choose the values that later plans may use, so that no pass hides them in larger tasks.

load -> clean -> scale -> fit -> score        kept: clean, scale, fit and score, if each is slow
"""

from __future__ import annotations

import re

from stratum_dask.graph import Graph, Key, Task, TaskRef, call_of, key_split, rewire
from stratum_dask.ops.frames import FUSABLE, fusable
from stratum_dask.ops.sharing import own
from stratum_dask.runtime.costs import estimate
from stratum_dask.semantics import name_of

_UNKNOWN = 256
"""Values of calls of unknown cost that one batch may keep: each costs a task of its own."""

_WORTH = 0.01
"""Seconds from which on a value is worth a task of its own, which costs Dask milliseconds."""

_UNIQUE = re.compile(r"[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def keep_values(graph: Graph) -> Graph:
    """Choose what to keep, and give it names of this plan.

    Kept are results, and by estimated costs what takes long since the last value that is kept;
    of users' functions that were never measured a bounded number. What is a task of its own
    anyway is kept, too; what is inside of a fused task is not. A value that stays alive keeps the
    tasks alive by which it can be computed again: so all names in the graph must be ones that
    nobody gives to another task.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when nobody could use a value. Linear in tasks and references.
    """
    if not graph.shares_live:
        return graph
    wanted = graph.wanted
    results = {key for key in wanted & graph.tasks.keys() if graph.tokens[key] not in graph.local}
    kept = _worth_keeping(graph) | results
    renamed: dict[Key, Key] = {}
    for key in graph.tasks:
        ours = isinstance(key, str) and key.endswith(graph.plan)
        named = key in wanted and _is_unique(key)
        if not ours and not named and (key in kept or key in wanted or not _is_unique(key)):
            renamed[key] = graph.invent(key_split(key), f"{len(renamed)}-{graph.tokens[key].hex()}")
    graph = graph.with_(kept=kept)
    if not renamed:
        return graph
    new = {fresh: graph.tasks[key].substitute({}, key=fresh) for key, fresh in renamed.items()}
    graph = rewire(
        graph,
        new=new,
        dropped=renamed,
        renamed=renamed,
        output=lambda key, target: Task(key, own, TaskRef(target)),
        merged={renamed.get(key, key): names for key, names in graph.merged.items()},
    )
    return graph.with_(kept=graph.kept - renamed.keys())  # nobody may find the user's names


def _worth_keeping(graph: Graph) -> frozenset[Key]:
    """Return values that take long since the last one that is kept, and those that cost nothing."""
    topology, local = graph.topology, graph.local
    fused = _fused(graph)
    costs = estimate(graph)
    kept: set[Key] = set()
    unknown: dict[Key, str] = {}
    since: dict[Key, float] = {}
    for key in topology.order:
        node = graph.tasks[key]
        call = call_of(node)
        cost = costs.get(key)
        took = cost.seconds if cost is not None else 0.0
        took += sum(since.get(one, 0.0) for one in node.dependencies if one not in kept)
        since[key] = took
        if call is None or graph.tokens[key] in local:
            continue
        consumers = [topology.keys[i] for i in topology.consumers[topology.ids[key]]]
        if key in fused and fused.issuperset(consumers):
            continue  # inside of a fused task
        name = name_of(call.func)
        if len(consumers) > 1 or took >= _WORTH:
            kept.add(key)
        elif name is None and cost is not None and not cost.known and key not in graph.wanted:
            unknown[key] = repr(call.func)
    if len(unknown) > _UNKNOWN:
        # One of each kind tells what the others cost.
        unknown = {key: kind for kind, key in {kind: key for key, kind in unknown.items()}.items()}
    return frozenset(kept | unknown.keys())


def _fused(graph: Graph) -> set[Key]:
    """Return the frame operations, which become parts of larger tasks."""
    return {
        node.key
        for func, nodes in graph.calls
        if (name := name_of(func)) in FUSABLE
        for node in nodes
        if fusable(name, node.args, node.kwargs)
    }


def _is_unique(key: Key) -> bool:
    """Tell whether nobody would give this name to another task."""
    name = key[0] if isinstance(key, tuple) and key else key
    return isinstance(name, str) and _UNIQUE.search(name) is not None
