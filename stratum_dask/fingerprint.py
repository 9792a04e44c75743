"""What a task computes, as a content hash.

A token names a value: what is called, with which arguments, on which inputs. It depends neither
on names nor on how the value is computed, and is the same in every process.
"""

from __future__ import annotations

import inspect
import os
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib import metadata
from typing import Any
from weakref import WeakKeyDictionary

from sklearn.base import BaseEstimator

from stratum_dask._native import identify_calls, identity
from stratum_dask.files import (
    FileIdentity,
    RemoteIdentity,
    compression_of,
    identify_file,
    identify_url,
)
from stratum_dask.graph import Graph, GraphNode, Key, NodeTypes
from stratum_dask.literals import Unknown, digest, encode, other
from stratum_dask.numeric_class import numeric_class
from stratum_dask.ops.direct import Native
from stratum_dask.ops.reading import ColumnRead, ReadOnce
from stratum_dask.ops.sharing import Protected
from stratum_dask.purity import (
    Effects,
    arguments,
    effects,
    is_current,
    is_settled,
    unwrapped,
)
from stratum_dask.semantics import (
    MUTATING_METHODS,
    READERS,
    SEEDED,
    consumed_once,
    declared,
    is_pure,
    name_of,
    of_library,
    uses_randomness,
)
from stratum_dask.writers import CALLED

_WRITES = frozenset({"inplace", "out"})


@dataclass(frozen=True)
class Function:
    """What is known of a callable.

    Attributes
    ----------
    token : bytes
        Its identity.
    name : str or None
        Its canonical name, if the semantics table knows it.
    effects : Effects
        What it does besides returning a value.
    """

    token: bytes
    name: str | None
    effects: Effects

    @cached_property
    def looks_outside(self) -> bool:
        """Whether its value depends on files, or on a seed among its arguments."""
        found = self.effects
        known = self.name in SEEDED or self.name in READERS
        return known or bool(found.paths or found.seeds)


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
        self._literals: dict[int, tuple[Any, bytes]] = {}
        self._reads: dict[Key, tuple[FileIdentity | RemoteIdentity, ...]] = {}
        self._tokens: dict[Key, bytes] = {}
        self._call = b"T" + numeric_class()
        self._random: set[Key] = set()
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
        tasks = graph.tasks
        # A reference to an estimator that draws randomness finds no token, and is refused.
        known = {key: one for key, one in graph.tokens.items() if key not in self._random}
        found = Identities(known, {})
        tokens = self._tokens = found.tokens

        def one_by_one(key: Key) -> None:
            try:
                if key in private:
                    raise Unknown(private[key])
                token = self._node(key, tasks[key])
                if token is not None:
                    tokens[key] = token
            except (Unknown, RecursionError) as reason:
                tokens[key] = self._external(key)
                found.why_not[key] = str(reason)

        plain = [
            (func, self._call + function.token)
            for func, _ in graph.calls
            if not ((function := self.function(func)).effects.reason or function.looks_outside)
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
            known = self._functions[id(func)] = (func, _describe(inner))
        return known[1]

    # -- one task -------------------------------------------------------------------------------

    def _node(self, key: Key, node: Any) -> bytes | None:
        """Return the token of a task; None for an estimator that draws randomness."""
        kind = type(node)
        if kind is self.nodes.task:
            return self._task(key, node)
        if kind is self.nodes.data:
            if isinstance(node.value, BaseEstimator) and uses_randomness(node.value):
                self._random.add(key)
                return None
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
        head = self._call + function.token
        args, kwargs = node.args, node.kwargs
        if function.looks_outside:
            head += b"".join(self._outside(key, node, function))
            args, kwargs = _without_paths(node, function)
        if kwargs and not _WRITES.isdisjoint(kwargs):
            raise Unknown("writes into one of its arguments (inplace= or out=)")
        return self._token(head, args, kwargs)

    def _token(self, head: bytes, args: Iterable[Any], kwargs: dict[str, Any]) -> bytes:
        # Made anew each time: kept, it would hold this object in a circle.
        rest = partial(other, self._special)
        return identity(head, args, kwargs, rest, self.nodes.ref, self._tokens)

    def _outside(self, key: Key, node: Any, function: Function) -> list[bytes]:
        """Return the content of the files that a task reads, and check its seeds."""
        given = dict(node.kwargs)
        options = None
        paths: list[Any] = [one.value for one in function.effects.paths if one.value is not None]
        if function.name in SEEDED:
            seed = given.get("random_state")
            if not isinstance(seed, int):
                raise Unknown(f"calls {function.name} without an int random_state")
            return []
        if function.name in READERS:
            paths.append(node.args[0] if node.args else None)
            options = given.get("storage_options") or {}
        else:
            func, args, kwargs = unwrapped(node.func)
            try:
                given = dict(arguments(func, (*args, *node.args), {**kwargs, **given}))
            except TypeError as error:  # the call fails when it runs, as the user wrote it
                raise Unknown(f"does not fit its function: {error}") from None
            for seed in function.effects.seeds:
                if not isinstance(given.get(seed), int):
                    raise Unknown(f"draws randomness: {seed} is no int")
            paths += [given.get(one.parameter) for one in function.effects.paths if one.parameter]
        files = tuple(_file(path, options) for path in paths)
        if files:
            self._reads[key] = files
        return [
            file.content + compression_of(os.fspath(path)).encode()
            for file, path in zip(files, paths, strict=True)
        ]

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
                raise Unknown("has an estimator that draws randomness without an int random_state")
            token = _estimator(value)
        elif type(value).__module__ == _SCORERS:
            token = _scorer(value)
        elif callable(value):
            function = self.function(value)
            if function.effects.reason is not None:
                raise Unknown(f"is given {value!r}, which {function.effects.reason}")
            if function.effects.paths or function.effects.seeds:
                raise Unknown(f"is given {value!r}, which reads a path or takes a seed")
            token = b"F" + function.token
        else:
            return None
        self._literals[id(value)] = (value, token)
        return token

    def _value(self, key: Key) -> bytes:
        if key in self._random:  # what uses it is impure, each time anew
            raise Unknown("uses an estimator that draws randomness without an int random_state")
        return self._tokens.get(key) or self._external(key)

    def _external(self, key: Key) -> bytes:
        token = digest(b"K" + repr(key).encode())
        self.local.add(token)
        return token


_SCORERS = "sklearn.metrics._scorer"


def _estimator(value: BaseEstimator) -> bytes:
    """Encode an estimator: class, version, and all that it holds, fitted or not."""
    kind = type(value)
    name: list[Any] = [kind.__module__, kind.__qualname__, _version(kind)]
    if of_library(kind) is None:
        name.append(_users_class(kind))
    return b"E" + encode([name, sorted(vars(value).items())], _inside)


def _inside(value: Any) -> bytes | None:
    """Encode what an estimator or a scorer holds: functions among it are called."""
    if isinstance(value, types.FunctionType | partial) and not declared(value):
        found = _describe(value).effects
        if found.reason or found.paths or found.seeds:
            why = found.reason or "reads a path or takes a seed"
            raise Unknown(f"has an estimator or scorer that calls {value!r}, which {why}")
    if type(value).__module__ == _SCORERS:
        return _scorer(value)
    return _special(value)


def _scorer(value: Any) -> bytes:
    """Encode one of scikit-learn's scorers."""
    kind = type(value).__qualname__
    # What passes on to an estimator's own `score` holds an estimator, but never looks at it.
    held = {} if kind == "_PassthroughScorer" else vars(value)
    return b"S" + encode([kind, _version(type(value)), sorted(held.items())], _inside)


def _users_class(kind: type) -> bytes:
    """Identify an estimator's class that the user wrote, by the code of what is called of it.

    Raises
    ------
    Unknown
        If that is not known to be pure.
    """
    said = declared(kind)
    if said is False:
        raise Unknown(f"has an estimator of the class {kind.__name__}, declared impure")
    parts: list[bytes] = []
    for base in kind.__mro__:
        if of_library(base) is not None or base.__module__ == "builtins":
            continue
        for name, method in sorted(vars(base).items()):
            if isinstance(method, types.FunctionType):
                method = inspect.unwrap(method)  # scikit-learn wraps some, for `set_output`
                found = effects(method)
                if name in ("__init__", *CALLED) and found.reason and not said:
                    raise Unknown(
                        f"has an estimator of the class {kind.__name__}, whose method {name} "
                        f"{found.reason}; declare the class with stratum_dask.pure if its fits "
                        "and predictions depend on nothing but parameters and data"
                    )
                parts += [name.encode(), _code(method, found.uses, ())]
            elif not name.startswith("__") and name not in _MADE_BY_LIBRARIES:
                parts += [name.encode(), encode(method, _held_by_class)]
    return digest(b"".join(parts))


_MADE_BY_LIBRARIES = frozenset({"_abc_impl", "_parameter_constraints"})


def _held_by_class(value: Any) -> bytes | None:
    """Encode an attribute of a class; what libraries add to it follows from its code."""
    if isinstance(value, property | classmethod | staticmethod):
        inner = [getattr(value, name, None) for name in ("fget", "__func__")]
        return b"".join(_code(f, effects(f).uses, ()) for f in inner if f is not None)
    if of_library(type(value)) is not None and type(value).__module__.startswith("sklearn."):
        return type(value).__qualname__.encode()
    return _special(value)


def _without_paths(node: Any, function: Function) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a reading task without the paths, whose content counts instead."""
    if function.name in READERS:
        return list(node.args[1:]), node.kwargs
    only_read = {one.parameter for one in function.effects.paths if one.only_read}
    if not only_read or unwrapped(node.func)[0] is not node.func:
        return list(node.args), node.kwargs
    names = list(inspect.signature(node.func).parameters)[: len(node.args)]
    args = [None if name in only_read else a for name, a in zip(names, node.args, strict=False)]
    args += node.args[len(names) :]
    return args, {name: a for name, a in node.kwargs.items() if name not in only_read}


def _file(path: Any, options: Any = None) -> FileIdentity | RemoteIdentity:
    """Identify a file; a URL only if the `options` of its file system are known, too."""
    if not isinstance(path, str | os.PathLike):
        raise Unknown("reads a path that is not known at plan time")
    name = os.fspath(path)
    if "://" in name:
        if not isinstance(options, Mapping):
            raise Unknown(f"reads the URL {name}, whose content is not known at plan time")
        try:
            return identify_url(name, options)
        except Exception as error:  # file systems raise errors of their own
            raise Unknown(f"reads the URL {name}: {type(error).__name__}: {error}") from None
    try:
        return identify_file(name)
    except OSError:
        raise Unknown(f"reads {name!r}, which cannot be read at plan time") from None


# -- functions ---------------------------------------------------------------------------------


def _describe(func: Any) -> Function:
    name = name_of(func)
    if name is not None and (name in READERS or name in SEEDED or is_pure(name, func)):
        method = name[1:] if name.startswith(".") else None
        reason = (
            "returns an iterator, which can be consumed only once" if consumed_once(name) else None
        )
        found = Effects(reason, changes=None if method in MUTATING_METHODS else frozenset())
        return Function(digest(name.encode() + _version(func)), name, found)
    inner, args, kwargs = unwrapped(func)
    if inner is not func:
        base = _describe(inner)
        try:
            fixed = encode([args, kwargs], _special)
        except Unknown as unknown:
            return Function(b"", None, Effects(str(unknown), changes=None))
        return Function(digest(b"P" + base.token + fixed), None, base.effects)
    if not isinstance(func, types.FunctionType):
        if declared(func):
            return Function(digest(repr(type(func)).encode()), None, Effects(changes=None))
        what = name or getattr(func, "__qualname__", type(func).__name__)
        token = digest(name.encode() + _version(func)) if name else b""
        return Function(token, name, Effects(f"{what} is not known to be pure", changes=None))
    return _describe_user(func)


_State = tuple[types.CodeType, bool | None]
"""The code of a function, and what the user declared of it."""

_described: WeakKeyDictionary[types.FunctionType, tuple[_State, Function]] = WeakKeyDictionary()


def _describe_user(func: types.FunctionType) -> Function:
    """Analyse a user's function, or remember it while all that it refers to is the same."""
    known = _remembered(func, frozenset())
    if known is not None:
        return known
    found = effects(func)
    try:
        known = Function(_code(func, found.uses, ()), None, found)
    except Unknown as unknown:
        found.reason = found.reason or str(unknown)
        known = Function(b"", None, found)
    if is_settled(func, found.uses):
        _described[func] = (func.__code__, declared(func)), known
        for inner in _inner(found.uses):
            if inner not in _described:
                _describe_user(inner)
    return known


def _remembered(
    func: types.FunctionType, callers: frozenset[types.FunctionType]
) -> Function | None:
    """Return what is known of a function, if it and all that it calls are as they were."""
    state, known = _described.get(func, (None, None))
    if known is None or state != (func.__code__, declared(func)):
        return None
    if not is_current(func, known.effects.uses):
        return None
    callers |= {func}
    for inner in _inner(known.effects.uses):
        if inner not in callers and _remembered(inner, callers) is None:
            return None
    return known


def _inner(uses: Mapping[str, Any]) -> Iterator[types.FunctionType]:
    """Yield the user's own functions among what a function refers to."""
    for value in uses.values():
        if isinstance(value, types.FunctionType) and not (name_of(value) or of_library(value)):
            yield value


@lru_cache(maxsize=1024)
def _distribution_version(root: str) -> bytes:
    try:
        return metadata.version({"sklearn": "scikit-learn"}.get(root, root)).encode()
    except metadata.PackageNotFoundError:
        return sys.version.encode()


def _version(func: Any) -> bytes:
    module = getattr(func, "__module__", None) or "pandas"
    return _distribution_version(str(module).partition(".")[0])


def _code(func: types.FunctionType, uses: dict[str, Any], callers: tuple[int, ...]) -> bytes:
    """Identify a user's function by what it says, not by where it stands."""
    if id(func) in callers:
        return b"recursive%d" % (len(callers) - callers.index(id(func)))
    callers = (*callers, id(func))

    def special(value: Any) -> bytes | None:
        if isinstance(value, types.FunctionType) and name_of(value) is None:
            return b"F" + _code(value, effects(value).uses, callers)
        return _special(value)

    outside = [(name, value) for name, value in sorted(uses.items())]
    parts = [
        _code_object(func.__code__),
        encode([func.__defaults__, func.__kwdefaults__], special),
        encode(outside, special),
    ]
    return digest(b"U" + b"".join(parts))


def _code_object(code: types.CodeType) -> bytes:
    constants = [
        b"N" + _code_object(c) if isinstance(c, types.CodeType) else encode(c, _special)
        for c in code.co_consts
    ]
    shape = (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
    )
    return digest(
        code.co_code + code.co_exceptiontable + encode(shape, _special) + b"".join(constants)
    )


def _special(value: Any) -> bytes | None:
    if isinstance(value, types.ModuleType):
        return (
            b"M" + value.__name__.encode() + _distribution_version(value.__name__.partition(".")[0])
        )
    if isinstance(value, BaseEstimator):
        return _estimator(value)
    if callable(value):
        function = _describe(value)
        if not function.token:
            raise Unknown(function.effects.reason or f"uses {value!r}, which cannot be identified")
        return b"F" + function.token
    return None
