"""Choose the values that later plans may use, so that no pass hides them in larger tasks.

load -> clean -> scale -> fit -> score        kept: clean, scale (what a fit is given)
"""

from __future__ import annotations

import re
from collections import Counter

from dask.utils import methodcaller

from stratum_dask.graph import Graph, Key, Task, TaskRef, call_of, key_split, rewire
from stratum_dask.ops.frames import fusable
from stratum_dask.ops.sharing import own
from stratum_dask.semantics import name_of

_UNKNOWN = 256
"""Values of calls of unknown cost that one batch may keep: each costs a task of its own."""

_UNIQUE = re.compile(r"[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def keep_values(graph: Graph) -> Graph:
    """Choose what to keep, and give it names of this plan.

    Kept are results, values that several tasks use, what is fitted on, and the values of calls
    that may take long: users' functions, fits and transformations, but no frame operations, which
    kernels do in milliseconds. A value that stays alive keeps the tasks alive by which it can be
    computed again: so all names in the graph must be ones that nobody gives to another task.

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
    topology, local = graph.topology, graph.local
    kept: set[Key] = set()
    unknown: dict[Key, str] = {}
    fitted: set[Key] = set()
    for key, node in graph.tasks.items():
        call = call_of(node)
        if call is None or graph.tokens[key] in local:
            continue
        name = name_of(call.func)
        if _fits(call.func, name):
            fitted.update(node.dependencies)
        if len(topology.consumers[topology.ids[key]]) > 1:
            kept.add(key)
        elif name is None or not (fusable(name, call.args, call.kwargs) or name in _TRIVIAL):
            unknown[key] = name or repr(call.func)
    for key in fitted & unknown.keys():
        kept.add(key)
        del unknown[key]
    if len(unknown) > _UNKNOWN:
        # One of each kind tells what the others cost.
        seen: Counter[str] = Counter()
        for key, kind in list(unknown.items()):
            seen[kind] += 1
            if seen[kind] > 1:
                del unknown[key]
    return frozenset(kept | unknown.keys())


_TRIVIAL = frozenset({"getattr", "operator.getitem", "stratum.own"})


def _fits(func: object, name: str | None) -> bool:
    method = getattr(func, "method", "") if type(func) is methodcaller else name or ""
    return method.rpartition(".")[2] in ("fit", "fit_transform", "fit_predict")


def _is_unique(key: Key) -> bool:
    """Tell whether nobody would give this name to another task."""
    name = key[0] if isinstance(key, tuple) and key else key
    return isinstance(name, str) and _UNIQUE.search(name) is not None
