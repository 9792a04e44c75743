"""What a task computes, as a content hash.

A token names a value: what is called, with which arguments, on which inputs. It depends neither
on names nor on how the value is computed, and is the same in every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from stratum_dask._native import identify_calls, identity
from stratum_dask.bytecode.bindings import positions_of
from stratum_dask.callables import (
    SCORERS,
    Classes,
    Function,
    describe,
    encode_estimator,
    encode_function,
    encode_object,
    encode_scorer,
)
from stratum_dask.draws import makes_drawing
from stratum_dask.files import FileIdentity, RemoteIdentity
from stratum_dask.graph import Graph, GraphNode, Key, NodeTypes, TaskRef, dependencies_at
from stratum_dask.literals import Draws, Unknown, digest, encode, other
from stratum_dask.numeric_class import numeric_class
from stratum_dask.objects import users_objects
from stratum_dask.ops.direct import Native
from stratum_dask.ops.reading import ColumnRead, ReadOnce
from stratum_dask.ops.sharing import Protected, is_immutable
from stratum_dask.ops.views import root_of
from stratum_dask.reads import outside, without_paths
from stratum_dask.semantics import (
    FITTING,
    PASSING,
    READERS,
    TAKING_ESTIMATORS,
    first_output,
    says_now,
    sets_randomness,
    uses_randomness,
    writes,
)

_DRAWING = "uses an estimator that draws randomness without an int random_state"


@dataclass
class Identities:
    """The identities of a graph's values.

    Attributes
    ----------
    tokens : dict of key to bytes
        16 bytes per value. Impure tasks have one of their own: their value is still one value.
    why_not : dict of key to str
        Why a task is impure.
    """

    tokens: dict[Key, bytes]
    why_not: dict[Key, str]


class Fingerprinter:
    """Identifies the tasks of one batch.

    Parameters
    ----------
    nodes : NodeTypes
        Dask's classes of tasks.

    Attributes
    ----------
    local : set of bytes
        Tokens that are names and not contents: they mean nothing in another batch.
    """

    def __init__(self, nodes: NodeTypes) -> None:
        self.nodes = nodes
        self._functions: dict[int, tuple[Any, Function]] = {}
        self._classes: Classes = {}
        self._literals: dict[int, tuple[Any, bytes]] = {}
        self._reads: dict[Key, tuple[FileIdentity | RemoteIdentity, ...]] = {}
        self._tasks: Mapping[Key, Any] = {}
        self._tokens: dict[Key, bytes] = {}
        self._call = b"T" + numeric_class()
        self._random: set[Key] = set()
        self._impure: Mapping[Key, str] = {}
        self._objects: frozenset[Key] = frozenset()
        self._holding: dict[Key, bool] = {}
        self.local: set[bytes] = set()

    # -- what the passes ask --------------------------------------------------------------------

    def identify(self, graph: Graph, private: Mapping[Key, str]) -> Identities:
        """Give every task its token.

        Parameters
        ----------
        graph : Graph
            Tokens that are known already stay.
        private : mapping of key to str
            Values that must not be shared, and why.

        Returns
        -------
        Identities
        """
        tasks = self._tasks = graph.tasks
        # A reference to an estimator that draws randomness finds no token, and is refused.
        known = {key: one for key, one in graph.tokens.items() if key not in self._random}
        found = Identities(known, {})
        tokens = self._tokens = found.tokens
        self._impure, self._holding = found.why_not, {}

        def one_by_one(key: Key) -> None:
            try:
                if key in private:
                    raise Unknown(private[key])
                token = self._node(key, tasks[key])
                if token is not None:
                    tokens[key] = token
            except (Unknown, RecursionError) as reason:
                if isinstance(reason, Draws) and not self._only_uses(tasks[key]):
                    self._random.add(key)
                else:
                    tokens[key] = self._external(key)
                found.why_not[key] = str(reason)

        objects = self._objects = graph.once(users_objects)
        impure = any(self.function(func).effects.reason for func, _ in graph.calls)
        plain = [
            (func, self._call + function.token)
            for func, nodes in graph.calls
            if _is_plain(function := self.function(func), func, nodes)
            and not (impure and _fits(function))
            and not (objects and any(self._runs_users_code(node, function) for node in nodes))
        ]
        identify_calls(
            [key for key in graph.topology.order if key not in tokens],
            tasks,
            [] if private else plain,
            partial(other, self._special),
            (self.nodes.task, self.nodes.ref),
            tokens,
            one_by_one,
        )
        tokens.update({key: self._external(key) for key in self._random if key in tasks})
        return found

    def identity(self, values: Sequence[Any], tokens: Mapping[Key, bytes]) -> bytes:
        """Return the identity of some arguments: literals, and references to values.

        Parameters
        ----------
        values : sequence
        tokens : mapping of key to bytes
            The identities of what they refer to.

        Raises
        ------
        Unknown
            If one of them cannot be identified.
        """
        self._tokens = tokens if isinstance(tokens, dict) else dict(tokens)
        return self._token(b"V", values, {})

    def fresh(self, node: Any) -> bool:
        """Tell whether a task's result shares no memory with what it is given."""
        if type(node) is not self.nodes.task:
            return not node.dependencies
        return self.function(node.func).name in READERS

    def passed_on(self, key: Key) -> Iterable[Key]:
        """Return the values that a task's value may be, hold, or be a part of."""
        node: Any = self._tasks.get(key)
        if type(node) is not self.nodes.task:
            return () if node is None else node.dependencies
        function = self.function(node.func)
        if function.name is not None:
            return node.dependencies if function.name in PASSING else ()
        returns = function.effects.returns
        positions = None if returns is None or node.kwargs else positions_of(node.func, returns)
        return dependencies_at(node, positions)

    def reads(self, node: GraphNode) -> tuple[FileIdentity | RemoteIdentity, ...]:
        """Return the files that a task reads, as they were when it was identified."""
        return self._reads.get(node.key, ())

    def function(self, func: Any) -> Function:
        """Return what is known of a callable, or of what one of ours wraps; cached."""
        known = self._functions.get(id(func))
        if known is None:
            inner = func
            while isinstance(inner, ReadOnce | ColumnRead | Protected | Native):
                inner = inner.func
            known = self._functions[id(func)] = (func, describe(inner))
        return known[1]

    # -- one task -------------------------------------------------------------------------------

    def _node(self, key: Key, node: Any) -> bytes | None:
        """Return the token of a task; None for an estimator that draws randomness."""
        kind = type(node)
        if kind is self.nodes.task:
            if self.function(node.func).draws and makes_drawing(node):
                self._random.add(key)
                return None
            return self._task(key, node)
        if kind is self.nodes.data:
            if isinstance(node.value, BaseEstimator) and uses_randomness(node.value):
                self._random.add(key)
                return None
            if says_now(node.value):
                raise Unknown("says now or today, which may mean the clock")
            return self._token(b"D", (node.value,), {})
        if kind is self.nodes.alias:
            if node.target in self._random:
                self._random.add(key)
                return None
            return self._value(node.target)
        raise Unknown(f"is a {kind.__name__}, which is not known")

    def _task(self, key: Key, node: Any) -> bytes:
        function = self.function(node.func)
        found = function.effects
        if found.reason is not None:
            raise Unknown(found.reason)
        if self._objects and self._runs_users_code(node, function):
            raise Unknown("may run the code of a class of the user, which is not known to be pure")
        head = self._call + function.token
        args, kwargs = node.args, node.kwargs
        if self._splits(node, function):
            raise Unknown("returns an iterator, which can be consumed only once")
        if function.draws:
            if makes_drawing(node):
                raise Draws(_DRAWING)
        elif function.looks_outside:
            contents, files = outside(node, function)
            if files:
                self._reads[key] = files
            head += b"".join(contents)
            args, kwargs = without_paths(node, function)
        if writes(function.name, node.func, len(args), kwargs):
            raise Unknown("writes into one of its arguments (inplace= or out=)")
        if found.dates and says_now((args, kwargs)):
            raise Unknown("looks at the clock")
        if function.name is None and found.mutates:
            head += _repeats(node)
        if self._impure and _fits(function) and self._fits_unknown(node, function):
            makes = function.name is not None and function.name.startswith("sklearn.")
            raise (Draws if makes else Unknown)("may fit an estimator that draws randomness")
        if function.name == ".set_params" and sets_randomness(kwargs):
            raise Draws(_DRAWING)
        return self._token(head, args, kwargs)

    def _runs_users_code(self, node: Any, function: Function) -> bool:
        """Tell whether a library's function is given an object whose class is not understood."""
        name = function.name
        if name is None or name.startswith("stratum."):
            return False
        return not self._objects.isdisjoint(node.dependencies)

    def _fits_unknown(self, node: Any, function: Function) -> bool:
        """Tell whether a task fits, or puts into another, what an impure task made."""
        positions: tuple[int, ...] | None = None
        if function.name is not None:
            first = function.name.startswith((".", "sklearn.model_selection.cross_"))
            positions = (0,) if first else None
        elif not node.kwargs:
            positions = positions_of(node.func, function.effects.fits)
        return any(map(self._may_hold_impure, dependencies_at(node, positions)))

    def _may_hold_impure(self, key: Key) -> bool:
        """Tell whether a value is, or may hold or be a part of, what an impure task made."""
        found = self._holding.get(key)
        if found is None:
            self._holding[key] = False  # for a circle, which is an error elsewhere
            found = key in self._impure or any(map(self._may_hold_impure, self.passed_on(key)))
            self._holding[key] = found
        return found

    def _only_uses(self, node: Any) -> bool:
        """Tell whether what a task returns is no estimator that is still to be fitted."""
        name = self.function(node.func).name if type(node) is self.nodes.task else None
        if name is None:
            return False
        fits = name[1:] in FITTING and name not in (".set_params", ".set_output")
        return fits or name.startswith(("sklearn.model_selection.", "stratum."))

    def _splits(self, node: Any, function: Function) -> bool:
        """Tell whether a task calls ``split`` of what another makes: folds, one after another."""
        if function.name != ".split":
            return False
        maker: Any = self._tasks.get(getattr(node.args[0], "key", None))
        name = self.function(maker.func).name if type(maker) is self.nodes.task else None
        return name is not None and name.startswith("sklearn.model_selection.")

    def _token(self, head: bytes, args: Iterable[Any], kwargs: dict[str, Any]) -> bytes:
        # Made anew each time: kept, it would hold this object in a circle.
        rest = partial(other, self._special)
        return identity(head, args, kwargs, rest, self.nodes.ref, self._tokens)

    def _special(self, value: Any) -> bytes | None:
        """Encode what stands for the values of tasks, and what takes long once per object."""
        nodes: Any = self.nodes
        if isinstance(value, nodes.ref):  # a Future among them
            return b"R" + self._value(value.key)
        if isinstance(value, nodes.alias):
            return b"R" + self._value(value.target)
        if isinstance(value, nodes.data):
            return encode(value.value, self._special)
        if isinstance(value, nodes.container):
            return self._token(b"C", (value.klass, *value.args), {})
        if isinstance(value, nodes.task):
            return self._task(value.key, value)
        known = self._literals.get(id(value))
        if known is not None:
            return known[1]
        if isinstance(value, BaseEstimator):
            if uses_randomness(value):
                raise Draws("has an estimator that draws randomness without an int random_state")
            try:
                token = encode_estimator(value, self._classes)
            except Unknown as unknown:  # such as one whose own code draws
                raise Draws(str(unknown)) from None
        elif type(value).__module__ == SCORERS:
            token = encode_scorer(value)
        elif callable(value):
            function = self.function(value)
            if why := function.why_not_held:
                raise Unknown(f"is given {value!r}, which {why}")
            token = encode_function(value, function)
        else:
            found = encode_object(value, self._special)
            if found is None:
                return None
            token = found
        self._literals[id(value)] = (value, token)
        return token

    def _value(self, key: Key) -> bytes:
        if key in self._random:  # what uses it is impure, each time anew
            raise Draws(_DRAWING)
        return self._tokens.get(key) or self._external(key)

    def _external(self, key: Key) -> bytes:
        token = digest(b"K" + repr(key).encode())
        self.local.add(token)
        return token


def _is_plain(function: Function, func: Any, nodes: Iterable[Any]) -> bool:
    """Tell whether calls without keywords are what their function and arguments are."""
    if function.effects.reason is not None or function.looks_outside or function.name == ".split":
        return False
    if function.name is None and function.effects.mutates and any(map(_repeats, nodes)):
        return False
    if function.effects.dates and any(says_now(node.args) for node in nodes):
        return False
    first = first_output(function.name, func)
    return first is None or all(len(node.args) <= first for node in nodes)


def _repeats(node: Any) -> bytes:
    """Return which literals of a call are one object, or one memory; nothing if none are."""
    if all(type(one) in _SIMPLE for one in node.args) and not node.kwargs:
        return b""
    found: dict[int, int] = {}
    pattern = [
        found.setdefault(id(root_of(one) if isinstance(one, np.ndarray) else one), len(found))
        for one in (*node.args, *node.kwargs.values())
        if not is_immutable(one)
    ]
    return repr(pattern).encode() if len(found) < len(pattern) else b""


_SIMPLE = frozenset({TaskRef, type(None), bool, int, float, str})


def _fits(function: Function) -> bool:
    """Tell whether a call may fit what it is given, or put it where it will be fitted."""
    name = function.name
    if name is None:
        return bool(function.effects.fits)
    made = name.startswith("sklearn.") and name.rpartition(".")[2][0].isupper()
    return made or name in TAKING_ESTIMATORS or name[1:] in FITTING
