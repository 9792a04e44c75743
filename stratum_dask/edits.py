"""Which of its arguments a task may change.

fit(model, X, y)       changes the model; X too, if the model was made with copy_X=False
clean(frame)           a user's function that assigns to something: any of its arguments
df.fillna(0)           nothing
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stratum_dask.bytecode.bindings import positions_of
from stratum_dask.callables import Function
from stratum_dask.graph import Call, DataNode, Graph, GraphNode, Key, Task, TaskRef, call_of
from stratum_dask.objects import users_objects
from stratum_dask.ops.sharing import is_immutable
from stratum_dask.ops.whole import WholeCall
from stratum_dask.semantics import (
    CALLING,
    FITTING,
    MUTATING_METHODS,
    OPAQUE,
    OWN_FITS,
    OWN_USES,
    TRANSFORMING,
    asks_to_write,
    first_output,
    writes,
)
from stratum_dask.writers import looks_like_estimator, may_write


def editors(graph: Graph) -> dict[Key, tuple[int, ...] | None]:
    """Return the tasks that may change arguments that others can see.

    Parameters
    ----------
    graph : Graph
        With a fingerprinter.

    Returns
    -------
    dict of key to tuple of int or None
        The positions of the arguments that may be changed; None for any.
    """
    function = graph.fingerprinter.function
    positions = Edits(graph.tasks, function, graph.writers).positions
    found: dict[Key, tuple[int, ...] | None] = {}
    objects = graph.once(users_objects)
    for func, nodes in graph.calls:
        known = function(func)
        calls_methods = objects and known.name and not known.name.startswith("stratum.")
        harmless, first = _is_harmless(known), first_output(known.name, func)
        for node in nodes:
            if calls_methods and not objects.isdisjoint(node.dependencies):
                found[node.key] = None
                continue
            if harmless and not node.kwargs and (first is None or len(node.args) <= first):
                continue
            if (node.dependencies or holds_mutable_literal(node)) and (
                changed := positions(node)
            ) != ():
                found[node.key] = changed
    return found


def holds_mutable_literal(call: Call | Task) -> bool:
    """Tell whether a call is given an object of the user's that could be changed."""
    values = (*call.args, *call.kwargs.values()) if call.kwargs else call.args
    for value in values:
        if not is_immutable(value) and not isinstance(value, GraphNode | TaskRef):
            return True
    return False


_EDITING = OPAQUE | OWN_FITS | OWN_USES
_EDITING |= CALLING | {f".{method}" for method in FITTING | TRANSFORMING | MUTATING_METHODS}


def _is_harmless(function: Function) -> bool:
    """Tell whether calls of a function change nothing unless their keywords ask for it."""
    found = function.effects
    only_reads = found.changes == frozenset() and not found.hands and not found.fits
    return only_reads and function.name not in _EDITING


class Edits:
    """Answers for the tasks of one graph.

    Parameters
    ----------
    tasks : mapping of key to GraphNode
    function : callable
        Gives what is known of a callable.
    writers : iterable of keys
        Values of which it is known that they may hold an estimator that writes into its input.
    """

    def __init__(
        self,
        tasks: Mapping[Key, GraphNode],
        function: Callable[[Any], Function],
        writers: Iterable[Key] = (),
    ) -> None:
        self._tasks = tasks
        self._function = function
        self._writers: dict[Key, bool] = dict.fromkeys(writers, True)
        self._estimators: dict[int, tuple[Any, bool]] = {}

    def positions(self, node: GraphNode) -> tuple[int, ...] | None:
        """Return the positions of the arguments that a task may change; None for any.

        Examples
        --------
        >>> from stratum_dask.fingerprint import Fingerprinter
        >>> from stratum_dask.graph import NODE_TYPES, Task, TaskRef
        >>> edits = Edits({}, Fingerprinter(NODE_TYPES).function)
        >>> edits.positions(Task("x", len, TaskRef("y")))
        ()
        """
        call = call_of(node)
        if call is None:
            return ()
        function = self._function(call.func)
        if isinstance(call.func, WholeCall):
            return ()
        if function.name in OPAQUE:
            # A scorer stays the user's own object, which may keep records.
            return (0, 1, 2) if function.name == "stratum.opaque_score" else None
        if function.name in OWN_FITS or function.name in OWN_USES:
            return None if self._makes_writer(call.args[0]) else ()
        method = function.name[1:] if function.name and function.name[0] == "." else None
        if method in FITTING or method in TRANSFORMING:
            if call.args and self._makes_writer(call.args[0]):
                return None
            return (0,) if method in FITTING else ()
        if method in MUTATING_METHODS:
            return (0,)
        if writes(function.name, call.func, len(call.args), call.kwargs):
            return None
        calls = function.name in CALLING or function.effects.hands
        given = (*call.args, *call.kwargs.values())
        if calls and self._hands_editor(given):
            return None
        if (function.effects.hands or function.effects.fits) and any(
            map(self._makes_writer, given)
        ):
            return None
        return _positions(call, function.effects.changes)

    def _hands_editor(self, values: Iterable[Any]) -> bool:
        """Tell whether a function that may change what it is called with is among some values."""
        for value in values:
            if isinstance(value, TaskRef):
                value = self._tasks.get(value.key)
            if isinstance(value, DataNode):
                value = value.value
            if isinstance(value, list | tuple) and self._hands_editor(value):
                return True
            if isinstance(value, dict) and self._hands_editor(value.values()):
                return True
            if (
                callable(value)
                and not isinstance(value, GraphNode)
                and self._function(value).effects.mutates
            ):
                return True
        return False

    def makes_writer(self, key: Key) -> bool:
        """Tell whether a task's value may hold an estimator that writes into what it is given."""
        return self._makes_writer(TaskRef(key))

    def _makes_writer(self, argument: Any) -> bool:
        """Tell whether a value may hold an estimator that writes into what it is fitted on."""
        if isinstance(argument, TaskRef):
            known = self._writers.get(argument.key)
            if known is None:
                self._writers[argument.key] = False  # for a circle, which is an error elsewhere
                node = self._tasks.get(argument.key)
                known = self._writers[argument.key] = node is not None and self._makes_writer(node)
            return known
        if isinstance(argument, DataNode):
            return self._makes_writer(argument.value)
        if looks_like_estimator(argument):
            found = self._estimators.get(id(argument))
            if found is None:  # kept with the object, so that its id stays its own
                found = self._estimators[id(argument)] = (argument, may_write(argument))
            return found[1]
        if isinstance(argument, dict):
            return any(asks_to_write(*item) for item in argument.items()) or any(
                map(self._makes_writer, argument.values())
            )
        if isinstance(argument, list | tuple):
            return any(map(self._makes_writer, argument))
        if not isinstance(argument, GraphNode):
            return False
        call = call_of(argument)
        if call is None:
            return any(self._makes_writer(TaskRef(key)) for key in argument.dependencies)
        function = self._function(call.func)
        if function.name in OWN_FITS or (function.name and function.name[1:] in FITTING):
            return bool(call.args) and self._makes_writer(call.args[0])
        if function.effects.makes_writers:
            return True
        return self._makes_writer(call.kwargs) or self._makes_writer(call.args)


def _positions(call: Call, names: frozenset[str] | None) -> tuple[int, ...] | None:
    """Return where a call passes the parameters of these names; None if that cannot be said."""
    if names is None or not names.isdisjoint(call.kwargs):
        return None
    return positions_of(call.func, names)
