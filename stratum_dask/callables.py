"""What functions, estimators and their classes are, as content.

A user's function is what it says, not where it stands: its code, and all that it refers to. One
of a library is its name and the library's version. An estimator is its class and what it holds.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector

from stratum_dask.bytecode import Effects, effects
from stratum_dask.bytecode.bindings import (
    attributes,
    is_constant,
    is_current,
    is_settled,
    unwrapped,
)
from stratum_dask.classes import Callers, again, encode_class
from stratum_dask.literals import Special, Unknown, digest, encode
from stratum_dask.records import encode_record
from stratum_dask.semantics import (
    CALLING,
    CLOCKS,
    MUTATING_METHODS,
    READERS,
    SEEDED,
    consumed_once,
    declared,
    is_pure,
    is_users_estimator,
    may_draw,
    name_of,
    of_library,
    uses_randomness,
    writes,
)
from stratum_dask.versions import version
from stratum_dask.writers import class_writes


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
    draws : bool
        Whether it is a class whose objects draw randomness if they get no seed.
    """

    token: bytes
    name: str | None
    effects: Effects
    draws: bool = False

    @cached_property
    def looks_outside(self) -> bool:
        """Whether its value may depend on more than its arguments: files, a seed, the clock."""
        found = self.effects
        known = self.name in SEEDED or self.name in READERS or self.name in CLOCKS
        return known or self.draws or bool(found.paths or found.seeds or found.settings)

    @property
    def why_not_held(self) -> str | None:
        """Why a call that may call it somehow is impure; None if it is not."""
        if self.effects.reason is None and self.looks_outside and self.name not in CLOCKS:
            return "draws randomness" if self.draws else "reads a path or takes a seed"
        return self.effects.reason


def describe(func: Any) -> Function:
    """Return what is known of a callable: of a user's function from its code, else by its name.

    Parameters
    ----------
    func : callable

    Examples
    --------
    >>> describe(len).name, describe(lambda x: x + 1).effects.pure
    ('builtins.len', True)
    """
    name = name_of(func)
    if name is not None and (name in READERS or name in SEEDED or is_pure(name, func)):
        method = name[1:] if name.startswith(".") else None
        reason = (
            "returns an iterator, which can be consumed only once" if consumed_once(name) else None
        )
        found = Effects(reason, changes=None if method in MUTATING_METHODS else frozenset())
        draws = isinstance(func, type) and name.startswith("sklearn.") and may_draw(func)
        return Function(digest(name.encode() + version(func)), name, found, draws)
    inner, args, kwargs = unwrapped(func)
    if inner is not func:
        base = describe(inner)
        try:
            fixed = encode([args, kwargs], _special)
        except Unknown as unknown:
            return Function(b"", None, Effects(str(unknown), changes=None, returns=None))
        name = base.name if base.name in READERS or base.name in SEEDED else None
        found = _of_partial(inner, args, kwargs, base)
        return Function(digest(b"P" + base.token + fixed), name, found, base.draws)
    if not isinstance(func, types.FunctionType):
        if declared(func):
            return _describe_declared(func)
        if is_users_estimator(func):
            return _describe_class(func)
        if type(func) is make_column_selector:  # which asks a frame for names
            asked = encode([type(func), vars(func)], _special)
            return Function(digest(b"C" + asked), None, Effects(None, changes=frozenset()))
        what = name or getattr(func, "__qualname__", type(func).__name__)
        token = digest(name.encode() + version(func)) if name else b""
        new = name is not None or of_library(func) is not None or isinstance(func, type)
        found = Effects(f"{what} is not known to be pure", changes=None)
        return Function(token, name, found if new else replace(found, returns=None))
    return _describe_user(func)


def _of_partial(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], base: Function
) -> Effects:
    """Return what a function does besides returning a value when some arguments are fixed."""
    values = (*args, *kwargs.values())
    callbacks = [describe(one).effects for one in values if callable(one)]
    if base.name is None and not all(map(is_constant, values)):
        base = replace(base, effects=replace(base.effects, returns=None))
    if base.name in CALLING and any(one.mutates for one in callbacks):
        return replace(base.effects, changes=None)
    if writes(base.name, func, len(args), kwargs):
        reason = base.effects.reason or "writes into one of its arguments (inplace= or out=)"
        return replace(base.effects, changes=None, reason=reason)
    changes = base.effects.changes
    names = func.__code__.co_varnames if isinstance(func, types.FunctionType) else ()
    fixed = [*zip(names, args, strict=False), *kwargs.items()]
    if changes is None:
        kept = all(map(is_constant, values))
    else:
        kept = all(is_constant(value) or name not in changes for name, value in fixed)
    if kept:
        return base.effects
    return replace(base.effects, reason=base.effects.reason or "may change what a partial holds")


def _describe_declared(func: Any) -> Function:
    """Identify what was declared pure and is no Python function: by its name, or what it holds."""
    try:
        return Function(digest(b"O" + _content(func)), None, Effects(changes=None, returns=None))
    except Unknown as unknown:
        reason = f"is declared pure, but {unknown}"
        return Function(b"", None, Effects(reason, changes=None, returns=None))


def _describe_class(kind: type) -> Function:
    """Identify a class of estimators that the user wrote: its objects are what they are given."""
    try:
        found = Effects(makes_writers=class_writes(kind))
        return Function(digest(b"O" + _class(kind)), None, found, may_draw(kind))
    except Unknown as unknown:
        return Function(b"", None, Effects(str(unknown), changes=None))


def _content(func: Any) -> bytes:
    kind = type(func)
    if isinstance(func, type):
        return _class(func, pure=True)
    if isinstance(func, types.MethodType):
        return encode([func.__func__, func.__self__], _special)
    if isinstance(func, types.BuiltinFunctionType | np.ufunc):
        name = getattr(func, "__qualname__", func.__name__)
        if getattr(sys.modules.get(str(func.__module__)), name, None) is func:
            return encode([func.__module__, name, version(func)])
    elif hasattr(func, "__dict__"):
        return _class(kind, pure=True) + encode(sorted(vars(func).items()), _special)
    raise Unknown(f"a {kind.__name__} holds what cannot be identified")


_State = tuple[types.CodeType, Any, Any, bool | None]
"""The code of a function, its defaults, and what the user declared of it."""

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
        _described[func] = _state(func), known
        for inner in _inner(found.uses):
            if inner not in _described:
                _describe_user(inner)
    return known


def _remembered(
    func: types.FunctionType, callers: frozenset[types.FunctionType]
) -> Function | None:
    """Return what is known of a function, if it and all that it calls are as they were."""
    state, known = _described.get(func, (None, None))
    if known is None or state is None or attributes(func):
        return None
    if any(one is not two for one, two in zip(state, _state(func), strict=True)):
        return None
    if not is_current(func, known.effects.uses):
        return None
    callers |= {func}
    for inner in _inner(known.effects.uses):
        if inner not in callers and _remembered(inner, callers) is None:
            return None
    return known


def _state(func: types.FunctionType) -> _State:
    return func.__code__, func.__defaults__, func.__kwdefaults__, declared(func)


def _inner(uses: Mapping[str, Any]) -> Iterator[types.FunctionType]:
    """Yield the user's own functions among what a function refers to."""
    for value in uses.values():
        if isinstance(value, types.FunctionType) and not (name_of(value) or of_library(value)):
            yield value


def _code(func: types.FunctionType, uses: dict[str, Any], callers: Callers) -> bytes:
    """Identify a user's function by what it says, not by where it stands."""
    if id(func) in callers:
        return again(func, callers)
    callers = (*callers, id(func))

    def named(value: Any) -> bytes:
        """Encode what a name stands for; what it does when it is called was looked at."""
        if isinstance(value, types.FunctionType) and name_of(value) is None:
            return b"F" + value.__name__.encode() + _code(value, effects(value).uses, callers)
        if isinstance(value, type) and (id(value) in callers or declared(value)):
            return b"F" + _class(value, True, callers)
        if callable(value) and not isinstance(value, BaseEstimator):
            function = describe(value)
            if not function.token:
                reason = function.effects.reason or f"uses {value!r}, which cannot be identified"
                raise Unknown(reason)
            return b"F" + function.token
        return encode(value, held)

    def held(value: Any) -> bytes | None:
        """Encode what is held by containers and defaults, and may be called from there."""
        if isinstance(value, types.FunctionType | type) and id(value) in callers:
            return named(value)
        return _special(value)

    parts = [
        code_digest(func.__code__),
        encode([func.__defaults__, func.__kwdefaults__, sorted(attributes(func).items())], held),
        encode([(name, named(value)) for name, value in sorted(uses.items())]),
    ]
    return digest(b"U" + b"".join(parts))


def _of_code(func: types.FunctionType, callers: Callers = ()) -> bytes:
    return _code(func, effects(func).uses, callers)


def _class(kind: type, pure: bool | None = None, callers: Callers = ()) -> bytes:
    return encode_class(kind, _of_code, _special, pure, callers)


def code_digest(code: types.CodeType) -> bytes:
    """Identify a code object by what it says, not by where it stands."""
    constants = [
        b"N" + one.co_name.encode() + code_digest(one)
        if isinstance(one, types.CodeType)
        else encode(one, _special)
        for one in code.co_consts
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
        return b"M" + value.__name__.encode() + version(value)
    if isinstance(value, BaseEstimator):
        if uses_randomness(value):
            raise Unknown("holds an estimator that draws randomness without an int random_state")
        return encode_estimator(value)
    if callable(value):
        function = describe(value)
        if why := function.why_not_held:
            raise Unknown(f"holds {value!r}, which {why}")
        return encode_function(value, function)
    return encode_object(value, _special)


def encode_object(value: Any, special: Special) -> bytes | None:
    """Encode an object of a user's class that only holds values; None if it is none."""
    return encode_record(value, special, _of_code)


def encode_function(func: Any, known: Function) -> bytes:
    """Encode a callable that is a value: its name can be told, as by ``frame.agg([func])``."""
    name = func.__name__ if isinstance(func, types.FunctionType) else ""
    return b"F" + name.encode() + known.token


SCORERS = "sklearn.metrics._scorer"
"""The module of scikit-learn's scorers."""


Classes = dict[type, bytes | Unknown]
"""What users' classes are, or why that is not known, for as long as nobody changes them."""


def encode_estimator(value: BaseEstimator, classes: Classes | None = None) -> bytes:
    """Encode an estimator: class, version, and all that it holds, fitted or not.

    Parameters
    ----------
    value : estimator
    classes : dict of type to bytes, optional
        Those of users that were looked at before; new ones are added.
    """
    kind = type(value)
    classes = {} if classes is None else classes
    name: list[Any] = [kind.__module__, kind.__qualname__, version(kind)]
    if of_library(kind) is None:
        name.append(_known_class(kind, classes))
    return b"E" + encode([name, sorted(vars(value).items())], partial(_inside, classes))


def _known_class(kind: type, classes: Classes) -> bytes:
    if kind not in classes:
        try:
            classes[kind] = _class(kind)
        except Unknown as unknown:
            classes[kind] = unknown
    found = classes[kind]
    if isinstance(found, Unknown):
        raise Unknown(str(found))
    return found


def _inside(classes: Classes, value: Any) -> bytes | None:
    """Encode what an estimator or a scorer holds; of its randomness its parameters tell."""
    if isinstance(value, BaseEstimator):
        return encode_estimator(value, classes)
    if type(value).__module__ == SCORERS:
        return encode_scorer(value)
    return _special(value)


def encode_scorer(value: Any) -> bytes:
    """Encode one of scikit-learn's scorers."""
    kind = type(value).__qualname__
    # What passes on to an estimator's own `score` holds an estimator, but never looks at it.
    held = {} if kind == "_PassthroughScorer" else vars(value)
    return b"S" + encode([kind, version(type(value)), sorted(held.items())], partial(_inside, {}))
