"""Which of its parameters a function may change, from its bytecode.

Instructions are interpreted over *origins*: for each value on the stack and in each variable, which
parameters (or globals) it may be, and which may be reached from it.

    df = df.copy()      df is no parameter any more (its cells still may be)
    df["x"] = 0         changes what df may be: nothing that the caller sees

Branches are joined at their targets until nothing changes; what is not understood may be anything.
So the answer may name too many parameters, never too few.
"""

from __future__ import annotations

import dis
import inspect
import logging
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from stratum_dask.semantics import (
    FITTING,
    LOGGING,
    MUTATING_METHODS,
    PURE_METHODS,
    VIEWS,
    is_pure,
    name_of,
)

ANYTHING = "*"
"""The origin of a value of which nothing is known."""

Origins = frozenset[str]
_NONE: Origins = frozenset()
_CLASS: Origins = frozenset(["global type(...)"])
"""The class of a value, which all values of its kind share."""
_ELEMENTS = frozenset({"get", "items", "keys", "values", "first", "last", "nth", "array", "pop"})
_ELEMENTS_OF = frozenset(
    f"builtins.{name}" for name in ("enumerate", "filter", "map", "max", "min", "reversed", "zip")
)
_ENDS = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_")
_STORES = ("STORE_SUBSCR", "STORE_ATTR", "STORE_SLICE", "DELETE_SUBSCR", "DELETE_ATTR")


class Value(NamedTuple):
    """What a value may be.

    Attributes
    ----------
    own : frozenset of str
        The parameters and globals that it may be.
    inner : frozenset of str
        Those that may be reached from it.
    what : object
        What it is for certain: a global object, a constant, a :class:`Method`; None if unknown.
    """

    own: Origins = _NONE
    inner: Origins = _NONE
    what: Any = None

    @property
    def all(self) -> Origins:
        """All that can be reached from it, itself included."""
        return self.own | self.inner


class Method(NamedTuple):
    """An attribute of a value."""

    name: str
    receiver: Value


_FRESH = Value()
_UNKNOWN = Value(frozenset([ANYTHING]), frozenset([ANYTHING]))


class Lost(Exception):
    """The bytecode is not what we understand."""


def changed(
    code: types.CodeType,
    lookup: Callable[[str], Any],
    mutates: Callable[[Any], bool],
) -> tuple[Origins, bool]:
    """Return the parameters and globals that a function may change.

    Parameters
    ----------
    code : code
        Of a function without generators.
    lookup : callable
        Gives the value of a global or closure variable; raises ``KeyError`` if there is none.
    mutates : callable
        Tells whether a Python function that is called may change its arguments.

    Returns
    -------
    origins : frozenset of str
        Names of parameters; globals and closure variables as ``"global NAME"``; :data:`ANYTHING`
        if more cannot be said.
    makes_writers : bool
        Whether it may make an estimator that writes into its input (``copy_X=False``).

    Notes
    -----
    Linear in the code, times the number of joins.

    Examples
    --------
    >>> def edit(df, column):
    ...     df = df.copy()
    ...     df[column] = 0
    ...     return df
    >>> changed(edit.__code__, {}.__getitem__, lambda func: True)
    (frozenset(), False)
    """
    walk = _Walk(code, lookup, mutates)
    try:
        return walk.run(), walk.makes_writers
    except (Lost, IndexError, ValueError):
        return frozenset([ANYTHING]), True


class _State(NamedTuple):
    """What is known before an instruction."""

    stack: list[Value]
    variables: dict[str, Value]

    def copy(self) -> _State:
        return _State(list(self.stack), dict(self.variables))


class _Walk:
    def __init__(
        self,
        code: types.CodeType,
        lookup: Callable[[str], Any],
        mutates: Callable[[Any], bool],
    ) -> None:
        self.lookup, self.mutates = lookup, mutates
        self.free = frozenset(code.co_freevars)
        self.constants = code.co_consts
        self.instructions = list(dis.get_instructions(code))
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS) + bool(
            code.co_flags & inspect.CO_VARKEYWORDS
        )
        self.parameters = {
            name: Value(frozenset([name]), frozenset([name])) for name in code.co_varnames[:count]
        }
        self.ever = dict(self.parameters)  # all that a variable is anywhere
        self.handlers = {
            entry.target: [_UNKNOWN] * (entry.depth + entry.lasti + 1)
            for entry in dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]
        }
        self.joined: dict[int, _State] = {}
        self.stored: Origins = _NONE  # what has been put into some container
        self.changed: Origins = _NONE
        self.keywords: tuple[str, ...] = ()
        self.makes_writers = False

    def run(self) -> Origins:
        for _ in range(30):
            before = dict(self.joined), dict(self.ever), self.stored, self.found
            self.once()
            if before == (self.joined, self.ever, self.stored, self.found):
                return self.changed
        raise Lost

    @property
    def found(self) -> tuple[Origins, bool]:
        return self.changed, self.makes_writers

    def once(self) -> None:
        state: _State | None = _State([], dict(self.parameters))
        for instruction in self.instructions:
            offset = instruction.offset
            if offset in self.handlers:
                state = _State(list(self.handlers[offset]), dict(self.ever))
            elif offset in self.joined:
                state = self.join(offset, state)
            if state is None:
                continue
            self.stack, self.variables = state
            if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
                self.join(int(instruction.argval), self.after_jump(instruction, state.copy()))
            self.step(instruction, state.stack)
            if instruction.opname.startswith(_ENDS):
                state = None

    def join(self, offset: int, state: _State | None) -> _State:
        known = self.joined.get(offset)
        if known is None or state is None:
            found = known if state is None else state
            assert found is not None
        elif len(known.stack) != len(state.stack):
            raise Lost
        else:
            names = known.variables.keys() | state.variables.keys()
            find, other = known.variables.get, state.variables.get
            found = _State(
                [_either(one, two) for one, two in zip(known.stack, state.stack, strict=True)],
                {name: _either(find(name, _FRESH), other(name, _FRESH)) for name in names},
            )
        self.joined[offset] = found.copy()
        return found.copy()

    @staticmethod
    def after_jump(instruction: dis.Instruction, state: _State) -> _State:
        effect = dis.stack_effect(instruction.opcode, instruction.arg, jump=True)
        if effect < 0:
            del state.stack[effect:]
        state.stack.extend([_UNKNOWN] * effect)
        return state

    # -- instructions ---------------------------------------------------------------------------

    def step(self, instruction: dis.Instruction, stack: list[Value]) -> None:
        op, arg, name = instruction.opname, instruction.arg or 0, instruction.argval
        effect = dis.stack_effect(instruction.opcode, instruction.arg, jump=False)
        if op.startswith(("LOAD_FAST", "STORE_FAST")):
            self.locals(op, name if isinstance(name, tuple) else (name,), stack)
        elif op == "LOAD_CLOSURE":
            stack.append(self.ever.get(name, _UNKNOWN if name in self.free else _FRESH))
        elif op in ("LOAD_DEREF", "STORE_DEREF") and name not in self.free:
            self.locals(op, (name,), stack)
        elif op in ("LOAD_CONST", "LOAD_SMALL_INT"):
            stack.append(Value(what=name))
        elif op in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"):
            stack += [_FRESH] * (effect - 1)  # NULL
            stack.append(self.outside(name))
        elif op in ("LOAD_ATTR", "LOAD_METHOD"):
            receiver = stack.pop()
            stack.append(self.attribute(receiver, str(name)))
            stack += [receiver._replace(what=None)] * effect
        elif op == "PRECALL":
            pass  # CALL does it all
        elif op == "KW_NAMES":
            self.keywords = self.constants[arg]
        elif op in ("CALL", "CALL_KW", "CALL_FUNCTION_EX"):
            stack.append(self.calls(op, arg, effect, stack))
        elif op in _STORES:
            self.stores(op, stack)
        elif op == "BINARY_OP" and instruction.argrepr != "[]":
            right, left = stack.pop(), stack.pop()
            in_place = instruction.argrepr.endswith("=")
            if in_place:
                self.changed |= left.own
            stack.append(Value(left.own if in_place else _NONE, left.all | right.all))
        elif op == "FOR_ITER":
            stack.append(self.element(stack[-1:]))
        elif op in ("BINARY_SUBSCR", "BINARY_SLICE", "GET_ITER", "BINARY_OP"):
            taken = [stack.pop() for _ in range(1 - effect)]
            stack.append(self.element(taken[-1:]))
        elif op == "UNPACK_SEQUENCE":
            stack += [self.element([stack.pop()])] * arg
        elif op == "MAKE_FUNCTION":
            stack.append(self.nested([stack.pop() for _ in range(1 - effect)]))
        elif op.startswith("BUILD_"):
            taken = [stack.pop() for _ in range(1 - effect)]
            stack.append(Value(_NONE, _all(taken)))
        elif op in ("COMPARE_OP", "IS_OP", "CONTAINS_OP"):
            del stack[-2:]
            stack.append(_FRESH)
        elif op.startswith("UNARY_") or op == "FORMAT_VALUE":
            del stack[len(stack) - 1 + effect :]
            stack.append(_FRESH)
        elif op == "COPY":
            stack.append(stack[-arg])
        elif op == "SWAP":
            stack[-1], stack[-arg] = stack[-arg], stack[-1]
        elif op in ("PUSH_NULL", "LOAD_ASSERTION_ERROR", "IMPORT_FROM", "RETURN_GENERATOR"):
            stack.append(_FRESH)
        elif op == "IMPORT_NAME":
            del stack[-2:]
            stack.append(_FRESH)
        elif op.startswith("POP_"):
            del stack[len(stack) + effect :]
        else:
            self.anything_else(effect, stack)

    def anything_else(self, effect: int, stack: list[Value]) -> None:
        """Apply an instruction of which only the number of values is known."""
        if effect >= 0:
            stack += [_UNKNOWN] * effect
            return
        taken = _all([stack.pop() for _ in range(-effect)])
        self.stored |= taken  # into a list, say
        if stack:
            stack[-1] = _either(stack[-1], Value(taken, taken))

    def locals(self, op: str, names: Sequence[str], stack: list[Value]) -> None:
        if op == "STORE_FAST_LOAD_FAST":
            self.store(names[0], stack.pop())
            stack.append(self.variables.get(names[1], _FRESH))
        elif op.startswith("STORE"):
            for name in names:
                self.store(name, stack.pop())
        else:
            stack += [self.variables.get(name, _FRESH) for name in names]

    def store(self, name: str, value: Value) -> None:
        self.variables[name] = value
        self.ever[name] = _either(self.ever.get(name, value), value)

    def nested(self, taken: Sequence[Value]) -> Value:
        """Return a function made here, if it changes nothing whenever it runs."""
        code = next((one.what for one in taken if isinstance(one.what, types.CodeType)), None)
        if code is None or any(one.opname == "STORE_DEREF" for one in dis.get_instructions(code)):
            raise Lost
        if _Walk(code, self.within, self.mutates).run():
            raise Lost
        return Value(_NONE, _all(taken), code)

    def within(self, name: str) -> Any:
        """Look up a name for a nested function: a variable of this one may be anything."""
        if name in self.ever:
            raise KeyError(name)
        return self.lookup(name)

    def outside(self, name: str) -> Value:
        try:
            value = self.lookup(name)
        except KeyError:
            return _UNKNOWN
        if isinstance(value, types.ModuleType | logging.Logger) or callable(value):
            return Value(what=value)
        if isinstance(value, int | float | str | bytes | type(None)):
            return Value(what=value)
        origin = frozenset([f"global {name}"])
        return Value(origin, origin)

    def attribute(self, receiver: Value, name: str) -> Value:
        if isinstance(receiver.what, types.ModuleType):
            return Value(what=getattr(receiver.what, name, None))
        reached = receiver.all | self.stored
        if name == "__class__":
            reached |= _CLASS
        return Value(reached, reached, Method(name, receiver))

    def stores(self, op: str, stack: list[Value]) -> None:
        count = {"STORE_SUBSCR": 3, "STORE_SLICE": 4, "DELETE_ATTR": 1}.get(op, 2)
        taken = [stack.pop() for _ in range(count)]
        at = {"STORE_SUBSCR": 1, "DELETE_SUBSCR": 1, "STORE_SLICE": 2}.get(op, 0)
        container = taken[at]
        self.changed |= container.own
        if isinstance(container.what, types.ModuleType | types.FunctionType | type):
            self.changed |= {f"global {container.what.__name__}"}
        self.stored |= _all(taken)

    def element(self, of: Iterable[Value]) -> Value:
        reached = _all(of) | self.stored
        return Value(reached, reached)

    # -- calls ----------------------------------------------------------------------------------

    def calls(self, op: str, arg: int, effect: int, stack: list[Value]) -> Value:
        if op == "CALL_FUNCTION_EX":
            taken = [stack.pop() for _ in range(1 - effect)]
            # What ** holds is not known.
            self.keywords = ("out",) if len(taken) > 3 and not _is_class(taken[-2:]) else ()
            return self.call(taken[-2:], taken)
        if op == "CALL_KW":
            names = stack.pop().what
            self.keywords = names if isinstance(names, tuple) else ("out",)
        taken = [stack.pop() for _ in range(arg + 2)]
        return self.call(taken[arg:], taken[:arg])

    def call(self, callee: Sequence[Value], args: Sequence[Value]) -> Value:
        keywords, self.keywords = self.keywords, ()
        given = _all(args)
        what = next((one.what for one in callee if one.what is not None), None)
        if any(_writes(name) for name in keywords):
            self.changed |= given
        if isinstance(what, Method):
            if "inplace" in keywords:
                self.changed |= what.receiver.own
            return self.method(what, given)
        if isinstance(what, types.CodeType):  # a nested function: see `nested`
            reached = given | _all(callee) | self.stored
            return Value(reached, reached)
        self.makes_writers |= any(name.startswith(("copy", "overwrite")) for name in keywords)
        name = name_of(what) if what is not None else None
        if name is not None and is_pure(name, what):
            if name == "builtins.type":
                return Value(_CLASS, given)
            if name in VIEWS or name in _ELEMENTS_OF:
                return Value(given | self.stored, given | self.stored)
            return Value(_NONE, given)
        if not (isinstance(what, types.FunctionType) and not self.mutates(what)):
            self.changed |= given
        return Value(given | self.stored, given | self.stored)

    def method(self, method: Method, given: Origins) -> Value:
        name, receiver = method
        reached = receiver.all | given
        if name in MUTATING_METHODS:
            self.changed |= receiver.own
            self.stored |= given
            if name in FITTING and self.makes_writers:
                self.changed |= given
            return Value(reached | self.stored, reached | self.stored)
        if name in PURE_METHODS and f".{name}" not in VIEWS and name not in _ELEMENTS:
            return Value(_NONE, reached)
        if name not in PURE_METHODS and name not in LOGGING:
            self.changed |= reached
        return Value(reached | self.stored, reached | self.stored)


def _either(one: Value, two: Value) -> Value:
    what = one.what if one.what is two.what else None
    return Value(one.own | two.own, one.inner | two.inner, what)


def _all(values: Iterable[Value]) -> Origins:
    return _NONE.union(*[value.all for value in values])


def _is_class(callee: Iterable[Value]) -> bool:
    return any(isinstance(one.what, type) for one in callee)


def _writes(keyword: str) -> bool:
    return keyword == "out" or keyword.startswith("overwrite")
