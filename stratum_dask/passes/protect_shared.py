"""Give functions that may edit their arguments copies of what others can see."""

from __future__ import annotations

from stratum_dask._native import digest
from stratum_dask.callables import Function
from stratum_dask.edits import editors, holds_mutable_literal
from stratum_dask.graph import (
    Call,
    DataNode,
    Graph,
    GraphNode,
    Key,
    Task,
    TaskRef,
    call_of,
    nested_calls,
)
from stratum_dask.ops.sharing import Protected, is_immutable, own
from stratum_dask.semantics import VIEWS, consumed_once, name_of


def protect_shared(graph: Graph) -> Graph:
    """Wrap tasks that may edit a value whose memory others may see.

    A value is exposed when several tasks use it, when the user wants it and a task uses it, when
    it comes from outside, when it is an object that the user wrote down, and still holds, or that
    a function may keep elsewhere, as a cache does, or when it may be a view of an exposed value. A
    wanted value that may be such a view is copied too: the user may edit it. Runs after merging,
    which decides who shares, and before fusion, which hides it.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when no task needs protection. Linear in tasks and references.
    """
    knowledge = graph.fingerprinter
    if knowledge is None:
        return graph
    edits = editors(graph)
    if not (edits or graph.edited or graph.merged or graph.external or graph.kept):
        return graph
    topology = graph.topology
    consumers, ids, visible = topology.consumers, topology.ids, graph.visible
    exposed: set[Key] = set()
    shared: set[Key] = set()  # what more than one task, or the user, is known to use
    protected: dict[Key, GraphNode] = {}
    tokens: dict[Key, bytes] = {}
    for key in topology.order:
        node = graph.tasks[key]
        users = len(consumers[ids[key]])
        sees_exposed = any(d in exposed or d not in ids for d in node.dependencies)
        call = call_of(node)
        guard = None
        on_copies = sees_exposed and _inner_edits(graph, node, edits.get(key, ()))
        if on_copies:
            copies = {d: graph.invent("own", f"{key}{d}") for d in node.dependencies if d in ids}
            protected.update({new: Task(new, own, TaskRef(d)) for d, new in copies.items()})
            tokens.update({new: digest(b"own" + graph.tokens[d]) for d, new in copies.items()})
            protected[key] = node.substitute(copies, key=key)
        elif call is not None and not isinstance(call.func, Protected):
            guard = _guard(graph, key, node, call, edits.get(key, ()), sees_exposed)
            if guard is not None and sees_exposed:
                guard.shared = any(d in shared or d not in ids for d in node.dependencies)
        if guard is not None and call is not None:
            protected[key] = Task(key, guard, *call.args, **call.kwargs)
        takes_copies = guard is not None and guard.positions is None
        takes_copies |= on_copies
        inherited = sees_exposed and not takes_copies and not knowledge.fresh(node)
        literal = isinstance(node, DataNode) and not is_immutable(node.value)
        kept = call is not None and knowledge.function(call.func).effects.returns_others
        if users > 1 or (users and key in visible) or literal or kept or inherited:
            exposed.add(key)
        inherited = inherited and not shared.isdisjoint(node.dependencies)
        if users > 1 or key in visible or literal or inherited:
            shared.add(key)
    if not protected:
        return graph
    return graph.with_(tasks={**graph.tasks, **protected}, tokens={**graph.tokens, **tokens})


def _past_pandas(function: Function, edits: tuple[int, ...] | None) -> bool:
    """Tell whether an editor may write into a frame without pandas, which copies what it writes to.

    scikit-learn does where it was asked not to copy: it makes the read-only memory writeable.
    """
    found = function.effects
    if function.name is not None:
        return edits is None
    return found.beneath or found.makes_writers or found.hands or bool(found.reason or found.fits)


def _inner_edits(graph: Graph, node: GraphNode, edits: tuple[int, ...] | None) -> bool:
    """Tell whether a task holds calls in its arguments, and one of all its calls may edit."""
    inner = list(nested_calls(node))
    if not inner or not graph.edited.isdisjoint((node.key, *node.dependencies)):
        return False
    assert graph.fingerprinter is not None
    function = graph.fingerprinter.function
    return edits != () or any(function(one.func).effects.mutates for one in inner)


def _guard(
    graph: Graph,
    key: Key,
    node: GraphNode,
    call: Call,
    edits: tuple[int, ...] | None,
    sees_exposed: bool,
) -> Protected | None:
    """Return the function of a task with the copies that it needs, or None if it needs none."""
    if key in graph.edited:
        # Its value will be edited on purpose, and must be no view of what others see.
        return Protected(call.func, deep=True) if sees_exposed else None
    assert graph.fingerprinter is not None
    function = graph.fingerprinter.function(call.func)
    if sees_exposed and (function.effects.iterates or consumed_once(function.name or "")):
        # Whoever goes through it later gets what it was given, and cannot copy the iterator.
        return Protected(call.func)
    on_purpose = not graph.edited.isdisjoint(node.dependencies)
    if edits != () and not on_purpose and (sees_exposed or holds_mutable_literal(call)):
        return Protected(call.func, edits, deep=_past_pandas(function, edits))
    name = name_of(call.func)
    if sees_exposed and key in graph.wanted and (name is None or name in VIEWS):
        return Protected(call.func, positions=(), result=True)
    return None
