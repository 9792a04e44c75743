"""Values that other plans have computed are not computed again.

load -> clean -> features -> fit        ==>        <Future of features> -> fit
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stratum_dask.edits import Edits
from stratum_dask.graph import (
    DataNode,
    Graph,
    GraphNode,
    Key,
    Known,
    Task,
    TaskRef,
    call_of,
)
from stratum_dask.ops.reading import ReadOnce
from stratum_dask.ops.sharing import own
from stratum_dask.ops.stored import Originals


def cut_at_known(graph: Graph) -> Graph:
    """Replace the values that are known elsewhere, as near to the outputs as possible.

    Runs after merging and before fusion, which hides values. A value that is alive is referred to
    by its Future; a wanted one gets a copy of its own.

    Parameters
    ----------
    graph : Graph
        With the tokens of all its tasks.

    Returns
    -------
    Graph
        The same object when nobody knows anything. Linear in tasks and references.
    """
    if not graph.known or graph.fingerprinter is None:
        return graph
    graph = _read_once(graph)
    graph = graph.with_(local=_local(graph))
    found = _find(graph)
    return _cut(graph, found) if found else graph


def _read_once(graph: Graph) -> Graph:
    """Let all that reads files look again afterwards: other plans will trust their content."""
    reads = graph.fingerprinter.reads
    guarded: dict[Key, GraphNode] = {}
    for key, node in graph.tasks.items():
        call, guards = call_of(node), reads(node)
        if guards and call is not None and not isinstance(call.func, ReadOnce):
            guarded[key] = Task(key, ReadOnce(call.func, guards), *call.args, **call.kwargs)
    return graph.with_(tasks={**graph.tasks, **guarded}) if guarded else graph


def _local(graph: Graph) -> frozenset[bytes]:
    """Return the tokens of all that depends on what has a name only."""
    tokens = graph.tokens
    local: set[bytes] = set(graph.fingerprinter.local)
    for key in graph.topology.order:
        if any(
            one in graph.external or tokens[one] in local for one in graph.tasks[key].dependencies
        ):
            local.add(tokens[key])
    return frozenset(local)


def _find(graph: Graph) -> dict[Key, TaskRef | Known]:
    asked: dict[bytes, list[Key]] = {}
    for key, node in graph.tasks.items():
        token = graph.tokens[key]
        if token not in graph.local and not isinstance(node, DataNode):
            asked.setdefault(token, []).append(key)
    found: dict[Key, TaskRef | Known] = {}
    for source in graph.known:
        if not asked:
            break
        for token, known in source.find(list(asked)).items():
            for key in asked.pop(token):
                found[key] = known
    return found


def _cut(graph: Graph, found: Mapping[Key, TaskRef | Known]) -> Graph:
    """Cut the graph where a value is known whose consumers are not."""
    tasks = graph.tasks
    found = dict(found)
    live = _alive_under_own_names(graph, found)
    instead: dict[Key, Any] = {}
    new: dict[Key, GraphNode] = {}
    reused: dict[Key, Key] = {}
    saved = dict(graph.saved)
    external, writers = set(graph.external), set(graph.writers)
    tokens, sizes = dict(graph.tokens), dict(graph.sizes)
    of_values = {token: size for source in graph.known for token, size in source.sizes.items()}
    originals = Originals(graph.plan, tasks)
    makes_writer = Edits(tasks, graph.fingerprinter.function, writers).makes_writer
    seen: set[Key] = set()
    stack = list(graph.wanted)
    while stack:
        key = stack.pop()
        if key in seen or key not in tasks:
            continue
        seen.add(key)
        known = found.get(key)
        ref: TaskRef | None = None
        if isinstance(known, TaskRef):
            ref = known
            external.add(known.key)
        elif known is not None:
            fresh = graph.invent("found", tokens[key].hex())
            node = new.get(fresh) or known.task(fresh, key, originals)
            if node is not None:
                ref, new[fresh], saved[fresh] = TaskRef(fresh), node, known.seconds
                stack.extend(node.dependencies)
        if ref is None:
            stack.extend(tasks[key].dependencies)
            continue
        instead[key], reused[key], tokens[ref.key] = ref, ref.key, tokens[key]
        sizes[ref.key] = of_values.get(tokens[key], 0)
        if makes_writer(key):  # which nobody can see any more
            writers.add(ref.key)
    for key in seen - instead.keys():
        node = tasks[key]
        if not instead.keys().isdisjoint(node.dependencies):
            node = node.substitute(instead, key=key)
        new[key] = node
    for key in graph.wanted & instead.keys():
        if key not in live:
            new[key] = Task(key, own, instead[key])
    order = [*(key for key in new if key not in tasks), *(key for key in tasks if key in new)]
    return graph.with_(
        tasks={key: new[key] for key in order},
        external=frozenset(external),
        tokens=tokens,
        reused={**graph.reused, **reused},
        saved=saved,
        sizes=sizes,
        writers=frozenset(writers),
        live=live,
    )


def _alive_under_own_names(graph: Graph, found: dict[Key, TaskRef | Known]) -> dict[Key, TaskRef]:
    """Return the Futures of outputs that need no task at all.

    Where only a part of an output's keys is alive under its own name, those are computed as if
    they were not known, which the scheduler then need not do: a task cannot refer to its own key.
    """
    live: dict[Key, TaskRef] = {}
    for output in graph.outputs:
        own_name = {
            key: known
            for key in output.keys
            if isinstance(known := found.get(key), TaskRef) and known.key == key
        }
        if len(own_name) == len(set(output.keys)):
            live.update(own_name)
        else:
            for key in own_name:
                del found[key]
    return {key: ref for key, ref in live.items() if key in found}
