"""What a user's function does besides returning a value, from its bytecode.

A function is pure if every call that it can reach is known to be (see the semantics table) and
it changes nothing that outlives it. Instructions are read once, in order; what a name stands for
is looked up in the function's globals, closure and builtins, and followed through attributes:

    LOAD_GLOBAL np; LOAD_ATTR log1p   ->  numpy.log1p, known
    LOAD_FAST df;   LOAD_ATTR fillna  ->  .fillna of something, known by its name
"""

from __future__ import annotations

import builtins
import dis
import inspect
import logging
import types
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sklearn.base import BaseEstimator

from stratum_dask.bytecode.arguments import path_read
from stratum_dask.bytecode.bindings import MISSING, holds_value, is_constant
from stratum_dask.bytecode.calls import Calls
from stratum_dask.bytecode.effects import Effects
from stratum_dask.bytecode.instructions import imported_by, instructions_of
from stratum_dask.bytecode.members import called_by_super, is_inherited, member
from stratum_dask.bytecode.origins import ANYTHING, GLOBAL
from stratum_dask.bytecode.ownership import follow
from stratum_dask.semantics import (
    CLOCKS,
    DRAWING,
    GENERATORS,
    LOGGING,
    MUTATING_METHODS,
    PURE_METHODS,
    READERS,
    SEEDED,
    declared,
    is_pure,
    is_users_estimator,
    may_draw,
    name_of,
    of_library,
    says_now,
)

_GENERATORS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _is_mutable(value: Any) -> bool:
    unchanged = isinstance(value, logging.Logger | types.ModuleType) or is_constant(value)
    return not (unchanged or callable(value))


def effects(func: Callable[..., Any], kind: type | None = None) -> Effects:
    """Analyse a user's function.

    Parameters
    ----------
    func : callable
        A Python function or lambda. Anything else is impure.
    kind : type, optional
        The class of the object that it is a method of: what it calls on ``self`` and ``super()``
        is found there.

    Returns
    -------
    Effects

    Examples
    --------
    >>> effects(lambda df: df.fillna(0)).pure
    True
    >>> effects(lambda df: df.to_csv("x")).reason
    'calls .to_csv, which is not known to be pure'
    """
    found = _of(func, frozenset(), kind)
    if found.iterates:
        found.reason = found.reason or "returns an iterator, which can be consumed only once"
    return found


def _of(func: Any, callers: frozenset[int], kind: type | None = None) -> Effects:
    said = declared(func)
    if said is not None:
        found = Effects(changes=None, returns=None)
        if isinstance(func, types.FunctionType):
            found = _of_code(func, callers, kind)
        reason = None if said else "declared impure"
        return Effects(reason, changes=None, returns=found.returns, uses=found.uses)
    if not isinstance(func, types.FunctionType):
        name = getattr(func, "__qualname__", type(func).__name__)
        reason = f"{name} is no Python function and not known to be pure"
        return Effects(reason, changes=None, returns=None)
    library = of_library(func)
    if library is not None:
        name = f"{library}.{func.__qualname__}"
        return Effects(f"{name} is not known to be pure", changes=None)
    return _of_code(func, callers, kind)


def _of_code(
    func: types.FunctionType, callers: frozenset[int], kind: type | None = None
) -> Effects:
    found = Effects()
    if id(func) in callers:
        return found  # a recursive call does what the rest of the function does
    cells = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=True))
    try:
        free = {name: cell.cell_contents for name, cell in cells.items()}
    except ValueError:
        return Effects("uses a closure variable that is not set yet", changes=None, returns=None)
    walk = _Walk(func, free, found, callers | {id(func)}, kind)
    walk.code(func.__code__, {})
    walk.values()
    if found.dates and (_says_now(func.__code__) or says_now(list(found.uses.values()))):
        found.reason = found.reason or "looks at the clock"
    for name, default in _defaults(func):
        if not is_constant(default):
            if found.mutates:
                found.reason = found.reason or "may change a mutable default argument"
            if found.returns and name in found.returns:
                found.returns |= {f"{GLOBAL}default of {name}"}
    return found


def _says_now(code: types.CodeType) -> bool:
    return any(
        _says_now(one) if isinstance(one, types.CodeType) else says_now(one)
        for one in code.co_consts
    )


def _defaults(func: types.FunctionType) -> Iterator[tuple[str, Any]]:
    count, defaults = func.__code__.co_argcount, func.__defaults__ or ()
    yield from zip(func.__code__.co_varnames[count - len(defaults) : count], defaults, strict=True)
    yield from (func.__kwdefaults__ or {}).items()


class _Walk:
    """Reads the code of one function and of the functions nested in it."""

    def __init__(
        self,
        func: types.FunctionType,
        free: dict[str, Any],
        found: Effects,
        callers: frozenset[int],
        kind: type | None = None,
    ) -> None:
        self.func, self.free, self.found, self.callers = func, free, found, callers
        self.kind = kind
        self.inner: dict[types.FunctionType, Effects] = {}
        self.now = func.__code__  # or nested code that is read now
        self.random: Counter[Any] = Counter()
        self.takes_seeds = False
        self.has_generator = False
        self.asks = False

    def fail(self, reason: str) -> None:
        self.found.reason = self.found.reason or reason

    def code(self, code: types.CodeType, around: Mapping[str, Any]) -> None:
        """Read a function's code, and what is nested in it; `around` it was imported something."""
        if code.co_flags & _GENERATORS and code.co_name != "<genexpr>":
            self.fail("is a generator or coroutine, whose value can be consumed only once")
            self.found.iterates |= code is self.func.__code__
        instructions = list(instructions_of(code))
        imported = {name: around[name] for name in code.co_freevars if name in around}
        self.now = code
        position = 0
        while position < len(instructions):
            position = self.instruction(instructions, position, imported)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.code(constant, imported)

    def values(self) -> None:
        """Note which parameters the function may change, and what its calls do with values."""
        origins, returned, makes_writers, calls, self.found.fits = follow(
            self.func.__code__, self.visible, self.inner.get, self.kind
        )
        self.found.returns = None if ANYTHING in returned else returned
        self.found.makes_writers |= makes_writers
        self.called(calls)
        outside = sorted(one[len(GLOBAL) :] for one in origins if one.startswith(GLOBAL))
        if ANYTHING in origins:
            outside += [path for path, value in self.found.uses.items() if _is_mutable(value)]
        for path in outside:
            self.fail(f"may change the global or closure value {path}")
        self.found.changes = None if ANYTHING in origins else origins

    def called(self, calls: Calls | None) -> None:
        seeds = None if calls is None else calls.seeds(self.random)
        if seeds is None and (self.random or self.takes_seeds or calls is not None):
            self.fail("may draw randomness without an int seed (random_state=)")
        self.found.seeds += seeds or []
        if calls is None and self.asks:
            self.fail("calls .query of what is not known at plan time")
        if calls is not None:
            self.found.iterates |= calls.iterates
            self.found.hands = calls.hands
            self.found.settings = calls.settings
            for reason in calls.reasons:
                self.fail(reason)

    def visible(self, name: str) -> Any:
        value = self.free[name] if name in self.free else self.lookup(name)
        if value is MISSING:
            raise KeyError(name)
        return value

    def instruction(self, all_: list[dis.Instruction], at: int, imported: dict[str, Any]) -> int:
        """Note what one instruction does, and return the position of the next to look at."""
        op, value = all_[at].opname, all_[at].argval
        if op in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            self.fail(f"changes the global {value}")
        elif op in ("STORE_DEREF", "DELETE_DEREF") and value in self.free:
            self.fail(f"changes the closure variable {value}")
        elif op == "STORE_ATTR" and value == "random_state" and self.now.co_name != "__init__":
            seed = all_[at - 2]  # before the object
            if seed.opname != "LOAD_CONST" or not isinstance(seed.argval, int):
                self.fail("may draw randomness without an int seed (random_state=)")
        elif op == "IMPORT_NAME":
            at, names = imported_by(all_, at)
            if names is None:
                self.fail(f"imports {value}, which is not loaded here")
            imported.update(names or {})
            return at
        elif op == "LOAD_GLOBAL" and value == "super" and self.kind is not None:
            return self.super_(all_, at)
        elif op in ("LOAD_GLOBAL", "LOAD_NAME"):
            return self.named(str(value), self.lookup(str(value)), all_, at)
        elif op in ("LOAD_DEREF", "LOAD_CLASSDEREF") and value in self.free:
            return self.named(str(value), self.free[str(value)], all_, at)
        elif op.startswith(("LOAD_FAST", "LOAD_DEREF")) and value in imported:
            return self.named(str(value), imported[str(value)], all_, at)
        elif op in ("LOAD_METHOD", "LOAD_ATTR"):
            called = op == "LOAD_METHOD" or "|self" in all_[at].argrepr
            if not (at and self.is_self(all_[at - 1]) and self.member(str(value))):
                self.method(str(value), called)
        elif op == "LOAD_BUILD_CLASS":
            self.fail("defines a class")
        return at + 1

    def is_self(self, load: dis.Instruction) -> bool:
        """Tell whether the object of the method is loaded."""
        return (
            self.kind is not None
            and load.opname.startswith("LOAD_FAST")
            and (load.argval,) == self.parameters[:1]
        )

    def super_(self, all_: list[dis.Instruction], at: int) -> int:
        """Follow a call of ``super()`` and the attribute that is loaded of what it returns."""
        found = called_by_super(all_, at)
        if found is None or self.kind is None:
            self.fail("calls super() in a way that is not followed")
            return at + 1
        after, name, load = found
        owner = self.free.get("__class__") if load is None else self.bound(load)
        if not self.member(name, owner) and not is_inherited(self.kind, name, owner):
            self.method(name, called=True)
        return after

    def member(self, name: str, owner: Any = None) -> bool:
        """Judge what the object's class holds under a name; False if it is nothing of the user."""
        assert self.kind is not None
        found = member(self.kind, name, owner)
        if found is None or not found.functions:
            return False
        for one in found.functions:
            if isinstance(one, types.FunctionType):
                self.inner_function(f"self.{name}", one, _of(one, self.callers, self.kind))
            else:
                self.fail(f"uses self.{name}, which is not known to be pure")
        return True

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the function, of which nested code knows nothing."""
        code = self.now
        count = code.co_argcount + code.co_kwonlyargcount
        return code.co_varnames[:count] if code is self.func.__code__ else ()

    def bound(self, load: dis.Instruction) -> Any:
        """Return the global or closure value that is loaded, `MISSING` if it is neither."""
        if load.opname == "LOAD_GLOBAL":
            return self.lookup(str(load.argval))
        return self.free.get(load.argval, MISSING) if load.opname == "LOAD_DEREF" else MISSING

    def lookup(self, name: str) -> Any:
        scope = self.func.__globals__
        if name in scope:
            return scope[name]
        return getattr(builtins, name, MISSING)

    def named(self, name: str, value: Any, all_: list[dis.Instruction], at: int) -> int:
        """Follow a name through attributes of modules and classes, and judge what it stands for."""
        at += 1
        path = name
        while (
            at < len(all_)
            and all_[at].opname in ("LOAD_ATTR", "LOAD_METHOD")
            and holds_value(value, str(all_[at].argval))
        ):
            path += f".{all_[at].argval}"
            value = getattr(value, str(all_[at].argval), MISSING)
            at += 1
        self.found.uses[path] = value
        self.judge(path, value, all_, at)
        return at

    def judge(self, path: str, value: Any, all_: list[dis.Instruction], at: int) -> None:
        if value is MISSING:
            self.fail(f"uses {path}, which is not defined")
        elif isinstance(value, types.FunctionType) and name_of(value) is None:
            self.inner_function(path, value, _of(value, self.callers))
        elif callable(value) and not isinstance(value, BaseEstimator):
            self.known_callable(path, value, all_, at)
        elif isinstance(value, types.ModuleType):
            self.fail(f"uses the module {path} as a value")

    def inner_function(self, path: str, value: types.FunctionType, inner: Effects) -> None:
        """Note what a function does that this one may call."""
        if inner.reason is not None:
            self.fail(f"calls {path}, which {inner.reason}")
        if inner.seeds or inner.settings or any(one.parameter for one in inner.paths):
            self.fail(f"calls {path}, which reads a path or takes a seed from its arguments")
        self.found.paths += inner.paths
        self.found.makes_writers |= inner.makes_writers
        self.found.beneath |= inner.beneath
        self.found.dates |= inner.dates
        self.inner[value] = inner

    def known_callable(self, path: str, value: Any, all_: list[dis.Instruction], at: int) -> None:
        said = declared(value)
        if said:
            return
        name = name_of(value)
        self.found.dates |= name in CLOCKS
        if name is None and is_users_estimator(value):
            self.users_class(path, value)
        elif said is False or name is None:
            self.fail(f"uses {path}, which is not known to be pure")
        elif name in READERS:
            found = path_read(self.parameters, all_, at, self.bound)
            if found is None:
                self.fail("reads a path that is not known at plan time")
            else:
                self.found.paths.append(found)
        elif name in SEEDED:
            self.random[value] += 1
        elif name in GENERATORS:
            self.has_generator = True
            self.random[value] += 1
        elif not is_pure(name, value):
            self.fail(f"calls {name}, which is not known to be pure")
        elif name in _UNLOCKING:
            self.found.beneath = True
        elif isinstance(value, type) and name.startswith("sklearn."):
            self.takes_seeds |= may_draw(value)
            if may_draw(value, ()):
                self.random[value] += 1

    def users_class(self, path: str, kind: type) -> None:
        """Judge the constructor of a class of estimators; its other methods are a part of it."""
        made = member(kind, "__init__")
        for one in made.functions if made is not None else ():
            inner = _of(one, self.callers, kind)
            if inner.reason is not None:
                self.fail(f"calls {path}, which {inner.reason}")
            elif inner.changes is None or not inner.changes <= {*one.__code__.co_varnames[:1]}:
                self.fail(f"calls {path}, which may change what it is given")
        self.takes_seeds |= may_draw(kind)
        if may_draw(kind, ()):
            self.random[kind] += 1

    def method(self, name: str, called: bool) -> None:
        self.found.beneath |= name in _BENEATH
        self.found.dates |= name == "astype"
        self.takes_seeds |= name == "set_params"
        if name in ("eval", "query") and called:
            self.asks = True
            return  # of what, see `Calls`
        if name in MUTATING_METHODS:  # of what, see `ownership`
            return
        if f".{name}" in SEEDED:
            self.random[f".{name}"] += 1
        elif name in DRAWING and self.has_generator:
            pass  # of the generator with a constant seed that this function made
        elif called and name not in PURE_METHODS and name not in LOGGING:
            self.fail(f"calls .{name}, which is not known to be pure")
        elif name in _NEVER or name.startswith(("to_csv", "to_parquet", "read_")):
            self.fail(f"uses .{name}, which is not known to be pure")


_BENEATH = frozenset({"array", "flags", "setflags", "_codes", "_data", "_mgr", "_values"})
_UNLOCKING = frozenset(
    f"sklearn.utils.{name}" for name in ("check_array", "check_X_y", "validate_data")
)
_NEVER = frozenset({"eval", "query", "plot", "hist", "tofile", "dump", "dumps", "save"})
_NEVER |= {f"__{name}__" for name in ("annotations", "closure", "code", "dict", "globals")}
