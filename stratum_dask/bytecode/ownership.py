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
import logging
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from stratum_dask.bytecode.calls import Calls, Given, holding, returns_iterator
from stratum_dask.bytecode.effects import Effects
from stratum_dask.bytecode.flow import Flow, Lost
from stratum_dask.bytecode.origins import (
    ANYTHING,
    CLASS,
    DYNAMIC,
    FRESH,
    ITERATOR,
    NOTHING,
    UNKNOWN,
    Keywords,
    Made,
    Method,
    Origins,
    Value,
    either,
    union,
)
from stratum_dask.semantics import (
    FITTING,
    LOGGING,
    MUTATING_METHODS,
    PURE_METHODS,
    VIEWS,
    is_pure,
    name_of,
)

_ELEMENTS = frozenset({"get", "items", "keys", "values", "first", "last", "nth", "array", "pop"})
_ELEMENTS_OF = frozenset(
    f"builtins.{name}" for name in ("enumerate", "filter", "map", "max", "min", "reversed", "zip")
)
_STORES = ("STORE_SUBSCR", "STORE_ATTR", "STORE_SLICE", "DELETE_SUBSCR", "DELETE_ATTR")


class Followed(NamedTuple):
    """What is known of a function whose values were followed.

    Attributes
    ----------
    changed : frozenset of str
        Names of the parameters that it may change; globals and closure variables as
        ``"global NAME"``; :data:`ANYTHING` if more cannot be said.
    makes_writers : bool
        Whether it may make an estimator that writes into its input (``copy_X=False``).
    calls : Calls or None
        What its calls do; None if they could not be followed.
    """

    changed: Origins
    makes_writers: bool
    calls: Calls | None


def follow(
    code: types.CodeType,
    lookup: Callable[[str], Any],
    known: Callable[[Any], Effects | None],
) -> Followed:
    """Follow the values of a function through its code.

    Parameters
    ----------
    code : code
        Of a function without generators.
    lookup : callable
        Gives the value of a global or closure variable; raises ``KeyError`` if there is none.
    known : callable
        Gives what is known of a Python function that is called.

    Returns
    -------
    Followed

    Notes
    -----
    Linear in the code, times the number of joins.

    Examples
    --------
    >>> def edit(df, column):
    ...     df = df.copy()
    ...     df[column] = 0
    ...     return df
    >>> follow(edit.__code__, {}.__getitem__, lambda func: None).changed
    frozenset()
    """
    walk = _Walk(code, lookup, known)
    try:
        walk.run()
    except (Lost, IndexError, ValueError):
        return Followed(frozenset([ANYTHING]), True, None)
    return Followed(walk.changed, walk.makes_writers, walk.seen)


class _Walk(Flow):
    def __init__(
        self,
        code: types.CodeType,
        lookup: Callable[[str], Any],
        known: Callable[[Any], Effects | None],
    ) -> None:
        super().__init__(code)
        self.lookup, self.known, self.code = lookup, known, code
        self.seen = Calls()
        self.iterating: set[types.CodeType] = set()  # nested functions that return iterators
        self.at = 0
        self.free = frozenset(code.co_freevars)
        self.constants = code.co_consts
        self.stored: Origins = NOTHING  # what has been put into some container
        self.changed: Origins = NOTHING
        self.keywords: tuple[str, ...] = ()
        self.makes_writers = False

    @property
    def found(self) -> tuple[Origins, Origins, bool]:
        return self.stored, self.changed, self.makes_writers

    # -- instructions ---------------------------------------------------------------------------

    def step(self, instruction: dis.Instruction, stack: list[Value]) -> None:
        op, arg, name = instruction.opname, instruction.arg or 0, instruction.argval
        self.at = instruction.offset
        effect = dis.stack_effect(instruction.opcode, instruction.arg, jump=False)
        if op.startswith(("LOAD_FAST", "STORE_FAST")):
            self.locals(op, name if isinstance(name, tuple) else (name,), stack)
        elif op == "LOAD_CLOSURE":
            stack.append(self.ever.get(name, UNKNOWN if name in self.free else FRESH))
        elif op in ("LOAD_DEREF", "STORE_DEREF") and name not in self.free:
            self.locals(op, (name,), stack)
        elif op in ("LOAD_CONST", "LOAD_SMALL_INT"):
            stack.append(Value(what=name))
        elif op in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"):
            stack += [FRESH] * (effect - 1)  # NULL
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
            stack.append(Value(left.own if in_place else NOTHING, left.all | right.all))
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
            value = Value(NOTHING, union(taken), _keywords(op, taken))
            stack.append(holding(value, taken))
        elif op == "DICT_MERGE":  # for the keywords of a call
            parts = stack.pop(), stack.pop()
            written = [one.what.values for one in parts if isinstance(one.what, Keywords)]
            stack.append(Value(NOTHING, union(parts), Keywords(tuple(chain(*written)))))
        elif op in ("COMPARE_OP", "IS_OP", "CONTAINS_OP"):
            del stack[-2:]
            stack.append(FRESH)
        elif op.startswith("UNARY_") or op == "FORMAT_VALUE":
            del stack[len(stack) - 1 + effect :]
            stack.append(FRESH)
        elif op == "COPY":
            stack.append(stack[-arg])
        elif op == "SWAP":
            stack[-1], stack[-arg] = stack[-arg], stack[-1]
        elif op in ("PUSH_NULL", "LOAD_ASSERTION_ERROR", "RETURN_GENERATOR"):
            stack.append(FRESH)
        elif op == "IMPORT_FROM":
            stack.append(self.global_(name, getattr(stack[-1].what, name, None)))
        elif op == "IMPORT_NAME":
            named, _ = stack.pop(), stack.pop()
            module = name if named.what else name.partition(".")[0]
            stack.append(Value(what=sys.modules.get(module)))
        elif op == "RETURN_VALUE":
            self.hands_out([stack.pop()])
        elif op.startswith(("POP_", "END_FOR")):
            del stack[len(stack) + effect :]
        else:
            self.anything_else(effect, stack)

    def anything_else(self, effect: int, stack: list[Value]) -> None:
        """Apply an instruction of which only the number of values is known."""
        if effect >= 0:
            stack += [UNKNOWN] * effect
            return
        taken = union([stack.pop() for _ in range(-effect)])
        self.stored |= taken  # into a list, say
        if stack:
            stack[-1] = either(stack[-1], Value(taken, taken))

    def locals(self, op: str, names: Sequence[str], stack: list[Value]) -> None:
        if op == "STORE_FAST_LOAD_FAST":
            self.store(names[0], stack.pop())
            stack.append(self.variables.get(names[1], FRESH))
        elif op.startswith("STORE"):
            for name in names:
                self.store(name, stack.pop())
        else:
            stack += [self.variables.get(name, FRESH) for name in names]

    def store(self, name: str, value: Value) -> None:
        if isinstance(value.what, Keywords):  # a dict, which may change
            value = value._replace(what=None)
        self.variables[name] = value
        self.ever[name] = either(self.ever.get(name, value), value)

    def nested(self, taken: Sequence[Value]) -> Value:
        """Return a function made here, if it changes nothing whenever it runs."""
        code = next((one.what for one in taken if isinstance(one.what, types.CodeType)), None)
        if code is None or any(one.opname == "STORE_DEREF" for one in dis.get_instructions(code)):
            raise Lost
        walk = _Walk(code, self.within, self.known)
        walk.run()
        if walk.changed:
            self.changed |= {ANYTHING}
        for site, (what, seed) in walk.seen.draws.items():  # its parameters are not ours
            self.seen.draws[site] = what, seed is True
        self.seen.reasons.update(walk.seen.reasons)
        if walk.seen.iterates or code.co_name == "<genexpr>":
            self.iterating.add(code)
        return Value(NOTHING, union(taken), code)

    def within(self, name: str) -> Any:
        """Look up a name for a nested function: a variable of this one may be anything."""
        if name in self.ever:
            raise KeyError(name)
        return self.lookup(name)

    def outside(self, name: str) -> Value:
        try:
            value = self.lookup(name)
        except KeyError:
            return UNKNOWN
        return self.global_(name, value)

    @staticmethod
    def global_(name: str, value: Any) -> Value:
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
            reached |= CLASS
        return Value(reached, reached, Method(name, receiver))

    def stores(self, op: str, stack: list[Value]) -> None:
        count = {"STORE_SUBSCR": 3, "STORE_SLICE": 4, "DELETE_ATTR": 1}.get(op, 2)
        taken = [stack.pop() for _ in range(count)]
        at = {"STORE_SUBSCR": 1, "DELETE_SUBSCR": 1, "STORE_SLICE": 2}.get(op, 0)
        container = taken[at]
        self.changed |= container.own
        self.hands_out(taken)
        if isinstance(container.what, types.ModuleType | types.FunctionType | type):
            self.changed |= {f"global {container.what.__name__}"}
        self.stored |= union(taken)

    def hands_out(self, values: Iterable[Value]) -> None:
        """Note that values are returned, or put into what may be."""
        self.seen.iterates |= any(one.what is ITERATOR for one in values)

    def element(self, of: Iterable[Value]) -> Value:
        reached = union(of) | self.stored
        return Value(reached, reached)

    # -- calls ----------------------------------------------------------------------------------

    def calls(self, op: str, arg: int, effect: int, stack: list[Value]) -> Value:
        keywords, self.keywords = self.keywords, ()
        if op == "CALL_FUNCTION_EX":
            taken = [stack.pop() for _ in range(1 - effect)]
            if len(taken) <= 3:
                return self.call(taken[-2:], taken, (), Given({}))
            written = taken[0].what.values if isinstance(taken[0].what, Keywords) else ()
            given = Given(dict(written), others=True)
            keywords = () if _is_class(taken[-2:]) else ("out",)  # what ** holds is not known
            return self.call(taken[-2:], taken, keywords, given)
        if op == "CALL_KW":
            names = stack.pop().what
            keywords = names if isinstance(names, tuple) else ("out",)
        taken = [stack.pop() for _ in range(arg + 2)]
        given = Given(dict(zip(reversed(keywords), taken, strict=False)))
        return self.call(taken[arg:], taken[:arg], keywords, given)

    def call(
        self,
        callee: Sequence[Value],
        args: Sequence[Value],
        keywords: Sequence[str],
        given: Given,
    ) -> Value:
        what = next((one.what for one in callee if one.what is not None), None)
        if isinstance(what, Method):
            name: str | None = f".{what.name}"
            if what.name in ("append", "insert"):
                self.hands_out(args)
            self.seen.call((id(self.code), self.at), (name, name), args, given)
        else:
            name = None if what is None else name_of(what)
            self.seen.call((id(self.code), self.at), (name, what), args, given)
        if name == "getattr":
            return self.named_attribute(args)
        value = self.result(name, what, callee, args, keywords)
        if returns_iterator(name, what, keywords, self.iterates):
            return value._replace(what=ITERATOR)
        if isinstance(what, type) and name and name.startswith("sklearn.model_selection."):
            return value._replace(what=Made(what))
        return value

    def named_attribute(self, args: Sequence[Value]) -> Value:
        """Return what ``getattr(value, name, *default)`` does; the last argument comes first."""
        name = args[-2].what if len(args) > 1 else None
        if isinstance(name, str):
            found = self.attribute(args[-1], name)
            return found if len(args) == 2 else either(found, args[0])
        return self.element(args)._replace(what=DYNAMIC)

    def result(
        self,
        name: str | None,
        what: Any,
        callee: Sequence[Value],
        args: Sequence[Value],
        keywords: Sequence[str],
    ) -> Value:
        """Return what a call may return, and note what it may change."""
        given = union(args)
        if any(_writes(keyword) for keyword in keywords):
            self.changed |= given
        if isinstance(what, Method):
            if "inplace" in keywords:
                self.changed |= what.receiver.own
            return self.method(what, given)
        if isinstance(what, types.CodeType):  # a nested function: see `nested`
            reached = given | union(callee) | self.stored
            return Value(reached, reached)
        self.makes_writers |= any(one.startswith(("copy", "overwrite")) for one in keywords)
        if name is not None and is_pure(name, what):
            if name == "builtins.type":
                return Value(CLASS, given)
            if name in VIEWS or name in _ELEMENTS_OF:
                return Value(given | self.stored, given | self.stored)
            return Value(NOTHING, given)
        inner = self.known(what) if isinstance(what, types.FunctionType) else None
        if inner is None or inner.mutates:
            self.changed |= given
        return Value(given | self.stored, given | self.stored)

    def iterates(self, what: Any) -> bool:
        """Tell whether a function of the user returns an iterator."""
        if isinstance(what, types.FunctionType):
            inner = self.known(what)
            return inner is not None and inner.iterates
        return isinstance(what, types.CodeType) and what in self.iterating

    def method(self, method: Method, given: Origins) -> Value:
        name, receiver = method
        self.seen.method(name)
        reached = receiver.all | given
        if name in MUTATING_METHODS:
            self.changed |= receiver.own
            self.stored |= given
            if name in FITTING and self.makes_writers:
                self.changed |= given
            return Value(reached | self.stored, reached | self.stored)
        if name in PURE_METHODS and f".{name}" not in VIEWS and name not in _ELEMENTS:
            return Value(NOTHING, reached)
        if name not in PURE_METHODS and name not in LOGGING:
            self.changed |= reached
        return Value(reached | self.stored, reached | self.stored)


def _keywords(op: str, taken: Sequence[Value]) -> Keywords | None:
    """Return what a dict holds that is written out, the last first, as keywords of a call."""
    names: Sequence[Any] = ()
    if op == "BUILD_CONST_KEY_MAP":
        names, taken = tuple(reversed(taken[0].what)), taken[1:]
    elif op == "BUILD_MAP":
        names, taken = [key.what for key in taken[1::2]], taken[::2]
    else:
        return None
    return Keywords(tuple((n, v) for n, v in zip(names, taken, strict=True) if isinstance(n, str)))


def _is_class(callee: Iterable[Value]) -> bool:
    return any(isinstance(one.what, type) for one in callee)


def _writes(keyword: str) -> bool:
    return keyword == "out" or keyword.startswith("overwrite")
